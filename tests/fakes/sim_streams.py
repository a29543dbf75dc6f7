"""A market by hand with its streams, and a connection to them without a web server."""

import asyncio
import json
from decimal import Decimal
from typing import Any

from simexchange.faces.rest_market import market_routes
from simexchange.faces.routing import Call
from simexchange.faces.streams import MarketStreams
from simexchange.faults import Faults
from simexchange.market.opening import MarketOptions, open_market

START = 1_717_200_000_000


class StreamedMarket:
    """A market by hand and its streams, without a web server."""

    def __init__(
        self, symbols: tuple[str, ...] = (), *, options: MarketOptions | None = None
    ) -> None:
        self.clock, self.market = open_market(
            options or MarketOptions(manual=True, start_ms=START, history_days=1, symbols=symbols)
        )
        self.faults = Faults()
        self.streams = MarketStreams(self.market, self.faults)
        self.routes = market_routes(self.market)
        self.beats = 0

    def advance(self, ms: int) -> None:
        self.clock.advance(ms)
        self.market.catch_up()

    def beat(self, times: int = 1) -> None:
        for _ in range(times):
            self.beats += 1
            self.streams.on_beat(self.beats)

    def get(self, name: str, **params: str) -> Any:
        path = f"/api/v3/{name}"
        call = Call("GET", path, params, self.clock.now_ms())
        return self.routes[("GET", path)].handler(call)


class Connection:
    """One client's side of a connection."""

    def __init__(self, exchange: StreamedMarket, path: str, query: str = "") -> None:
        self.inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        scope = {"type": "websocket", "path": path, "query_string": query.encode()}
        self.inbox.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.create_task(exchange.streams(scope, self.inbox.get, self._send))

    async def _send(self, message: Any) -> None:
        self.sent.append(message)

    async def settle(self) -> None:
        for _ in range(6):
            await asyncio.sleep(0)

    async def messages(self) -> list[Any]:
        await self.settle()
        found = [json.loads(m["text"]) for m in self.sent if m["type"] == "websocket.send"]
        self.sent = [m for m in self.sent if m["type"] != "websocket.send"]
        return found

    async def command(self, **command: Any) -> Any:
        self.inbox.put_nowait({"type": "websocket.receive", "text": json.dumps(command)})
        return (await self.messages())[-1]

    async def leave(self) -> None:
        self.inbox.put_nowait({"type": "websocket.disconnect"})
        await self.task


class LocalBook:
    """What a client keeps: a snapshot and the diffs after it, by the published rules."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.last_id = snapshot["lastUpdateId"]
        self.sides = {name: dict(snapshot[name]) for name in ("bids", "asks")}
        self.is_first = True

    def apply(self, event: dict[str, Any]) -> None:
        if event["u"] <= self.last_id:
            return
        if self.is_first:
            assert event["U"] <= self.last_id + 1 <= event["u"]
        else:
            assert event["U"] == self.last_id + 1
        self.is_first = False
        for name, key in (("bids", "b"), ("asks", "a")):
            for price, quantity in event[key]:
                if Decimal(quantity):
                    self.sides[name][price] = quantity
                else:
                    self.sides[name].pop(price, None)
        self.last_id = event["u"]

    def shown(self) -> dict[str, Any]:
        return {
            "lastUpdateId": self.last_id,
            "bids": sorted(
                ([p, q] for p, q in self.sides["bids"].items()),
                key=lambda level: -Decimal(level[0]),
            ),
            "asks": sorted(
                ([p, q] for p, q in self.sides["asks"].items()),
                key=lambda level: Decimal(level[0]),
            ),
        }

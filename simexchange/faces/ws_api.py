"""The WebSocket API: the REST handlers by method name, and the user data stream."""

import asyncio
import contextlib
from typing import Any
from urllib.parse import parse_qs

import orjson

from simexchange.errors import ApiError
from simexchange.faces.gateway import Answer, Gateway, Signed, client_order_id_of, refusal
from simexchange.faces.misbehave import Effect, Misbehaviour
from simexchange.faces.routing import Routes
from simexchange.faces.signing import socket_payload
from simexchange.faces.user_streams import Outbox, UserStreams
from simexchange.faces.ws_order_methods import ORDER_METHODS
from simexchange.faces.ws_session import Session

CONNECT_WEIGHT = 2
LIFE_MS = 24 * 60 * 60 * 1000
GOING_AWAY = 1001
ORDER_COUNT = "x-mbx-order-count-10s"
"""A REST reply with this header is a WebSocket reply with the order counts."""
GOODBYE: dict[str, Any] = {}
"""What ends a connection's writer."""

METHODS = {
    "ping": ("GET", "/api/v3/ping"),
    "time": ("GET", "/api/v3/time"),
    "exchangeInfo": ("GET", "/api/v3/exchangeInfo"),
    "depth": ("GET", "/api/v3/depth"),
    "trades.recent": ("GET", "/api/v3/trades"),
    "trades.historical": ("GET", "/api/v3/historicalTrades"),
    "trades.aggregate": ("GET", "/api/v3/aggTrades"),
    "klines": ("GET", "/api/v3/klines"),
    "uiKlines": ("GET", "/api/v3/uiKlines"),
    "avgPrice": ("GET", "/api/v3/avgPrice"),
    "executionRules": ("GET", "/api/v3/executionRules"),
    "referencePrice": ("GET", "/api/v3/referencePrice"),
    "referencePrice.calculation": ("GET", "/api/v3/referencePrice/calculation"),
    "blockTrades.historical": ("GET", "/api/v3/historicalBlockTrades"),
    "ticker.24hr": ("GET", "/api/v3/ticker/24hr"),
    "ticker.tradingDay": ("GET", "/api/v3/ticker/tradingDay"),
    "ticker": ("GET", "/api/v3/ticker"),
    "ticker.price": ("GET", "/api/v3/ticker/price"),
    "ticker.book": ("GET", "/api/v3/ticker/bookTicker"),
    **ORDER_METHODS,
}


def as_text(held: Any) -> str:
    """Return a JSON parameter in the form REST sends it."""
    if isinstance(held, str):
        return held
    if isinstance(held, bool):
        return "true" if held else "false"
    if isinstance(held, list | dict):
        return orjson.dumps(held).decode()
    return str(held)


class SocketApi:
    """Serves `/ws-api/v3`.

    Args:
        gateway: answers calls.
        routes: the same as REST's.
        streams: where subscriptions are entered.
        misbehaviour: the faults in force; a method matches as its REST twin.
    """

    def __init__(
        self, gateway: Gateway, routes: Routes, streams: UserStreams, misbehaviour: Misbehaviour
    ) -> None:
        self.gateway = gateway
        self.routes = routes
        self.streams = streams
        self.misbehaviour = misbehaviour
        self.connections: set[Connection] = set()
        self._served = 0

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        """Take one connection until it ends."""
        await receive()
        query = parse_qs(scope["query_string"].decode("latin-1"))
        try:
            self.gateway.limits.charge(CONNECT_WEIGHT)
        except ApiError:
            await send({"type": "websocket.close"})
            return
        self._served += 1
        uuid = f"00000000-0000-4000-8001-{self._served:012x}"
        await send({"type": "websocket.accept", "headers": [(b"x-mbx-uuid", uuid.encode())]})
        shows_limits = query.get("returnRateLimits", ["true"])[0] != "false"
        connection = Connection(self, send, shows_limits=shows_limits)
        self.connections.add(connection)
        writer = asyncio.create_task(connection.write())
        try:
            while (message := await receive())["type"] == "websocket.receive":
                await connection.take(message.get("text") or message.get("bytes") or b"")
        finally:
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
            self.connections.discard(connection)
            connection.session.drop_subscriptions()

    def shut_down(self) -> int:
        """Tell every client that the server goes away, close, and return how many there were."""
        event = {"e": "serverShutdown", "E": self.gateway.now_ms()}
        for connection in self.connections:
            connection.outbox.put_nowait({"event": event})
            connection.leave()
        return len(self.connections)

    async def run(self) -> None:
        """End connections that have grown old, until cancelled."""
        while True:
            await asyncio.sleep(1.0)
            self.end_old_connections()

    def end_old_connections(self) -> None:
        """Close what has been open for 24 hours."""
        oldest_ms = self.gateway.exchange.clock.wall_ms() - LIFE_MS
        for connection in self.connections:
            if connection.opened_wall_ms < oldest_ms:
                connection.leave()

    def cut(self) -> int:
        """Break every connection; return how many there were."""
        held = list(self.connections)
        for connection in held:
            connection.abort()
        return len(held)


class Connection:
    """One client's connection: its session and its subscriptions."""

    def __init__(self, api: SocketApi, send: Any, *, shows_limits: bool) -> None:
        self.api = api
        self.gateway = api.gateway
        self.send = send
        self.shows_limits = shows_limits
        self.outbox: Outbox = asyncio.Queue()
        self.opened_wall_ms = self.gateway.exchange.clock.wall_ms()
        self.session = Session(self.gateway, api.streams, self.outbox, shows_limits=shows_limits)

    async def write(self) -> None:
        """Send what is in the outbox, in order, until the server leaves."""
        while (message := await self.outbox.get()) != GOODBYE:
            await self.send({"type": "websocket.send", "text": orjson.dumps(message).decode()})
        await self.send({"type": "websocket.close", "code": GOING_AWAY})

    def leave(self) -> None:
        """Send what waits, then close: the server's end or the connection's 24 hours."""
        self.outbox.put_nowait(GOODBYE)

    def abort(self) -> None:
        """Break the connection without a closing frame."""
        self.send.__self__.transport.abort()

    async def take(self, raw: str | bytes) -> None:
        """Answer one request frame."""
        try:
            request = orjson.loads(raw)
            method = request["method"].removeprefix("v3/")
            params = {name: as_text(held) for name, held in (request.get("params") or {}).items()}
        except (orjson.JSONDecodeError, KeyError, AttributeError, TypeError):
            self._reply(None, refusal(ApiError(-1135, "Invalid JSON Request")), shows=False)
            return
        # It is among the signed parameters, so it stays.
        shows = params.get("returnRateLimits", "true" if self.shows_limits else "false") == "true"
        if method in self.session.methods:
            own = self.session.answer(method, params, self._signed(params))
            self._reply(request.get("id"), own, shows=shows)
            return
        answer = await self._answer_route(method, params)
        if answer is None:
            self.abort()
        else:
            self._reply(request.get("id"), answer, shows=shows)

    async def _answer_route(self, method: str, params: dict[str, str]) -> Answer | None:
        twin = METHODS.get(method)
        route = self.api.routes.get(twin) if twin else None
        if twin is None or route is None:
            return refusal(ApiError(-1020, "This operation is not supported."))
        signed = self._signed(params)
        call = self.gateway.new_call(*twin, params)
        client_id = client_order_id_of(params)
        handle = self.gateway.handling(route, call, signed, client_id)
        rule = self.api.misbehaviour.match(call, client_id)
        if rule is None:
            return handle()
        effect = await self.api.misbehaviour.apply(rule, call, client_id, handle)
        return None if effect is None else self._from_effect(effect)

    @staticmethod
    def _from_effect(effect: Effect) -> Answer:
        try:
            return Answer(effect.status, orjson.loads(effect.body))
        except orjson.JSONDecodeError:
            message = "An unknown error occurred while processing the request."
            return Answer(effect.status, {"code": -1000, "msg": message})

    def _signed(self, params: dict[str, str]) -> Signed:
        return Signed(
            key=params.get("apiKey", ""),
            signature=params.get("signature", ""),
            payload=socket_payload(params),
            logged_on=self.session.key,
            may_say_more=True,
        )

    def _reply(self, request_id: Any, answer: Answer, *, shows: bool) -> None:
        reply: dict[str, Any] = {"id": request_id, "status": answer.status}
        if answer.status == 200:
            reply["result"] = answer.body
        else:
            reply["error"] = answer.body
            if answer.retry_ms is not None:
                now_ms = self.gateway.now_ms()
                retry = {"serverTime": now_ms, "retryAfter": now_ms + int(answer.retry_ms)}
                reply["error"] = {**answer.body, "data": retry}
        if shows:
            limits = self.gateway.limits
            orders = limits.describe_orders(answer.placed_by) if answer.placed_by else []
            reply["rateLimits"] = [*orders, limits.describe_weight()]
        self.outbox.put_nowait(reply)

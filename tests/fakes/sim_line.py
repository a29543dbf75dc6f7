"""The local exchange in this process: its real engine and faces, without a socket or a wait.

A client's requests are handed to the ASGI program as the server would hand them over, faults
included, and come back as replies of ``requests``. Time is a clock that tests move by hand, so
that a schedule of hours takes milliseconds and happens again exactly.
"""

import io
import json
from collections.abc import Callable, Coroutine
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest, Response
from requests import exceptions as http
from urllib3.exceptions import ProtocolError

from simexchange.clock import SimClock
from simexchange.engine.accounts import Account, Credential
from simexchange.engine.commission import Commission
from simexchange.engine.exchange import Exchange
from simexchange.engine.ledger import Ledger
from simexchange.faces.app import App
from simexchange.faces.control import Control
from simexchange.faces.gateway import Gateway
from simexchange.faces.limits import Limits
from simexchange.faces.misbehave import Effect, Inner, Misbehaviour
from simexchange.faces.rest_account import AccountFace
from simexchange.faces.rest_general import routes as general_routes
from simexchange.faces.rest_lists import ListFace
from simexchange.faces.rest_orders import OrdersFace
from simexchange.faces.rest_replace import ReplaceFace
from simexchange.faces.rest_trade import TradeFace
from simexchange.faces.routing import Call
from simexchange.faults import Fault, Faults
from simexchange.market.api import Instrument, Quote, Trade
from tests.fakes.clock import HandClock
from tests.fakes.sim_market import FakeMarket

URL = "http://127.0.0.1:1"
_FEE = Decimal("0.001")
_NO_LIMIT = 1_000_000_000
_REFILLED_MS = 5_000
_LEVELS = (Decimal("0.0004"), Decimal("0.0008"), Decimal("0.0100"))


class FakeFloor:
    """A fake market for each of some symbols; a set price brings its own book along.

    Args:
        prices: Of each symbol; a book's first two levels hold less than an order of 1,000 takes.
        now_ms: Exchange time.
    """

    def __init__(self, prices: dict[str, Decimal], now_ms: Callable[[], int]) -> None:
        self.symbols = tuple(prices)
        self._tick = {
            name: Decimal("0.0001") if p < 10 else Decimal("0.01") for name, p in prices.items()
        }
        self._markets = {name: FakeMarket(now_ms) for name in prices}
        self._listeners: list[Callable[[Trade], None]] = []
        self._now_ms = now_ms
        self._thinned_ms: dict[str, int] = {}
        for name, price in prices.items():
            self._make_book(name, price)

    def _make_book(self, symbol: str, price: Decimal) -> None:
        market = self._markets[symbol]
        market.last = market.average = price
        depth = (Decimal(600) / price).quantize(Decimal("0.001"))
        for side, sign in (("SELL", 1), ("BUY", -1)):
            market.books[side] = [
                [(price * (1 + sign * away)).quantize(self._tick[symbol]), depth * size]
                for away, size in zip(_LEVELS, (1, 1, 1000), strict=True)
            ]

    def instrument(self, symbol: str) -> Instrument:
        step = Decimal("0.1") if self._tick[symbol] < Decimal("0.01") else Decimal("0.00001")
        return Instrument(symbol, symbol.removesuffix("USDT"), "USDT", self._tick[symbol], step)

    def consume(self, symbol: str, *args: Any, **more: Any) -> Trade:
        self._thinned_ms[symbol] = self._now_ms()
        return self._markets[symbol].consume(symbol, *args, **more)

    def __getattr__(self, name: str) -> Any:
        """Answer what is asked of one symbol by that symbol's market."""
        if name not in {"last_price", "best", "ladder", "quantity_at", "average_price"}:
            raise AttributeError(name)
        return lambda symbol, *args: getattr(self._refilled(symbol), name)(symbol, *args)

    def _refilled(self, symbol: str) -> FakeMarket:
        """Return the symbol's market; makers have come back to what was taken a while ago."""
        market, thinned_ms = self._markets[symbol], self._thinned_ms.get(symbol)
        if thinned_ms is not None and self._now_ms() - thinned_ms > _REFILLED_MS:
            del self._thinned_ms[symbol]
            self._make_book(symbol, market.last)
        return market

    def on_trade(self, callback: Callable[[Trade], None]) -> None:
        self._listeners.append(callback)

    def thin(self, symbol: str, quantity: Decimal) -> None:
        """Leave no more than `quantity` to be bought, at the best price."""
        asks = self._markets[symbol].books["SELL"]
        asks[:] = [[asks[0][0], quantity]]

    def on_quote(self, callback: Callable[[Quote], Decimal]) -> None:
        """Tell nobody: these makers never come to an order without a trade."""

    def set_price(self, symbol: str, price: Decimal, quantity: Decimal | None = None) -> None:
        """Move the market there with one trade of others, large unless told otherwise."""
        market = self._markets[symbol]
        is_down = price < market.last
        self._make_book(symbol, price)
        quantity = quantity or (Decimal(10_000) / price).quantize(Decimal("0.1")) + 1
        trade = Trade(symbol, market.next_id, price, quantity, self._now_ms(), is_down)
        market.next_id += 1
        for listener in self._listeners:
            listener(trade)

    def catch_up(self) -> None:
        return

    def describe(self) -> dict[str, Any]:
        return {name: {"source": "fake"} for name in self.symbols}

    def snapshot(self) -> dict[str, Any]:
        return {}


class _Patience(Misbehaviour):
    """Delays by moving the clock instead of waiting."""

    def __init__(self, *args: Any, clock: HandClock) -> None:
        self._clock = clock
        super().__init__(*args)

    async def _delay(
        self, rule: Fault, _call: Call, _client_id: str, inner: Inner
    ) -> Effect | None:
        seconds = float(rule.options["ms"]) / 1000
        if rule.options.get("when") in {"before", "engine"}:
            if rule.options["when"] == "engine":
                inner.admit()
            self._clock.advance(seconds)
            return await inner()
        effect = await inner()
        self._clock.advance(seconds)
        return effect


class SimLine:
    """An exchange with one account, and the line to it.

    Attributes:
        events: What the account's user stream would bring, oldest first.
        on_request: Called before each request to the API, with method and path: whatever else
            happens in the world at that moment.
    """

    def __init__(self, clock: HandClock, prices: dict[str, Decimal], *, key: str, secret: str):
        self.clock = clock
        self.key = key
        self.events: list[dict[str, Any]] = []
        self.on_request: Callable[[str, str], None] | None = None
        start_ms = clock.now_ms()
        sim_clock = SimClock(
            origin_sim_ms=start_ms, wall=clock.read_ms, origin_wall_ms=float(start_ms)
        )
        self.market = FakeFloor(prices, sim_clock.now_ms)
        self.exchange = Exchange(
            ledger=Ledger(),
            market=self.market,  # type: ignore[arg-type]
            clock=sim_clock,
            publish=lambda _account, event: self.events.append(event),
        )
        account = Account.open("1", Commission.flat(_FEE, _FEE), [Credential(key, secret)])
        account.credit("USDT", Decimal(100_000))
        for name in prices:
            account.balance(name.removesuffix("USDT"))
        self.exchange.add_account(account)
        self._app = self._compose(sim_clock)

    def _compose(self, sim_clock: SimClock) -> App:
        limits = Limits(sim_clock, weight_limit=_NO_LIMIT, orders_10s=_NO_LIMIT)
        gateway = Gateway(self.exchange, limits)
        faults = Faults(sim_clock.wall_ms)
        control = Control(
            gateway, faults, cut=lambda: 0, shut_down=lambda: 0, mute=lambda _ms: None
        )
        return App(
            gateway=gateway,
            routes={
                **general_routes(self.exchange, limits),
                **AccountFace(self.exchange, limits).routes(),
                **OrdersFace(self.exchange).routes(),
                **TradeFace(self.exchange, limits).routes(),
                **ReplaceFace(self.exchange, limits).routes(),
                **ListFace(self.exchange, limits).routes(),
            },
            control=control,
            socket_api=None,  # type: ignore[arg-type]
            streams=None,  # type: ignore[arg-type]
            misbehaviour=_Patience(faults, gateway, control.fire, clock=self.clock),
        )

    def send(self, request: PreparedRequest, *, timeout: Any = None) -> Response:
        """Carry a request there and its reply back; fail as a line fails."""
        if self.on_request is not None:
            self.on_request(str(request.method), urlsplit(str(request.url)).path)
        begun_ms = self.clock.read_ms()
        status, headers, body = self._ask(request)
        if not status:
            raise http.ConnectionError(ProtocolError("Connection aborted."), request=request)
        read_s = timeout[1] if isinstance(timeout, tuple) else timeout
        if read_s is not None and self.clock.read_ms() - begun_ms > read_s * 1000:
            raise http.ReadTimeout(request=request)
        reply = Response()
        reply.status_code, reply.request, reply.url = status, request, str(request.url)
        reply.headers.update(headers)
        reply.raw = io.BytesIO(body)
        return reply

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Make a control call."""
        text = json.dumps(body) if body is not None else None
        request = PreparedRequest()
        request.prepare(method=method, url=f"{URL}{path}", data=text)
        status, _, reply = self._ask(request)
        told = json.loads(reply)
        assert status == 200, told
        return told

    def _ask(self, request: PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body; status 0 is a line that was cut."""
        parts = urlsplit(str(request.url))
        body = request.body or b""
        scope = {
            "type": "http",
            "method": request.method,
            "path": parts.path,
            "query_string": parts.query.encode("latin-1"),
            "headers": [
                (name.lower().encode(), str(held).encode())
                for name, held in request.headers.items()
            ],
        }
        socket = _Socket(body if isinstance(body, bytes) else str(body).encode())
        _run(self._app(scope, socket.receive, socket.send))
        return socket.status, socket.headers, socket.body


class _Socket:
    """The server's end of one request."""

    def __init__(self, body: bytes) -> None:
        self._messages = [{"type": "http.request", "body": body}]
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.transport = SimpleNamespace(abort=lambda: None)

    async def receive(self) -> Any:
        return self._messages.pop(0) if self._messages else {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): held.decode() for name, held in message["headers"]}
        else:
            self.body = message["body"]


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run what never waits to its end, without a loop."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("the exchange waited; in this process nobody would wake it")

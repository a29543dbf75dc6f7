"""The faults of a request: which rule fits, and what it makes of the reply. One row per fault."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

import orjson

from simexchange.errors import ApiError
from simexchange.faces.gateway import Answer, Gateway, Handling
from simexchange.faces.routing import Call
from simexchange.faults import INSTANT_FAULTS, REQUEST_FAULTS, Fault, Faults

JSON = b"application/json;charset=UTF-8"
HTML = b"text/html"
SERVICE_PAGE = b"<html><body><h1>Service Unavailable</h1></body></html>"


@dataclass(slots=True)
class Effect:
    """The reply a fault lets through."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: dict[str, str] = field(default_factory=dict)


class Inner:
    """What the request would get without this fault; None is a line that is cut."""

    def __init__(self, handle: Handling, go: Callable[[], Awaitable[Effect | None]]) -> None:
        self._handle = handle
        self._go = go

    async def __call__(self) -> Effect | None:
        """Go on to it."""
        return await self._go()

    def admit(self) -> None:
        """Let the request in at the door, without carrying it out yet."""
        self._handle.admit()


Row = Callable[[Fault, Call, str, Inner], Awaitable[Effect | None]]


def plain(answer: Answer) -> Effect:
    """Return the honest reply."""
    return Effect(answer.status, orjson.dumps(answer.body), JSON, dict(answer.headers))


class Misbehaviour:
    """Applies the request faults; several of one rule are put around each other, first outermost.

    Args:
        faults: the rules in force.
        gateway: keeps the request log.
        instant: carries an instant fault out, when a rule with a match fires.
    """

    def __init__(self, faults: Faults, gateway: Gateway, instant: Callable[[Fault], None]) -> None:
        self.faults = faults
        self.gateway = gateway
        self.instant = instant
        self._rows: dict[str, Row] = {
            "accept_then_drop_reply": self._accept_then_drop,
            "drop_before_accept": self._drop,
            "delay": self._delay,
            "http": self._http,
            "truncate_reply": self._truncate,
            "not_found_for": self._not_found_for,
        }

    def match(self, call: Call, client_order_id: str) -> Fault | None:
        """Return the rule that applies to the request; instant ones are carried out here."""
        if not self.faults.rules:
            return None
        seen = {
            "method": call.method,
            "path": call.path,
            "symbol": call.params.get("symbol", ""),
            "client_order_id": client_order_id,
        }
        instant = self.faults.take(seen, INSTANT_FAULTS)
        if instant is not None:
            self.instant(instant)
        return self.faults.take(seen, REQUEST_FAULTS)

    async def apply(
        self, rule: Fault, call: Call, client_order_id: str, handle: Handling
    ) -> Effect | None:
        """Return what the client gets, None when the line is to be cut."""

        async def honest() -> Effect | None:
            return plain(handle())

        inner = Inner(handle, honest)
        for one in reversed([rule, *rule.companions]):
            if one.name in INSTANT_FAULTS:
                self.instant(one)
            else:
                around = partial(self._rows[one.name], one, call, client_order_id, inner)
                inner = Inner(handle, around)
        return await inner()

    async def _accept_then_drop(
        self, _rule: Fault, _call: Call, _client_id: str, inner: Inner
    ) -> None:
        await inner()

    async def _drop(self, rule: Fault, call: Call, client_id: str, _inner: Inner) -> None:
        self.gateway.log(call, client_id, rule.name, 0)

    async def _delay(
        self, rule: Fault, _call: Call, _client_id: str, inner: Inner
    ) -> Effect | None:
        """Answer late; with ``"when": "before"`` the request itself arrives late.

        With ``"when": "engine"`` it is late between the door and the engine.
        """
        pause_s = float(rule.options["ms"]) / 1000.0
        if rule.options.get("when") in {"before", "engine"}:
            if rule.options["when"] == "engine":
                inner.admit()
            await asyncio.sleep(pause_s)
            return await inner()
        effect = await inner()
        await asyncio.sleep(pause_s)
        return effect

    async def _http(self, rule: Fault, call: Call, client_id: str, inner: Inner) -> Effect | None:
        """Answer with another status, the request accepted or not."""
        status = int(rule.options["status"])
        if rule.options.get("accepted", False):
            await inner()
        else:
            self.gateway.log(call, client_id, f"http {status}", status)
        headers = {}
        if "retry_after" in rule.options:
            headers["retry-after"] = str(rule.options["retry_after"])
        if rule.options.get("code") is None:
            return Effect(status, SERVICE_PAGE, HTML, headers)
        body = {"code": rule.options["code"], "msg": rule.options.get("msg", "")}
        return Effect(status, orjson.dumps(body), JSON, headers)

    async def _truncate(
        self, _rule: Fault, _call: Call, _client_id: str, inner: Inner
    ) -> Effect | None:
        effect = await inner()
        if effect is not None:
            effect.body = effect.body[: len(effect.body) // 2]
        return effect

    async def _not_found_for(
        self, rule: Fault, call: Call, _client_id: str, inner: Inner
    ) -> Effect | None:
        """Hide an order from queries for its first wall milliseconds."""
        effect = await inner()
        if effect is None or effect.status != 200:
            return effect
        placed_ms = _time_of(effect.body)
        if placed_ms is not None:
            clock = self.gateway.exchange.clock
            if clock.elapsed_wall_ms(call.now_ms - placed_ms) < float(rule.options["ms"]):
                error = ApiError(-2013, "Order does not exist.")
                return plain(Answer(400, {"code": error.code, "msg": error.msg}))
        return effect


def _time_of(body: bytes) -> int | None:
    """Return when the order of a reply was placed, None where another fault left no such reply."""
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return told.get("time") if isinstance(told, dict) else None

"""From a decoded request to its answer: weight, key, signature, time, handler, request log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from simexchange.engine.exchange import Exchange
from simexchange.errors import ApiError
from simexchange.faces.limits import Limits, Refused
from simexchange.faces.routing import Call, Route
from simexchange.faces.signing import check_signature, check_time, find_key

PROOF = frozenset({"signature", "timestamp", "recvWindow"})
"""Parameters that prove who asks and when; signed routes read them, and no others do."""


@dataclass(slots=True)
class Answer:
    """What goes back: HTTP status, body, extra headers; `retry_ms` when a limit refused.

    `placed_by` is the account that tried to place orders: the WebSocket API tells it their count,
    of a refused one too.
    """

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    retry_ms: float | None = None
    placed_by: str = ""

    @property
    def outcome(self) -> str:
        """Return the request log's word for it: ok or the error code."""
        if isinstance(self.body, dict) and "code" in self.body and "msg" in self.body:
            return str(self.body["code"])
        return "ok"


@dataclass(slots=True)
class Signed:
    """What a request carries to prove who sent it.

    `logged_on` is a session's proven key. `may_say_more` lets unknown parameters pass, as the
    WebSocket API does: ccxt.pro sends some.
    """

    key: str = ""
    signature: str = ""
    payload: bytes = b""
    logged_on: str = ""
    may_say_more: bool = False


class Gateway:
    """Answers calls, whichever transport they came by.

    Args:
        exchange: the engine.
        limits: request weight and order counts.
    """

    def __init__(self, exchange: Exchange, limits: Limits) -> None:
        self.exchange = exchange
        self.limits = limits
        self.clock_offset_ms = 0.0
        exchange.on_first_fill = limits.relieve

    def now_ms(self) -> int:
        """Return exchange time as the server shows it, an injected offset included."""
        return self.exchange.clock.now_ms() + int(self.clock_offset_ms)

    def new_call(self, method: str, path: str, params: Mapping[str, str]) -> Call:
        return Call(method, path, params, self.now_ms())

    def authenticate(
        self, signed: Signed, params: Mapping[str, str], *, trades: bool = False
    ) -> str:
        """Return the account id that signed the request.

        Raises:
            ApiError: key, its permission, signature or time are not right.
        """
        ledger = self.exchange.ledger
        if signed.logged_on and not signed.key:
            account, _ = find_key(ledger, signed.logged_on, trades=trades)
            check_time(params, self.exchange.clock, self.clock_offset_ms)
            return account.account_id
        account, key = find_key(ledger, signed.key, trades=trades)
        if "timestamp" not in params:
            check_time(params, self.exchange.clock, self.clock_offset_ms)
        check_signature(key, signed.payload, signed.signature)
        check_time(params, self.exchange.clock, self.clock_offset_ms)
        return account.account_id

    def handling(
        self, route: Route, call: Call, signed: Signed, client_order_id: str
    ) -> "Handling":
        """Return the request's way through the exchange, not begun yet."""
        return Handling(self, route, call, signed, client_order_id)

    def log(self, call: Call, client_order_id: str, outcome: str, status: int) -> None:
        """Note a request in the ledger and the journal; reads in the ledger only."""
        entry = {
            "method": call.method,
            "path": call.path,
            "client_order_id": client_order_id,
            "outcome": outcome,
            "status": status,
            "time": call.now_ms,
        }
        self.exchange.ledger.requests.append(entry)
        if call.method != "GET":
            self.exchange.record({"k": "request", **entry})


class Handling:
    """One request: let in by `admit`, carried out and logged by calling it.

    Time may pass between the two, as on the exchange's own way to its engine: what was in time at
    the door is looked at again before the engine.
    """

    def __init__(
        self, gateway: Gateway, route: Route, call: Call, signed: Signed, client_order_id: str
    ) -> None:
        self.gateway = gateway
        self.route = route
        self.call = call
        self.signed = signed
        self.client_order_id = client_order_id
        self._weight = 0
        self._is_admitted = False
        self._refused: Answer | None = None

    def refuse(self, error: ApiError) -> None:
        """Answer with this refusal, whatever else may be wrong."""
        self._refused, self._is_admitted = refusal(error), True

    def admit(self) -> None:
        """Charge the weight and test key, signature and time; a refusal is the answer then."""
        if self._is_admitted:
            return
        self._is_admitted = True
        route, call, gateway = self.route, self.call, self.gateway
        try:
            self._weight = route.weight if isinstance(route.weight, int) else route.weight(call)
            gateway.limits.charge(self._weight)
            if route.signed:
                call.account = gateway.authenticate(self.signed, call.params, trades=route.trades)
            if not self.signed.may_say_more:
                check_unread(route, call.params, is_signed=bool(self.signed.signature))
        except ApiError as error:
            self._refused = refusal(error)

    def __call__(self) -> Answer:
        """Return the answer, noted in the request log."""
        self.admit()
        answer = self._refused or self._carry_out()
        self.gateway.log(self.call, self.client_order_id, answer.outcome, answer.status)
        return answer

    def _carry_out(self) -> Answer:
        route, call, gateway = self.route, self.call, self.gateway
        placed_by = call.account if route.orders else ""
        try:
            if route.trades:
                self._check_time_again()
            reply = route.handler(call)
        except ApiError as error:
            refused = refusal(error)
            refused.placed_by = placed_by
            return refused
        if route.free_on_success:
            gateway.limits.give_back(self._weight)
        return Answer(200, reply, call.headers, placed_by=placed_by)

    def _check_time_again(self) -> None:
        gateway = self.gateway
        try:
            check_time(self.call.params, gateway.exchange.clock, gateway.clock_offset_ms)
        except ApiError:
            gateway.limits.count_orders(self.call.account, self.route.orders)
            raise


def check_unread(route: Route, params: Mapping[str, str], *, is_signed: bool) -> None:
    """Refuse parameters the route does not know, the signature counted among them.

    Raises:
        ApiError: -1101 when there are more than the route knows at all, else -1104.
    """
    if route.names is None:
        return
    known = route.names | PROOF if route.signed else route.names
    sent = params.keys() | {"signature"} if is_signed else params.keys()
    if len(sent) > len(known):
        raise ApiError(
            -1101, f"Too many parameters; expected '{len(known)}' and received '{len(sent)}'."
        )
    read = len(sent & known)
    if read < len(sent):
        raise ApiError(
            -1104,
            f"Not all sent parameters were read; read '{read}' parameter(s) but was sent "
            f"'{len(sent)}'.",
        )


def refusal(error: ApiError) -> Answer:
    """Return the answer that tells of a refusal."""
    body: dict[str, Any] = {"code": error.code, "msg": error.msg}
    data = getattr(error, "data", None)
    if data is not None:
        body["data"] = data
    if isinstance(error, Refused):
        return Answer(error.status, body, retry_ms=error.retry_ms)
    return Answer(error.status, body)


def client_order_id_of(params: Mapping[str, str]) -> str:
    """Return the client id a request names, for faults and the request log."""
    for name in ("newClientOrderId", "origClientOrderId", "listClientOrderId"):
        held = params.get(name)
        if held:
            return held
    return ""

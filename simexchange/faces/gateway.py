"""From a decoded request to its answer: weight, key, signature, time, handler, request log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from simexchange.engine.exchange import Exchange
from simexchange.errors import ApiError
from simexchange.faces.limits import Limits, Refused
from simexchange.faces.routing import Call, Route
from simexchange.faces.signing import check_signature, check_time, find_account


@dataclass(slots=True)
class Answer:
    """What goes back: HTTP status, body, extra headers; `retry_ms` when a limit refused."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    retry_ms: float | None = None
    account: str = ""

    @property
    def outcome(self) -> str:
        """Return the request log's word for it: ok or the error code."""
        if isinstance(self.body, dict) and "code" in self.body and "msg" in self.body:
            return str(self.body["code"])
        return "ok"


@dataclass(slots=True)
class Signed:
    """What a request carries to prove who sent it; `logged_on` is a session's proven account."""

    key: str = ""
    signature: str = ""
    payload: bytes = b""
    logged_on: str = ""


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

    def now_ms(self) -> int:
        """Return exchange time as the server shows it, an injected offset included."""
        return self.exchange.clock.now_ms() + int(self.clock_offset_ms)

    def new_call(self, method: str, path: str, params: Mapping[str, str]) -> Call:
        return Call(method, path, params, self.now_ms())

    def authenticate(self, signed: Signed, params: Mapping[str, str]) -> str:
        """Return the account id that signed the request.

        Raises:
            ApiError: key, signature or time are not right.
        """
        if signed.logged_on and not signed.key:
            check_time(params, self.exchange.clock, self.clock_offset_ms)
            return signed.logged_on
        account = find_account(self.exchange.ledger, signed.key)
        if "timestamp" not in params:
            check_time(params, self.exchange.clock, self.clock_offset_ms)
        check_signature(account, signed.payload, signed.signature)
        check_time(params, self.exchange.clock, self.clock_offset_ms)
        return account.account_id

    def answer(self, route: Route, call: Call, signed: Signed) -> Answer:
        """Answer one call; refusals become answers too."""
        try:
            weight = route.weight if isinstance(route.weight, int) else route.weight(call)
            self.limits.charge(weight)
            if route.signed:
                call.account = self.authenticate(signed, call.params)
            reply = route.handler(call)
        except ApiError as error:
            return refusal(error)
        if route.free_on_success:
            self.limits.give_back(weight)
        return Answer(200, reply, call.headers, account=call.account)

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

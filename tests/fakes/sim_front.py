"""An engine behind its REST face with faults in force, used as a careful client uses it.

A request that a fault befell is not believed: the client asks what became of its order and sends
it once more when the exchange does not know it.
"""

import asyncio
import itertools
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import orjson
from hypothesis import strategies as st

from simexchange.engine.accounts import Account
from simexchange.engine.lists import ListRequest
from simexchange.engine.orders import Order, OrderRequest
from simexchange.errors import ApiError
from simexchange.faces.app import App
from simexchange.faces.control import Control
from simexchange.faces.gateway import Gateway
from simexchange.faces.limits import Limits
from simexchange.faces.misbehave import Misbehaviour
from simexchange.faces.order_params import named
from simexchange.faces.rest_account import AccountFace
from simexchange.faces.rest_lists import ListFace
from simexchange.faces.rest_orders import OrdersFace
from simexchange.faces.rest_replace import ReplaceFace
from simexchange.faces.rest_trade import TradeFace
from simexchange.faces.user_streams import Subscription, UserStreams
from simexchange.faces.ws_api import SocketApi
from simexchange.faults import EVENT_FAULTS, INSTANT_FAULTS, REQUEST_FAULTS, Faults
from tests.fakes.sim_exchange import Desk, request
from tests.fakes.sim_raw import sign
from tests.fakes.sim_steps import ACTIONS, STEP

MUCH = 10**9
OPTIONS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "accept_then_drop_reply": st.just({}),
    "drop_before_accept": st.just({}),
    "delay": st.sampled_from(
        [{"ms": 0, "when": "after"}, {"ms": 0, "when": "before"}, {"ms": 0, "when": "engine"}]
    ),
    "http": st.sampled_from(
        [
            {"status": 503, "accepted": True},
            {"status": 504, "code": -1007, "msg": "Timeout", "accepted": True},
            {"status": 503, "accepted": False},
            {"status": 429, "code": -1015, "msg": "Too many", "retry_after": 1},
        ]
    ),
    "truncate_reply": st.just({}),
    "not_found_for": st.sampled_from([{"ms": 0}, {"ms": 60_000}]),
    "dup_event": st.just({}),
    "reorder_events": st.just({}),
    "drop_event": st.just({}),
    "mute_stream": st.just({"ms": 60_000}),
    "cut_streams": st.sampled_from([{}, {"announce": True}]),
    "ban": st.just({"seconds": 60}),
    "clock_offset": st.sampled_from([{"ms": -20_000}, {"ms": 20_000}, {"ms": 3}]),
    "filters": st.sampled_from(
        [
            {"symbol": "BTCUSDT", "filters": [{"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 3}]},
            {"symbol": "BTCUSDT", "filters": [{"filterType": "LOT_SIZE", "stepSize": "0.1"}]},
            {"symbol": "BTCUSDT", "filters": [{"filterType": "LOT_SIZE", "stepSize": "0.00001"}]},
        ]
    ),
}
"""Every fault of the contract, with the options it is given."""


def _fault(names: frozenset[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.sampled_from(sorted(names)).flatmap(
        lambda name: OPTIONS[name].map(lambda options: {"fault": name, **options})
    )


def _composed(rule: dict[str, Any], script: dict[str, Any], more: list[Any]) -> dict[str, Any]:
    can_compose = rule["fault"] in REQUEST_FAULTS and more
    return {**rule, **script, **({"with": more} if can_compose else {})}


SCRIPT = st.fixed_dictionaries(
    {
        "times": st.sampled_from([1, 1, 2, 0]),
        "skip": st.sampled_from([0, 0, 1]),
        "probability": st.sampled_from([1.0, 0.5]),
        "match": st.sampled_from([{}, {"method": "POST"}, {"method": "DELETE"}, {"method": "GET"}]),
    }
)
RULE = st.builds(
    _composed,
    st.one_of(
        _fault(REQUEST_FAULTS), _fault(REQUEST_FAULTS), _fault(INSTANT_FAULTS), _fault(EVENT_FAULTS)
    ),
    SCRIPT,
    st.lists(_fault(REQUEST_FAULTS | INSTANT_FAULTS), max_size=2),
)
FAULT = st.fixed_dictionaries(
    {"do": st.just("fault"), "rules": st.lists(RULE, min_size=1, max_size=3)}
)
REPLACE = st.fixed_dictionaries(
    {
        "do": st.just("replace"),
        "order": st.integers(1, 40),
        "price": st.sampled_from(["97.5", "99", "101", "102.5"]),
        "mode": st.sampled_from(["STOP_ON_FAILURE", "ALLOW_FAILURE"]),
    }
)
FRONT_STEPS = st.lists(
    st.one_of(STEP, STEP, REPLACE, FAULT, st.just({"do": "lift"})), min_size=8, max_size=50
)


class Wire:
    """The far end of one request: keeps the reply, or knows that the line was cut."""

    def __init__(self, body: bytes) -> None:
        self._incoming = iter([{"type": "http.request", "body": body}, {"type": "http.disconnect"}])
        self.status = 0
        self.body = b""
        self.transport = self

    def abort(self) -> None:
        """Cut the line, as the exchange's transport can."""
        self.status = 0

    async def receive(self) -> dict[str, Any]:
        return next(self._incoming)

    async def send(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.body += message["body"]


class Front(Desk):
    """A desk whose commands go through the REST face, signed, with faults in force."""

    run: Callable[..., Any] = staticmethod(asyncio.run)
    """Runs a coroutine; a test of many sequences sets one loop's."""

    def __init__(self) -> None:
        super().__init__()
        self._ids = itertools.count(1)
        self.befallen = 0
        self.exchange.record = self._record
        faults = self.faults = Faults(self.clock.wall_ms)
        limits = Limits(self.clock, weight_limit=MUCH, orders_10s=MUCH, orders_1d=MUCH)
        users = UserStreams(faults, self.clock)
        self.exchange.publish = users.publish
        self.heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        users.add(Subscription(0, "1", self.heard))
        gateway = Gateway(self.exchange, limits)
        routes = {
            **AccountFace(self.exchange, limits).routes(),
            **OrdersFace(self.exchange).routes(),
            **TradeFace(self.exchange, limits).routes(),
            **ReplaceFace(self.exchange, limits).routes(),
            **ListFace(self.exchange, limits).routes(),
        }
        control = Control(gateway, faults, cut=lambda: 0, shut_down=lambda: 0, mute=users.mute)
        misbehaviour = Misbehaviour(faults, gateway, control.fire)
        self.app = App(
            gateway=gateway,
            routes=routes,
            control=control,
            socket_api=SocketApi(gateway, routes, users, misbehaviour),
            streams=self._no_streams,
            misbehaviour=misbehaviour,
        )

    async def _no_streams(self, *_: Any) -> None:
        raise AssertionError("no stream is opened here")

    def _record(self, record: dict[str, Any]) -> None:
        # Requests are logged, and a fault may change filters, though the request is refused.
        if record["k"] not in {"request", "symbol"}:
            self.records.append(record)

    # One request

    def ask(self, method: str, path: str, query: str, body: bytes, key: str = "") -> Wire:
        wire = Wire(body)
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(b"x-mbx-apikey", key.encode())],
        }
        self.run(self.app(scope, wire.receive, wire.send))
        return wire

    def _send(self, account: Account, method: str, name: str, params: dict[str, Any]) -> Any:
        """Return the reply's body, None when a fault befell the request.

        Raises:
            ApiError: refused, as the exchange itself does.
        """
        sent = {"symbol": "BTCUSDT", **params, "timestamp": self.clock.now_ms()}
        query = urlencode(sent)
        query += f"&signature={sign('secret', query)}"
        key = account.first_key.key
        fired, before = self._fired(), self.snapshot()

        reply = self.ask(method, f"/api/v3/{name}", query, b"", key)

        by = [
            rule for rule, count in zip(self.faults.rules, fired, strict=True) if rule.fired > count
        ]
        if any(rule.name in REQUEST_FAULTS for rule in by):
            self.befallen += 1
            alone = len(by) == 1 and not by[0].companions
            never_in = by[0].name == "drop_before_accept" or (
                by[0].name == "http" and not by[0].options.get("accepted")
            )
            if alone and never_in:
                assert self.snapshot() == before, by[0].describe()
            return None
        told = orjson.loads(reply.body)
        if reply.status == 200 or "data" in told:
            return told
        assert 400 <= reply.status < 500, told
        raise ApiError(told["code"], told["msg"], reply.status)

    def _fired(self) -> list[int]:
        return [rule.fired for rule in self.faults.rules]

    def _is_known(self, account: Account, client_id: str) -> bool:
        """Ask until the answer is the exchange's own."""
        for _ in range(5):
            try:
                told = self._send(account, "GET", "order", {"origClientOrderId": client_id})
            except ApiError as error:
                if error.code == -2013:
                    return False
                continue
            if told is not None:
                return True
        return (account.account_id, "BTCUSDT", client_id) in self.ledger.by_client

    def _settle(self, account: Account, path: str, params: dict[str, Any], client_id: str) -> None:
        """Find out what became of a placement; send it once more when it is not known."""
        truth = (account.account_id, "BTCUSDT", client_id) in self.ledger.by_client
        known = self._is_known(account, client_id)
        assert known <= truth
        if not known and not truth:
            try:
                self._send(account, "POST", path, params)
            except ApiError:
                return

    # What a desk does

    def place(self, side: str, kind: str = "MARKET", **fields: Any) -> Order | None:
        account = fields.pop("account", self.account)
        client_id = f"c{next(self._ids)}"
        params = {**order_params(request(side, kind, **fields)), "newClientOrderId": client_id}
        if self._send(account, "POST", "order", params) is None:
            self._settle(account, "order", params, client_id)
        return None

    def submit_list(self, account: Account, request: ListRequest) -> None:
        number = next(self._ids)
        path, params = list_params(request)
        roles = [name for name in params if name.lower().endswith("type")]
        first = named(roles[0].removesuffix("Type"), "clientOrderId")
        params |= {"listClientOrderId": f"l{number}", first: f"c{number}"}
        if self._send(account, "POST", path, params) is None:
            self._settle(account, path, params, f"c{number}")

    def cancel(self, account: Account, order_id: int) -> None:
        self._send(account, "DELETE", "order", {"orderId": order_id})

    def cancel_all(self, account: Account) -> None:
        self._send(account, "DELETE", "openOrders", {})

    def amend(self, account: Account, order_id: int, quantity: Decimal) -> None:
        params = {"orderId": order_id, "newQty": plain(quantity)}
        self._send(account, "PUT", "order/amend/keepPriority", params)

    def replace(self, order_id: int, price: str, mode: str) -> None:
        order = self.ledger.orders.get(order_id)
        account = self.ledger.accounts[order.account if order else "1"]
        params = {
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": "0.5",
            "price": price,
            "cancelReplaceMode": mode,
            "cancelOrderId": order_id,
        }
        self._send(account, "POST", "order/cancelReplace", params)

    def add_faults(self, rules: list[dict[str, Any]]) -> None:
        reply = self.ask("POST", "/_sim/faults", "", orjson.dumps(rules))
        assert reply.status == 200, reply.body

    def lift_faults(self) -> None:
        assert self.ask("DELETE", "/_sim/faults", "", b"").status == 200


def plain(number: Decimal) -> str:
    return f"{number:f}"


def order_params(order: OrderRequest, prefix: str = "") -> dict[str, Any]:
    """Return what REST calls an order's fields, with its role in front."""
    held = {
        "type": order.type,
        "timeInForce": order.time_in_force,
        "price": plain(order.price),
        "stopPrice": plain(order.stop_price),
        "trailingDelta": order.trailing_delta,
        "icebergQty": plain(order.iceberg_quantity),
    }
    if not order.type.endswith("LIMIT"):
        held["timeInForce"] = ""
    told = {named(prefix, name): text for name, text in held.items() if text not in ("", "0", 0)}
    if prefix:
        return told
    amount = {"quantity": order.quantity, "quoteOrderQty": order.quote_quantity}
    told |= {name: plain(number) for name, number in amount.items() if number}
    return {**told, "side": order.side, "selfTradePreventionMode": order.stp_mode}


def list_params(listed: ListRequest) -> tuple[str, dict[str, Any]]:
    """Return path and parameters of a list."""
    role = "pending" if listed.working is not None else ""
    params: dict[str, Any] = {"selfTradePreventionMode": listed.above.stp_mode}
    if listed.working is not None:
        params |= order_params(listed.working, "working")
        params["workingSide"] = listed.working.side
        params["workingQuantity"] = plain(listed.working.quantity)
    params[named(role, "side")] = listed.above.side
    if not listed.pays_legs:
        params[named(role, "quantity")] = plain(listed.above.quantity)
    kind = "opo" if listed.pays_legs else "oto"
    if listed.below is None:
        return f"orderList/{kind}", {**params, **order_params(listed.above, role)}
    params |= order_params(listed.above, f"{role}Above" if role else "above")
    params |= order_params(listed.below, f"{role}Below" if role else "below")
    return f"orderList/{kind}co" if role else "orderList/oco", params


FRONT_ACTIONS: dict[str, Callable[[Front, dict[str, Any]], None]] = {
    **ACTIONS,
    "fault": lambda desk, step: desk.add_faults(step["rules"]),
    "lift": lambda desk, _step: desk.lift_faults(),
    "replace": lambda desk, step: desk.replace(step["order"], step["price"], step["mode"]),
}

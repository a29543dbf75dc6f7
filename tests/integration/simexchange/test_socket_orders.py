"""The WebSocket API's order methods and the user's events, held against the official examples."""

from pathlib import Path
from typing import Any

import pytest

from simexchange.faces.ws_order_methods import ORDER_METHODS
from tests.fakes.sim_clients import control
from tests.fakes.sim_documents import differences, read_examples
from tests.fakes.sim_raw import RawClient
from tests.processes import SimExchange

SIM_OPTIONS = (
    *("--generate", "--speed", "manual", "--symbols", "BTCUSDT", "--history-days", "1"),
    *("--balance", "BTC=100,USDT=10000000", "--orders-limit", "5000", "--weight-limit", "900000"),
)
BTC = {"symbol": "BTCUSDT"}
NOT_HERE = {
    # Smart order routing is refused, so there are no allocations either.
    *("sor.order.place", "sor.order.test", "myAllocations"),
}


@pytest.fixture(scope="module")
def raw(sim_exchange: SimExchange) -> RawClient:
    return RawClient(sim_exchange)


def resting(raw: RawClient) -> int:
    return int(raw.order(type="LIMIT", price=raw.price("0.8"))[1]["orderId"])


def trailing(raw: RawClient) -> int:
    """Place an order that shows every conditional field but those of a self-trade."""
    reply = raw.order(
        side="SELL",
        type="STOP_LOSS_LIMIT",
        price=raw.price("0.88"),
        stopPrice=raw.price("0.9"),
        trailingDelta=100,
        icebergQty="0.005",
        strategyId=37463720,
        strategyType=1_000_000,
    )
    return int(reply[1]["orderId"])


def pair(raw: RawClient, prefix: str = "") -> dict[str, str]:
    held = {"aboveType": "LIMIT_MAKER", "abovePrice": raw.price("1.1"), "belowType": "STOP_LOSS"}
    held["belowStopPrice"] = raw.price("0.9")
    return {prefix + n[0].upper() + n[1:] if prefix else n: v for n, v in held.items()}


def working(raw: RawClient, **more: str) -> dict[str, str]:
    kind = {"workingType": "LIMIT", "workingTimeInForce": "GTC", "workingSide": "BUY"}
    return {**BTC, **kind, "workingQuantity": "0.01", "workingPrice": raw.price("0.8"), **more}


def oco(raw: RawClient) -> dict[str, str]:
    return {**BTC, "side": "SELL", "quantity": "0.01", **pair(raw)}


def listed(raw: RawClient) -> int:
    return int(raw.call("POST", "orderList/oco", **oco(raw))[1]["orderListId"])


def prevented(raw: RawClient) -> dict[str, Any]:
    maker = raw.order(type="LIMIT", price=raw.price("0.999"))[1]["orderId"]
    raw.order(side="SELL", type="LIMIT", price=raw.price("0.99"), quantity="20")
    return {**BTC, "orderId": maker}


def amended(raw: RawClient) -> dict[str, Any]:
    order_id = resting(raw)
    raw.call("PUT", "order/amend/keepPriority", **BTC, orderId=order_id, newQty="0.005")
    return {**BTC, "orderId": order_id}


def all_kinds(raw: RawClient) -> dict[str, Any]:
    trailing(raw)
    listed(raw)
    return BTC


MARKET = {**BTC, "side": "BUY", "type": "MARKET", "quantity": "0.01"}
LEG = {"pendingSide": "SELL", "pendingType": "MARKET"}
# method -> its section in the document and what makes its parameters.
METHODS: dict[str, tuple[str, Any]] = {
    "order.place": ("Place new order (TRADE)", lambda _raw: {**MARKET, "newOrderRespType": "ACK"}),
    "order.test": ("Test new order (TRADE)", lambda _raw: MARKET),
    "order.status": ("Query order (USER_DATA)", lambda raw: {**BTC, "orderId": trailing(raw)}),
    "order.cancel": ("Cancel order (TRADE)", lambda raw: {**BTC, "orderId": trailing(raw)}),
    "order.cancelReplace": (
        "Cancel and replace order (TRADE)",
        lambda raw: {
            **MARKET,
            "cancelReplaceMode": "ALLOW_FAILURE",
            "cancelOrderId": resting(raw),
            "newOrderRespType": "RESULT",
        },
    ),
    "order.amend.keepPriority": (
        "Order Amend Keep Priority (TRADE)",
        lambda raw: {**BTC, "orderId": resting(raw), "newQty": "0.005"},
    ),
    "order.amendments": ("Query Order Amendments (USER_DATA)", amended),
    "openOrders.status": ("Current open orders (USER_DATA)", all_kinds),
    "openOrders.cancelAll": ("Cancel open orders (TRADE)", all_kinds),
    "orderList.place": (
        "Place new OCO - Deprecated (TRADE)",
        lambda raw: {
            **BTC,
            "side": "SELL",
            "quantity": "0.01",
            "price": raw.price("1.1"),
            "stopPrice": raw.price("0.9"),
        },
    ),
    "orderList.place.oco": ("Place new Order list - OCO (TRADE)", oco),
    "orderList.place.oto": (
        "Place new Order list - OTO (TRADE)",
        lambda raw: working(raw, pendingQuantity="0.01", **LEG),
    ),
    "orderList.place.otoco": (
        "Place new Order list - OTOCO (TRADE)",
        lambda raw: working(
            raw, pendingSide="SELL", pendingQuantity="0.01", **pair(raw, "pending")
        ),
    ),
    "orderList.place.opo": ("OPO (TRADE)", lambda raw: working(raw, **LEG)),
    "orderList.place.opoco": (
        "OPOCO (TRADE)",
        lambda raw: working(raw, pendingSide="SELL", **pair(raw, "pending")),
    ),
    "orderList.status": (
        "Query Order list (USER_DATA)",
        lambda raw: {"orderListId": listed(raw)},
    ),
    "orderList.cancel": (
        "Cancel Order list (TRADE)",
        lambda raw: {**BTC, "orderListId": listed(raw)},
    ),
    "openOrderLists.status": (
        "Current open Order lists (USER_DATA)",
        lambda raw: {} if listed(raw) >= 0 else None,
    ),
    "allOrderLists": ("Account order list history (USER_DATA)", lambda raw: all_kinds(raw) and {}),
    "allOrders": ("Account order history (USER_DATA)", all_kinds),
    "myTrades": ("Account trade history (USER_DATA)", lambda raw: raw.order() and BTC),
    "myPreventedMatches": ("Account prevented matches (USER_DATA)", prevented),
    "myFilters": ("Query Relevant Filters (USER_DATA)", lambda _raw: BTC),
    "account.status": ("Account information (USER_DATA)", lambda _raw: {}),
    "account.commission": ("Account Commission Rates (USER_DATA)", lambda _raw: BTC),
    "account.rateLimits.orders": ("Unfilled Order Count (USER_DATA)", lambda _raw: {}),
}
SOMETIMES = {
    # Examples of self-trades, and of filters that are not set here.
    *("preventedMatchId", "preventedQuantity", "exchangeFilters", "assetFilters"),
}


@pytest.mark.parametrize("method", sorted(set(ORDER_METHODS) - NOT_HERE))
def test_each_method_answers_as_documented(raw: RawClient, shared_data: Path, method: str) -> None:
    section, make = METHODS[method]
    rows = read_examples(shared_data, "web-socket-api.json")[section]
    documented = next(one for one in rows if one.get("status") == 200)
    raw.call("DELETE", "openOrders", symbol="BTCUSDT")

    (reply,) = raw.over_socket(
        {"id": "a", "method": method, "params": raw.socket_params(**make(raw))}
    )

    told = differences(documented, reply)
    assert [one for one in told if not any(name in one for name in SOMETIMES)] == []
    raw.call("DELETE", "openOrders", symbol="BTCUSDT")


def instead(raw: RawClient, order_id: int, **more: str) -> dict[str, Any]:
    """Return a cancel-replace of the order, by default at a price that would take."""
    maker = {**BTC, "side": "BUY", "type": "LIMIT_MAKER", "quantity": "0.01"}
    modes = {"cancelReplaceMode": "ALLOW_FAILURE", "cancelOrderId": str(order_id)}
    return {**maker, "price": raw.price("1.1"), **modes, **more}


def leg_of(raw: RawClient) -> int:
    placed = raw.call("POST", "orderList/oco", **oco(raw))[1]
    return int(placed["orders"][0]["orderId"])


def member_of(raw: RawClient) -> int:
    params = working(raw, pendingQuantity="0.01", **LEG)
    return int(raw.call("POST", "orderList/oto", **params)[1]["orders"][0]["orderId"])


REPLACE = "Cancel and replace order (TRADE)"
FAR = {"type": "LIMIT", "timeInForce": "GTC"}
# The further examples of a section: (method, section, which of its answers, parameters).
FURTHER: list[tuple[str, str, int, Any]] = [
    *[
        ("order.place", "Place new order (TRADE)", place, lambda _raw, k=kind: {**MARKET, **k})
        for place, kind in ((1, {"newOrderRespType": "RESULT"}), (2, {}))
    ],
    ("order.place", "Response format", 1, lambda _raw: {**MARKET, "quantity": "5000"}),
    (
        *("order.test", "Test new order (TRADE)", 1),
        lambda _raw: {**MARKET, "computeCommissionRates": "true"},
    ),
    ("order.cancel", "Cancel order (TRADE)", 1, lambda raw: {**BTC, "orderId": leg_of(raw)}),
    (
        *("order.amend.keepPriority", "Order Amend Keep Priority (TRADE)", 1),
        lambda raw: {**BTC, "orderId": member_of(raw), "newQty": "0.005"},
    ),
    (
        *("order.cancelReplace", REPLACE, 1),
        lambda raw: instead(raw, 99_999, cancelReplaceMode="STOP_ON_FAILURE"),
    ),
    ("order.cancelReplace", REPLACE, 2, lambda raw: instead(raw, resting(raw))),
    (
        *("order.cancelReplace", REPLACE, 3),
        lambda raw: instead(raw, 99_999, **FAR, price=raw.price("0.8")),
    ),
    ("order.cancelReplace", REPLACE, 4, lambda raw: instead(raw, 99_999)),
]


@pytest.mark.parametrize(("method", "section", "place", "make"), FURTHER)
def test_each_further_answer_is_as_documented(
    raw: RawClient, shared_data: Path, method: str, section: str, place: int, make: Any
) -> None:
    rows = read_examples(shared_data, "web-socket-api.json")[section]
    documented = [one for one in rows if "status" in one][place]
    raw.call("DELETE", "openOrders", symbol="BTCUSDT")

    (reply,) = raw.over_socket(
        {"id": "a", "method": method, "params": raw.socket_params(**make(raw))}
    )

    told = differences(documented, reply)
    assert [one for one in told if not any(name in one for name in SOMETIMES)] == []
    assert reply["status"] == documented["status"]
    for which in ("rateLimitType", "interval"):
        shown = [one[which] for one in reply["rateLimits"]]
        assert shown == [one[which] for one in documented["rateLimits"]]
    raw.call("DELETE", "openOrders", symbol="BTCUSDT")


@pytest.mark.parametrize("method", sorted(NOT_HERE - {"myAllocations"}))
def test_smart_order_routing_is_refused(raw: RawClient, method: str) -> None:
    (reply,) = raw.over_socket({"id": 1, "method": method, "params": raw.socket_params(**MARKET)})

    assert (reply["status"], reply["error"]["code"]) == (400, -1013)


def test_events_have_every_documented_field(raw: RawClient, shared_data: Path) -> None:
    examples = read_examples(shared_data, "user-data-stream.json")
    documented = {
        row["event"]["e"]: row for rows in examples.values() for row in rows if "event" in row
    }
    subscribe = {
        "id": 1,
        "method": "userDataStream.subscribe.signature",
        "params": raw.socket_params(),
    }

    with raw.open_socket() as socket:
        raw.ask(socket, subscribe)
        raw.call("POST", "orderList/oco", **oco(raw))
        control(raw.sim, "POST", "account", {"account": "1", "asset": "BTC", "quantity": "1"})
        raw.ask(socket, {"id": 2, "method": "userDataStream.unsubscribe"})
        heard = raw.heard_before(socket, "eventStreamTerminated")

    seen = {one["event"]["e"]: one for one in heard}
    told = {
        kind: differences(row, seen[kind])
        for kind, row in documented.items()
        if kind != "externalLockUpdate"
    }
    assert {kind: held for kind, held in told.items() if held} == {}

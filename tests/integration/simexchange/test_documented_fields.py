"""The official examples, read in place: every field they show is here, with their type.

Values that are objects in lists are compared by their first element.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.sim_clients import control
from tests.fakes.sim_documents import differences, read_examples
from tests.fakes.sim_raw import RawClient
from tests.processes import SimExchange

SIM_OPTIONS = (
    *("--generate", "--speed", "manual", "--symbols", "BTCUSDT", "--history-days", "1"),
    *("--balance", "BTC=100,USDT=10000000", "--orders-limit", "5000", "--weight-limit", "900000"),
)
Examples = dict[str, list[Any]]


@pytest.fixture(scope="module")
def raw(sim_exchange: SimExchange) -> RawClient:
    return RawClient(sim_exchange)


@pytest.fixture
def examples(shared_data: Path) -> Examples:
    """Return the examples of the REST document by section, in their order."""
    return read_examples(shared_data, "rest-api.json")


def limit(raw: RawClient, factor: str = "0.8", **more: Any) -> dict[str, Any]:
    params = {"type": "LIMIT", "price": raw.price(factor), **more}
    placed: dict[str, Any] = raw.order(**params)[1]
    return placed


def replace(raw: RawClient, order_id: int, **more: Any) -> Any:
    params = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01",
        "price": raw.price("0.8"),
        "cancelReplaceMode": "ALLOW_FAILURE",
        "cancelOrderId": order_id,
        **more,
    }
    return raw.call("POST", "order/cancelReplace", **params)[1]


def amended(raw: RawClient, order_id: int) -> Any:
    return raw.call(
        "PUT", "order/amend/keepPriority", symbol="BTCUSDT", orderId=order_id, newQty="0.005"
    )[1]


def legs(raw: RawClient, prefix: str = "") -> dict[str, str]:
    """Return a sell pair: a limit maker above, a stop limit below."""
    names = ("aboveType", "abovePrice", "belowType", "belowStopPrice", "belowPrice")
    values = ("LIMIT_MAKER", raw.price("1.1"), "STOP_LOSS_LIMIT", raw.price("0.9"))
    held = dict(zip(names, (*values, raw.price("0.89")), strict=True)) | {"belowTimeInForce": "GTC"}
    return {prefix + n[0].upper() + n[1:] if prefix else n: v for n, v in held.items()}


def oco(raw: RawClient) -> Any:
    params = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.01", **legs(raw)}
    return raw.call("POST", "orderList/oco", **params)[1]


def list_of(raw: RawClient, path: str, **more: Any) -> Any:
    params = {
        "symbol": "BTCUSDT",
        "workingType": "LIMIT",
        "workingTimeInForce": "GTC",
        "workingSide": "BUY",
        "workingQuantity": "0.01",
        "workingPrice": raw.price("0.8"),
        "pendingSide": "SELL",
        **more,
    }
    return raw.call("POST", f"orderList/{path}", **params)[1]


def old_oco(raw: RawClient) -> Any:
    params = {"side": "SELL", "quantity": "0.01", "price": raw.price("1.1")}
    stop = {"stopPrice": raw.price("0.9"), "stopLimitPrice": raw.price("0.89")}
    tif = {"stopLimitTimeInForce": "GTC"}
    return raw.call("POST", "order/oco", symbol="BTCUSDT", **params, **stop, **tif)[1]


def prevented(raw: RawClient) -> Any:
    maker = limit(raw, "0.999")
    raw.order(side="SELL", type="LIMIT", price=raw.price("0.99"), quantity="20")
    return raw.call("GET", "myPreventedMatches", symbol="BTCUSDT", orderId=maker["orderId"])[1]


def get(path: str, **params: Any) -> Callable[[RawClient], Any]:
    return lambda raw: raw.call("GET", path, **params)[1]


def commissioned(raw: RawClient) -> Any:
    return raw.call(
        "POST",
        "order/test",
        symbol="BTCUSDT",
        side="BUY",
        type="MARKET",
        quantity="0.01",
        computeCommissionRates="true",
    )[1]


def with_filters(raw: RawClient) -> Any:
    row = {"filterType": "MAX_ASSET", "asset": "BTC", "limit": "1000.00000000"}
    exchange = {"filterType": "EXCHANGE_MAX_NUM_ORDERS", "maxNumOrders": 1000}
    control(raw.sim, "POST", "symbol", {"assetFilters": [row], "exchangeFilters": [exchange]})
    return get("myFilters", symbol="BTCUSDT")(raw)


def cancel(raw: RawClient, order_id: int, **more: Any) -> Any:
    return raw.call("DELETE", "order", symbol="BTCUSDT", orderId=order_id, **more)[1]


def cancel_all(raw: RawClient) -> Any:
    limit(raw)
    limit(raw)
    oco(raw)
    return raw.call("DELETE", "openOrders", symbol="BTCUSDT")[1]


def amended_list(raw: RawClient) -> Any:
    placed = list_of(raw, "oto", pendingType="MARKET", pendingQuantity="0.01")
    return amended(raw, placed["orders"][1]["orderId"])


def amendments(raw: RawClient) -> Any:
    order_id = limit(raw)["orderId"]
    amended(raw, order_id)
    return get("order/amendments", symbol="BTCUSDT", orderId=order_id)(raw)


PAIR_OF = {"pendingQuantity": "0.01"}
# section -> what makes each of its examples, None where that is left out.
CASES: dict[str, list[Callable[[RawClient], Any] | None]] = {
    "New order (TRADE)": [
        lambda raw: raw.order(newOrderRespType="ACK")[1],
        lambda raw: raw.order(newOrderRespType="RESULT")[1],
        lambda raw: raw.order()[1],
    ],
    "Test new order (TRADE)": [None, commissioned],
    "Cancel order (TRADE)": [
        lambda raw: cancel(raw, limit(raw)["orderId"]),
        lambda raw: cancel(raw, 1, cancelRestrictions="NEVER"),
        lambda raw: cancel(raw, limit(raw)["orderId"], cancelRestrictions="ONLY_PARTIALLY_FILLED"),
    ],
    "Cancel All Open Orders on a Symbol (TRADE)": [cancel_all],
    "Cancel an Existing Order and Send a New Order (TRADE)": [
        lambda raw: replace(raw, limit(raw)["orderId"]),
        lambda raw: replace(raw, 999_999, cancelReplaceMode="STOP_ON_FAILURE"),
        lambda raw: replace(
            raw,
            limit(raw)["orderId"],
            type="LIMIT_MAKER",
            timeInForce=None,
            price=raw.price("1.1"),
        ),
        lambda raw: replace(raw, 999_999, newOrderRespType="ACK"),
        lambda raw: replace(
            raw, 999_999, type="LIMIT_MAKER", timeInForce=None, price=raw.price("1.1")
        ),
    ],
    "Order Amend Keep Priority (TRADE)": [
        lambda raw: amended(raw, limit(raw)["orderId"]),
        amended_list,
    ],
    "New OCO - Deprecated (TRADE)": [old_oco],
    "New Order list - OCO (TRADE)": [oco],
    "New Order list - OTO (TRADE)": [
        lambda raw: list_of(raw, "oto", pendingType="MARKET", **PAIR_OF)
    ],
    "New Order list - OTOCO (TRADE)": [
        lambda raw: list_of(raw, "otoco", **PAIR_OF, **legs(raw, "pending"))
    ],
    "New Order List - OPO (TRADE)": [lambda raw: list_of(raw, "opo", pendingType="MARKET")],
    "New Order List - OPOCO (TRADE)": [lambda raw: list_of(raw, "opoco", **legs(raw, "pending"))],
    "Cancel Order list (TRADE)": [
        lambda raw: raw.call(
            "DELETE", "orderList", symbol="BTCUSDT", orderListId=oco(raw)["orderListId"]
        )[1]
    ],
    "Account information (USER_DATA)": [get("account")],
    "Query order (USER_DATA)": [
        lambda raw: get("order", symbol="BTCUSDT", orderId=limit(raw)["orderId"])(raw)
    ],
    "Current open orders (USER_DATA)": [lambda raw: limit(raw) and get("openOrders")(raw)],
    "All orders (USER_DATA)": [lambda raw: limit(raw) and get("allOrders", symbol="BTCUSDT")(raw)],
    "Query Order list (USER_DATA)": [
        lambda raw: get("orderList", orderListId=oco(raw)["orderListId"])(raw)
    ],
    "Query all Order lists (USER_DATA)": [lambda raw: oco(raw) and get("allOrderList")(raw)],
    "Query Open Order lists (USER_DATA)": [lambda raw: oco(raw) and get("openOrderList")(raw)],
    "Account trade list (USER_DATA)": [
        lambda raw: raw.order() and get("myTrades", symbol="BTCUSDT")(raw)
    ],
    "Query Unfilled Order Count (USER_DATA)": [get("rateLimit/order")],
    "Query Prevented Matches (USER_DATA)": [prevented],
    "Query Commission Rates (USER_DATA)": [get("account/commission", symbol="BTCUSDT")],
    "Query Order Amendments (USER_DATA)": [amendments],
    "Query relevant filters (USER_DATA)": [with_filters],
}


@pytest.mark.parametrize("section", CASES)
def test_it_has_every_documented_field(raw: RawClient, examples: Examples, section: str) -> None:
    told = []
    for index, make in enumerate(CASES[section]):
        raw.call("DELETE", "openOrders", symbol="BTCUSDT")
        if make is not None:
            told += differences(examples[section][index], make(raw), f"#{index}")

    assert told == []

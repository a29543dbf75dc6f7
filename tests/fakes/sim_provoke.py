"""Ways to make a local exchange refuse."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.fakes.sim_clients import control
from tests.fakes.sim_raw import RawClient, Reply

OCO = {"symbol": "BTCUSDT", "quantity": "0.01"}


@contextmanager
def symbol(raw: RawClient, **patch: Any) -> Iterator[None]:
    """Change BTCUSDT for the block."""
    before = raw.call("GET", "exchangeInfo", signed=False, symbol="BTCUSDT")[1]["symbols"][0]
    control(raw.sim, "POST", "symbol", {"symbol": "BTCUSDT", **patch})
    try:
        yield
    finally:
        added = {one["filterType"] for one in patch.get("filters", ())}
        kept = {one["filterType"] for one in before["filters"]}
        gone = [{"filterType": name, "remove": True} for name in added - kept]
        before["filters"] = [*before["filters"], *gone]
        control(raw.sim, "POST", "symbol", before)


@contextmanager
def account(raw: RawClient, after: dict[str, Any], **patch: Any) -> Iterator[None]:
    """Change the first account for the block."""
    control(raw.sim, "POST", "account", {"account": "1", **patch})
    try:
        yield
    finally:
        control(raw.sim, "POST", "account", {"account": "1", **after})


def after_oco(raw: RawClient, **more: Any) -> Reply:
    return raw.call("POST", "orderList/oco", **{**OCO, **more})


def pair(raw: RawClient, side: str, above: str, below: str) -> Reply:
    """Place an OCO of two types with plausible prices."""
    params: dict[str, Any] = {"side": side}
    for role, kind, factor in (("above", above, "1.05"), ("below", below, "0.95")):
        params[f"{role}Type"] = kind
        if kind != "LIMIT_MAKER":
            params[f"{role}StopPrice"] = raw.price(factor)
        if kind.endswith(("_LIMIT", "_MAKER")):
            params[f"{role}Price"] = raw.price(factor)
        if kind.endswith("_LIMIT"):
            params[f"{role}TimeInForce"] = "GTC"
    return after_oco(raw, **params)


def opo(raw: RawClient, **more: Any) -> Reply:
    params = {
        "symbol": "BTCUSDT",
        "workingType": "LIMIT",
        "workingTimeInForce": "GTC",
        "workingSide": "BUY",
        "workingQuantity": "0.01",
        "workingPrice": raw.price("0.8"),
        "pendingType": "MARKET",
        "pendingSide": "SELL",
        **more,
    }
    return raw.call("POST", "orderList/opo", **params)


def replace(raw: RawClient, *, is_open: bool, **more: Any) -> Reply:
    """Replace an order that is open or not by one that is refused by the engine."""
    order_id = raw.order(type="LIMIT")[1]["orderId"] if is_open else 999_999
    params = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT_MAKER",
        "quantity": "0.01",
        "price": raw.price("1.1"),
        "cancelReplaceMode": "ALLOW_FAILURE",
        "cancelOrderId": order_id,
        **more,
    }
    return raw.call("POST", "order/cancelReplace", **params)

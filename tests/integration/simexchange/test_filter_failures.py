"""Every filter of a symbol, of the exchange and of an asset, made to fail."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.sim_clients import control
from tests.fakes.sim_provoke import pair, symbol
from tests.fakes.sim_raw import RawClient, Reply
from tests.processes import SimExchange

SIM_OPTIONS = (
    *("--generate", "--speed", "manual", "--symbols", "BTCUSDT", "--history-days", "1"),
    *("--balance", "BTC=10,USDT=1000000", "--orders-limit", "5000", "--weight-limit", "900000"),
)


@pytest.fixture(scope="module")
def raw(sim_exchange: SimExchange) -> RawClient:
    return RawClient(sim_exchange)


FILTERS: dict[str, tuple[dict[str, Any], Callable[[RawClient], Reply]]] = {
    "PRICE_FILTER": ({"minPrice": "1"}, lambda raw: raw.order(type="LIMIT", price="50000.001")),
    "PERCENT_PRICE": (
        {"multiplierUp": "1.1", "multiplierDown": "0.9", "avgPriceMins": 5},
        lambda raw: raw.order(type="LIMIT", price=raw.price("0.85")),
    ),
    "PERCENT_PRICE_BY_SIDE": (
        {"bidMultiplierDown": "0.9"},
        lambda raw: raw.order(type="LIMIT", price=raw.price("0.85")),
    ),
    "LOT_SIZE": ({"maxQty": "0.05"}, lambda raw: raw.order(quantity="0.06")),
    "MARKET_LOT_SIZE": ({"maxQty": "0.05"}, lambda raw: raw.order(quantity="0.06")),
    "MIN_NOTIONAL": (
        {"minNotional": "5000", "applyToMarket": True, "avgPriceMins": 5},
        lambda raw: raw.order(),
    ),
    "NOTIONAL": ({"minNotional": "5000"}, lambda raw: raw.order()),
    "ICEBERG_PARTS": ({"limit": 5}, lambda raw: raw.order(type="LIMIT", icebergQty="0.001")),
    "TRAILING_DELTA": (
        {"maxTrailingBelowDelta": 500},
        lambda raw: raw.order(type="STOP_LOSS", side="SELL", trailingDelta=501),
    ),
    "MAX_POSITION": ({"maxPosition": "1"}, lambda raw: raw.order()),
    "MAX_NUM_ORDERS": ({"maxNumOrders": 0}, lambda raw: raw.order(type="LIMIT")),
    "MAX_NUM_ALGO_ORDERS": (
        {"maxNumAlgoOrders": 0},
        lambda raw: raw.order(type="STOP_LOSS", side="SELL", stopPrice=raw.price("0.9")),
    ),
    "MAX_NUM_ICEBERG_ORDERS": (
        {"maxNumIcebergOrders": 0},
        lambda raw: raw.order(type="LIMIT", icebergQty="0.005"),
    ),
    "MAX_NUM_ORDER_LISTS": (
        {"maxNumOrderLists": 0},
        lambda raw: pair(raw, "SELL", "LIMIT_MAKER", "STOP_LOSS"),
    ),
}


@pytest.mark.parametrize("name", FILTERS)
def test_each_filter_fails_by_its_name(raw: RawClient, name: str) -> None:
    patch, provoke = FILTERS[name]

    with symbol(raw, filters=[{"filterType": name, **patch}]):
        raw.call("DELETE", "openOrders", symbol="BTCUSDT")
        status, body = provoke(raw)

    assert (status, body) == (400, {"code": -1013, "msg": f"Filter failure: {name}"})


@pytest.mark.parametrize(
    ("name", "field", "provoke"),
    [
        ("EXCHANGE_MAX_NUM_ORDERS", "maxNumOrders", lambda raw: raw.order(type="LIMIT")),
        ("EXCHANGE_MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders", FILTERS["MAX_NUM_ALGO_ORDERS"][1]),
        (
            "EXCHANGE_MAX_NUM_ICEBERG_ORDERS",
            "maxNumIcebergOrders",
            FILTERS["MAX_NUM_ICEBERG_ORDERS"][1],
        ),
        (
            "EXCHANGE_MAX_NUM_ORDER_LISTS",
            "maxNumOrderLists",
            FILTERS["MAX_NUM_ORDER_LISTS"][1],
        ),
    ],
)
def test_filters_over_all_symbols_fail_by_their_names(
    raw: RawClient, name: str, field: str, provoke: Callable[[RawClient], Reply]
) -> None:
    raw.call("DELETE", "openOrders", symbol="BTCUSDT")
    control(raw.sim, "POST", "symbol", {"exchangeFilters": [{"filterType": name, field: 0}]})
    try:
        shown = raw.call("GET", "exchangeInfo", signed=False)[1]["exchangeFilters"]
        status, body = provoke(raw)
    finally:
        gone = {"exchangeFilters": [{"filterType": name, "remove": True}]}
        control(raw.sim, "POST", "symbol", gone)

    assert shown == [{"filterType": name, field: 0}]
    assert (status, body) == (400, {"code": -1013, "msg": f"Filter failure: {name}"})


def test_asset_filters_are_shown_by_my_filters_and_hold(raw: RawClient) -> None:
    row = {"filterType": "MAX_ASSET", "asset": "BTC", "limit": "0.00500000"}
    control(raw.sim, "POST", "symbol", {"assetFilters": [row]})
    try:
        shown = raw.call("GET", "myFilters", symbol="BTCUSDT")[1]
        _, body = raw.order(quantity="0.006")
    finally:
        control(raw.sim, "POST", "symbol", {"assetFilters": []})

    assert shown["assetFilters"] == [row]
    assert body["msg"] == "Filter failure: MAX_ASSET"

from decimal import Decimal
from typing import Any

import pytest

from simexchange.engine.filters import Prices, check_request
from simexchange.engine.symbols import SymbolRules
from simexchange.errors import ApiError
from tests.fakes.sim_exchange import Desk, request
from tests.fakes.sim_market import FakeMarket

PRICES = Prices(average=Decimal(100), last=Decimal(100))


@pytest.fixture
def rules() -> SymbolRules:
    return SymbolRules(FakeMarket().instrument("BTCUSDT"))


@pytest.mark.parametrize(
    ("kind", "fields", "name"),
    [
        ("LIMIT", {"price": "100.001", "quantity": "1"}, "PRICE_FILTER"),
        ("LIMIT", {"price": "1000000.01", "quantity": "1"}, "PRICE_FILTER"),
        ("LIMIT", {"price": "200.01", "quantity": "1"}, "PERCENT_PRICE_BY_SIDE"),
        ("LIMIT", {"price": "49.99", "quantity": "1"}, "PERCENT_PRICE_BY_SIDE"),
        ("LIMIT", {"price": "100", "quantity": "0.000001"}, "LOT_SIZE"),
        ("LIMIT", {"price": "100", "quantity": "1.000001"}, "LOT_SIZE"),
        ("LIMIT", {"price": "100", "quantity": "9001"}, "LOT_SIZE"),
        ("MARKET", {"quantity": "165.03"}, "MARKET_LOT_SIZE"),
        ("LIMIT", {"price": "100", "quantity": "0.04"}, "NOTIONAL"),
        ("MARKET", {"quantity": "0.04"}, "NOTIONAL"),
        ("MARKET", {"quote_quantity": "4.99"}, "NOTIONAL"),
        (
            "LIMIT",
            {"price": "100", "quantity": "1", "iceberg_quantity": "0.009"},
            "ICEBERG_PARTS",
        ),
    ],
)
def test_it_names_the_filter_that_fails(
    rules: SymbolRules, kind: str, fields: dict[str, Any], name: str
) -> None:
    with pytest.raises(ApiError) as refusal:
        check_request(rules, request("BUY", kind, **fields), PRICES)

    assert (refusal.value.code, refusal.value.msg) == (-1013, f"Filter failure: {name}")


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("LIMIT", {"price": "200", "quantity": "0.025"}),
        ("LIMIT", {"price": "50", "quantity": "0.1"}),
        ("MARKET", {"quantity": "0.05"}),
        ("MARKET", {"quote_quantity": "5"}),
    ],
)
def test_it_passes_what_lies_on_the_edge(
    rules: SymbolRules, kind: str, fields: dict[str, Any]
) -> None:
    check_request(rules, request("BUY", kind, **fields), PRICES)


def test_it_limits_open_stops_and_orders() -> None:
    desk = Desk()
    for _ in range(5):
        desk.place("SELL", "STOP_LOSS", quantity="1", stop_price="90")

    with pytest.raises(ApiError) as refusal:
        desk.place("SELL", "STOP_LOSS", quantity="1", stop_price="90")

    assert refusal.value.msg == "Filter failure: MAX_NUM_ALGO_ORDERS"


def test_it_changes_filters_and_status(rules: SymbolRules) -> None:
    rules.change({"filters": [{"filterType": "LOT_SIZE", "stepSize": "0.5"}]})

    with pytest.raises(ApiError):
        check_request(rules, request("BUY", "MARKET", quantity="1.25"), PRICES)
    assert rules.describe()["filters"][1]["minQty"] == "0.00001000"
    with pytest.raises(ValueError, match="status must be one of"):
        rules.change({"status": "OPEN"})


def test_it_refuses_orders_on_a_closed_market() -> None:
    desk = Desk()
    desk.exchange.change_symbol("BTCUSDT", {"status": "HALT"})

    with pytest.raises(ApiError) as refusal:
        desk.place("BUY", quantity="1")

    assert refusal.value.msg == "Market is closed."


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ({"filters": [{"filterType": "LOT_SIZE", "stepSize": "x"}]}, "LOT_SIZE stepSize must be"),
        ({"filters": [{"filterType": "LOT_SIZE", "minQty": "-1"}]}, "must lie from 0 to"),
        ({"filters": [{"filterType": "LOT_SIZE", "stepSize": 1e-300}]}, "at most 8 decimals"),
        ({"filters": [{"filterType": "MAX_NUM_ORDERS", "maxNumOrders": True}]}, "needs maxNumO"),
        ({"filters": [{"stepSize": "1"}]}, "filterType must be one of"),
        ({"filters": [{"filterType": "MAX_POSITION"}]}, "MAX_POSITION needs maxPosition"),
        ({"filters": [{"filterType": "FANCY"}]}, "filterType must be one of"),
        ({"orderTypes": ["FANCY"]}, "orderTypes takes some of"),
        ({"allowedSelfTradePreventionModes": []}, "takes some of"),
        ({"defaultSelfTradePreventionMode": "LOUD"}, "must be one of"),
    ],
)
def test_it_names_what_it_cannot_change_and_changes_nothing(
    rules: SymbolRules, patch: dict[str, Any], words: str
) -> None:
    before = rules.describe()

    with pytest.raises(ValueError, match=words):
        rules.change({"status": "HALT", **patch})

    assert rules.describe() == before


def test_a_position_and_an_assets_limit_hold() -> None:
    desk = Desk()
    desk.exchange.change_symbol(
        "BTCUSDT", {"filters": [{"filterType": "MAX_POSITION", "maxPosition": "1003"}]}
    )
    desk.place("BUY", "LIMIT", quantity="2", price="90")

    with pytest.raises(ApiError, match="MAX_POSITION"):
        desk.place("BUY", "LIMIT", quantity="1.5", price="90")
    desk.place("SELL", "LIMIT", quantity="5", price="110")
    desk.exchange.change_rules({"assetFilters": [{"asset": "USDT", "limit": "50"}]})
    with pytest.raises(ApiError, match="MAX_ASSET"):
        desk.place("SELL", "LIMIT", quantity="1", price="110")
    with pytest.raises(ValueError, match="an asset filter has asset and limit"):
        desk.exchange.change_rules({"assetFilters": [{"asset": "USDT"}]})

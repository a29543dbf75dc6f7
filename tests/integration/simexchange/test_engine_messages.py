"""The engine's own refusals, word for word."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.sim_provoke import account, after_oco, opo, pair, replace, symbol
from tests.fakes.sim_raw import RawClient, Reply
from tests.processes import SimExchange

SIM_OPTIONS = (
    *("--generate", "--speed", "manual", "--symbols", "BTCUSDT", "--history-days", "1"),
    *("--balance", "BTC=10,USDT=1000000", "--orders-limit", "5000", "--weight-limit", "900000"),
)


@pytest.fixture(scope="module")
def raw(sim_exchange: SimExchange) -> RawClient:
    return RawClient(sim_exchange)


ENGINE_MESSAGES: dict[str, tuple[dict[str, Any], Callable[[RawClient], Reply]]] = {
    "Duplicate order sent.": (
        {},
        lambda raw: [raw.order(type="LIMIT", newClientOrderId="twice") for _ in range(2)][1],
    ),
    "Market is closed.": ({"status": "BREAK"}, lambda raw: raw.order()),
    "Market orders are not supported for this symbol.": (
        {"orderTypes": ["LIMIT"]},
        lambda raw: raw.order(),
    ),
    "Stop loss orders are not supported for this symbol.": (
        {"orderTypes": ["LIMIT"]},
        lambda raw: raw.order(type="STOP_LOSS", side="SELL", stopPrice=raw.price("0.9")),
    ),
    "Take profit limit orders are not supported for this symbol.": (
        {"orderTypes": ["LIMIT"]},
        lambda raw: raw.order(type="TAKE_PROFIT_LIMIT", stopPrice=raw.price("0.9")),
    ),
    "Iceberg orders are not supported for this symbol.": (
        {"icebergAllowed": False},
        lambda raw: raw.order(type="LIMIT", icebergQty="0.005"),
    ),
    "Trailing stop orders are not supported for this symbol.": (
        {"allowTrailingStop": False},
        lambda raw: raw.order(type="STOP_LOSS", side="SELL", trailingDelta=100),
    ),
    "Quote order qty market orders are not support for this symbol.": (
        {"quoteOrderQtyMarketAllowed": False},
        lambda raw: raw.order(quoteOrderQty="50"),
    ),
    "OCO orders are not supported for this symbol": (
        {"ocoAllowed": False},
        lambda raw: pair(raw, "SELL", "LIMIT_MAKER", "STOP_LOSS"),
    ),
    "OTO orders are not supported for this symbol": ({"otoAllowed": False}, opo),
    "OPO orders are not supported for this symbol.": ({"opoAllowed": False}, opo),
    "Order amend is not supported for this symbol.": (
        {"amendAllowed": False},
        lambda raw: raw.call(
            "PUT",
            "order/amend/keepPriority",
            symbol="BTCUSDT",
            orderId=raw.order(type="LIMIT")[1]["orderId"],
            newQty="0.005",
        ),
    ),
    "Order cancel-replace is not supported for this symbol.": (
        {"cancelReplaceAllowed": False},
        lambda raw: replace(raw, is_open=False),
    ),
    "This symbol is not permitted for this account.": (
        {"isSpotTradingAllowed": False},
        lambda raw: raw.order(),
    ),
    "This symbol does not allow the specified self-trade prevention mode.": (
        {"allowedSelfTradePreventionModes": ["EXPIRE_MAKER"]},
        lambda raw: raw.order(selfTradePreventionMode="NONE"),
    ),
    "Pegged orders are not supported for this symbol.": (
        {},
        lambda raw: raw.order(type="LIMIT", pegPriceType="PRIMARY_PEG"),
    ),
    "IcebergQty exceeds QTY.": ({}, lambda raw: raw.order(type="LIMIT", icebergQty="0.02")),
    "Order would trigger immediately.": (
        {},
        lambda raw: raw.order(type="STOP_LOSS", side="SELL", stopPrice=raw.price("1.1")),
    ),
    "Order would immediately match and take.": (
        {},
        lambda raw: raw.order(type="LIMIT_MAKER", price=raw.price("1.1")),
    ),
    "The relationship of the prices for the orders is not correct.": (
        {},
        lambda raw: after_oco(
            raw,
            side="SELL",
            aboveType="LIMIT_MAKER",
            abovePrice=raw.price("0.98"),
            belowType="STOP_LOSS",
            belowStopPrice=raw.price("0.95"),
        ),
    ),
    "Account has insufficient balance for requested action.": (
        {},
        lambda raw: raw.order(quantity="90"),
    ),
    "Price * QTY is zero or less.": (
        {
            "filters": [
                {"filterType": name, "remove": True}
                for name in ("NOTIONAL", "PRICE_FILTER", "LOT_SIZE", "PERCENT_PRICE_BY_SIDE")
            ]
        },
        lambda raw: raw.order(type="LIMIT", price="0.00001", quantity="0.00001"),
    ),
    "Order was not canceled due to cancel restrictions.": (
        {},
        lambda raw: raw.call(
            "DELETE",
            "order",
            symbol="BTCUSDT",
            orderId=raw.order(type="LIMIT")[1]["orderId"],
            cancelRestrictions="ONLY_PARTIALLY_FILLED",
        ),
    ),
    "SOR is not supported for BTCUSDT.": (
        {},
        lambda raw: raw.call(
            "POST", "sor/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01"
        ),
    ),
}


@pytest.mark.parametrize("message", ENGINE_MESSAGES)
def test_the_engine_refuses_in_the_exchanges_words(raw: RawClient, message: str) -> None:
    patch, provoke = ENGINE_MESSAGES[message]

    with symbol(raw, **patch):
        raw.call("DELETE", "openOrders", symbol="BTCUSDT")
        _, body = provoke(raw)

    assert body["msg"] == message, body


def test_an_account_that_may_not_trade_can_neither_place_nor_cancel(raw: RawClient) -> None:
    with account(raw, {"can_trade": True}, can_trade=False):
        placed = raw.order()[1]
        canceled = raw.call("DELETE", "openOrders", symbol="BTCUSDT")[1]
        shown = raw.call("GET", "account")[1]["canTrade"]

    assert (placed["code"], canceled["code"], shown) == (-2010, -2011, False)
    assert placed["msg"] == "This account may not place or cancel orders."

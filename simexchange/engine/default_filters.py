"""The filters and permissions that the testnet shows, scaled to an instrument's grid."""

from typing import Any

from simexchange.engine.decimals import show
from simexchange.market.api import Instrument

# The testnet's BTCUSDT allows 900 million steps per order and 16.502 million per market order.
MAX_STEPS = 900_000_000
MAX_MARKET_STEPS = 16_502_000

PERMISSIONS: dict[str, bool] = {
    "icebergAllowed": True,
    "ocoAllowed": True,
    "otoAllowed": True,
    "opoAllowed": True,
    "quoteOrderQtyMarketAllowed": True,
    "allowTrailingStop": True,
    "cancelReplaceAllowed": True,
    "amendAllowed": True,
    "pegInstructionsAllowed": False,
    "isSpotTradingAllowed": True,
    "isMarginTradingAllowed": False,
}
"""What a symbol allows, by the name exchangeInfo gives it."""

FIELDS: dict[str, tuple[str, ...]] = {
    "PRICE_FILTER": ("minPrice", "maxPrice", "tickSize"),
    "PERCENT_PRICE": ("multiplierUp", "multiplierDown", "avgPriceMins"),
    "PERCENT_PRICE_BY_SIDE": (
        *("bidMultiplierUp", "bidMultiplierDown", "askMultiplierUp", "askMultiplierDown"),
        "avgPriceMins",
    ),
    "LOT_SIZE": ("minQty", "maxQty", "stepSize"),
    "MARKET_LOT_SIZE": ("minQty", "maxQty", "stepSize"),
    "MIN_NOTIONAL": ("minNotional", "avgPriceMins"),
    "NOTIONAL": ("minNotional", "maxNotional", "avgPriceMins"),
    "ICEBERG_PARTS": ("limit",),
    "TRAILING_DELTA": (
        *("minTrailingAboveDelta", "maxTrailingAboveDelta"),
        *("minTrailingBelowDelta", "maxTrailingBelowDelta"),
    ),
    "MAX_POSITION": ("maxPosition",),
    "MAX_NUM_ORDERS": ("maxNumOrders",),
    "MAX_NUM_ALGO_ORDERS": ("maxNumAlgoOrders",),
    "MAX_NUM_ICEBERG_ORDERS": ("maxNumIcebergOrders",),
    "MAX_NUM_ORDER_LISTS": ("maxNumOrderLists",),
    "MAX_NUM_ORDER_AMENDS": ("maxNumOrderAmends",),
    "EXCHANGE_MAX_NUM_ORDERS": ("maxNumOrders",),
    "EXCHANGE_MAX_NUM_ALGO_ORDERS": ("maxNumAlgoOrders",),
    "EXCHANGE_MAX_NUM_ICEBERG_ORDERS": ("maxNumIcebergOrders",),
    "EXCHANGE_MAX_NUM_ORDER_LISTS": ("maxNumOrderLists",),
}
"""The numbers each filter must have."""


def default_filters(instrument: Instrument) -> list[dict[str, Any]]:
    """Return the filters the testnet shows for BTCUSDT, scaled to the instrument's grid."""
    step, tick = instrument.step_size, instrument.tick_size
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": show(tick),
            "maxPrice": "1000000.00000000",
            "tickSize": show(tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": show(step),
            "maxQty": show(step * MAX_STEPS),
            "stepSize": show(step),
        },
        {"filterType": "ICEBERG_PARTS", "limit": 100},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": "0.00000000",
            "maxQty": show(step * MAX_MARKET_STEPS),
            "stepSize": "0.00000000",
        },
        {
            "filterType": "TRAILING_DELTA",
            "minTrailingAboveDelta": 10,
            "maxTrailingAboveDelta": 2000,
            "minTrailingBelowDelta": 10,
            "maxTrailingBelowDelta": 2000,
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": "2",
            "bidMultiplierDown": "0.5",
            "askMultiplierUp": "2",
            "askMultiplierDown": "0.5",
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": "5.00000000",
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 20},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
        {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": 10},
    ]

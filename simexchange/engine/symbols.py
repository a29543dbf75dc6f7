"""The rules of a symbol: its exchangeInfo object and the same as numbers for the checks."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from decimal import Decimal, InvalidOperation
from typing import Any

from simexchange.engine.decimals import show
from simexchange.market.api import Instrument

STATUSES = ("TRADING", "HALT", "BREAK", "CANCEL_ONLY", "END_OF_DAY", "AUCTION_MATCH")
ORDER_TYPES = (
    "LIMIT",
    "LIMIT_MAKER",
    "MARKET",
    "STOP_LOSS",
    "STOP_LOSS_LIMIT",
    "TAKE_PROFIT",
    "TAKE_PROFIT_LIMIT",
)
STP_MODES = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH")
DEFAULT_STP = "EXPIRE_MAKER"

# The testnet's BTCUSDT allows 900 million steps per order and 16.502 million per market order.
MAX_STEPS = 900_000_000
MAX_MARKET_STEPS = 16_502_000

RATE_LIMITS = (
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
    {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200000},
    {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 300000},
)


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
    ]


class SymbolRules:
    """One symbol's status and filters.

    `numbers[filterType][field]` are the filter's text fields as Decimal, kept in step with
    `filters` by `change`.
    """

    def __init__(self, instrument: Instrument) -> None:
        self.symbol = instrument.symbol
        self.base = instrument.base
        self.quote = instrument.quote
        self.status = "TRADING"
        self.filters = default_filters(instrument)
        self.numbers: dict[str, dict[str, Decimal]] = {}
        self._read_numbers()

    def _read_numbers(self) -> None:
        self.numbers = {
            entry["filterType"]: {
                name: Decimal(str(text))
                for name, text in entry.items()
                if name != "filterType" and not isinstance(text, bool)
            }
            for entry in self.filters
        }

    def flag(self, filter_type: str, name: str) -> bool:
        """Return a boolean field of a filter, False when the symbol has no such filter."""
        return any(entry["filterType"] == filter_type and entry.get(name) for entry in self.filters)

    @property
    def step(self) -> Decimal:
        return self.numbers["LOT_SIZE"]["stepSize"]

    def change(self, patch: Mapping[str, Any]) -> None:
        """Set a new status or merge filters by type, as ``POST /_sim/symbol`` asks.

        Raises:
            ValueError: on an unknown status or a filter that is not numbers.
        """
        status = patch.get("status", self.status)
        if status not in STATUSES:
            raise ValueError(f"status must be one of {', '.join(STATUSES)}, was {status}")
        merged = {entry["filterType"]: dict(entry) for entry in self.filters}
        for entry in patch.get("filters", ()):
            merged.setdefault(entry["filterType"], {}).update(entry)
        before = self.filters
        self.filters = list(merged.values())
        try:
            self._read_numbers()
        except InvalidOperation as error:
            self.filters = before
            self._read_numbers()
            raise ValueError(f"filters must be numbers, were {patch.get('filters')}") from error
        self.status = status

    def describe(self) -> dict[str, Any]:
        """Return the symbol object of exchangeInfo."""
        return {
            "symbol": self.symbol,
            "status": self.status,
            "baseAsset": self.base,
            "baseAssetPrecision": 8,
            "quoteAsset": self.quote,
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "baseCommissionPrecision": 8,
            "quoteCommissionPrecision": 8,
            "orderTypes": list(ORDER_TYPES),
            "icebergAllowed": True,
            "ocoAllowed": True,
            "otoAllowed": False,
            "opoAllowed": False,
            "quoteOrderQtyMarketAllowed": True,
            "allowTrailingStop": False,
            "cancelReplaceAllowed": True,
            "amendAllowed": False,
            "pegInstructionsAllowed": False,
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "filters": deepcopy(self.filters),
            "permissions": [],
            "permissionSets": [["SPOT"]],
            "defaultSelfTradePreventionMode": DEFAULT_STP,
            "allowedSelfTradePreventionModes": list(STP_MODES),
        }


def exchange_info(rules: Iterable[SymbolRules], now_ms: int) -> dict[str, Any]:
    """Return the exchangeInfo reply for these symbols."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [dict(limit) for limit in RATE_LIMITS],
        "exchangeFilters": [],
        "symbols": [one.describe() for one in rules],
    }

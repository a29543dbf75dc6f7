"""The exchange's filters, read into limits.

Source: Binance Spot API, "Filters". A zero in a filter switches that limit off.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from markets.domain.candle import refuse

_TEN = Decimal(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One symbol as the exchange lists it.

    Attributes:
        symbol: Its name.
        base_asset: What is bought and sold.
        quote_asset: What it is paid with.
        status: TRADING, HALT, BREAK …
        filters: The filters, word for word.
        otoco_allowed: It takes an entry and a pair for after it in one list.
    """

    symbol: str
    base_asset: str
    quote_asset: str
    status: str
    filters: Sequence[Mapping[str, Any]]
    otoco_allowed: bool = False


# Which of our limits come from which filter: (filter, field, our name, required)
_DECIMALS: tuple[tuple[str, str, str, bool], ...] = (
    ("PRICE_FILTER", "tickSize", "tick_size", True),
    ("PRICE_FILTER", "minPrice", "min_price", False),
    ("PRICE_FILTER", "maxPrice", "max_price", False),
    ("LOT_SIZE", "stepSize", "step_size", True),
    ("LOT_SIZE", "minQty", "min_quantity", False),
    ("LOT_SIZE", "maxQty", "max_quantity", False),
    ("MARKET_LOT_SIZE", "maxQty", "market_max_quantity", False),
    ("MIN_NOTIONAL", "minNotional", "min_notional", False),
    ("NOTIONAL", "minNotional", "min_notional", False),
    ("NOTIONAL", "maxNotional", "max_notional", False),
    ("PERCENT_PRICE", "multiplierUp", "bid_multiplier_up", False),
    ("PERCENT_PRICE", "multiplierDown", "bid_multiplier_down", False),
    ("PERCENT_PRICE", "multiplierUp", "ask_multiplier_up", False),
    ("PERCENT_PRICE", "multiplierDown", "ask_multiplier_down", False),
    ("PERCENT_PRICE_BY_SIDE", "bidMultiplierUp", "bid_multiplier_up", False),
    ("PERCENT_PRICE_BY_SIDE", "bidMultiplierDown", "bid_multiplier_down", False),
    ("PERCENT_PRICE_BY_SIDE", "askMultiplierUp", "ask_multiplier_up", False),
    ("PERCENT_PRICE_BY_SIDE", "askMultiplierDown", "ask_multiplier_down", False),
)
_COUNTS: tuple[tuple[str, str, str], ...] = (
    ("MAX_NUM_ORDERS", "maxNumOrders", "max_open_orders"),
    ("MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders", "max_algo_orders"),
)
_ZERO_WHEN_ABSENT = ("min_quantity", "min_notional")


def read_filters(listing: Listing) -> dict[str, Any]:
    """Return the limits of a listing by the field names of InstrumentRules.

    Raises:
        InvalidInput: the symbol has no usable tick or step size, or a limit is not a number.
    """
    filters = {item["filterType"]: item for item in listing.filters}
    limits: dict[str, Any] = {name: None for _, _, name, _ in _DECIMALS}
    limits |= dict.fromkeys(_ZERO_WHEN_ABSENT, Decimal(0))
    for kind, field, name, is_required in _DECIMALS:
        text = filters.get(kind, {}).get(field)
        number = None if text is None else _number(listing.symbol, f"{kind}.{field}", text)
        if number:
            limits[name] = number
        elif is_required:
            refuse(f"{listing.symbol} {kind}.{field}", text, "above 0")
    for kind, field, name in _COUNTS:
        count = filters.get(kind, {}).get(field)
        limits[name] = int(count) if count else None
    return limits


def read_trailing(
    filters: Sequence[Mapping[str, Any]],
) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """Return the bounds of trailing stops above and below the market, bps; None: no filter."""
    for item in filters:
        if item.get("filterType") == "TRAILING_DELTA":
            return (
                (int(item["minTrailingAboveDelta"]), int(item["maxTrailingAboveDelta"])),
                (int(item["minTrailingBelowDelta"]), int(item["maxTrailingBelowDelta"])),
            )
    return None, None


def _number(symbol: str, field: str, text: Any) -> Decimal:
    try:
        number = Decimal(str(text))
    except ArithmeticError:
        refuse(f"{symbol} {field}", text, "a number")
    if not number.is_finite() or number < 0:
        refuse(f"{symbol} {field}", text, "a number of 0 or more")
    # What numeric(38, 18) cannot hold is no limit that an order could meet.
    return number if number < _TEN**20 else Decimal(0)

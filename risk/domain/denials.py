"""Why an order was refused: one stable code per condition.

``docs/denial-codes.md`` is what ``python -m risk.domain.denials`` prints.
"""

import sys
from enum import StrEnum


class DenialCode(StrEnum):
    """CATEGORY_CONDITION; the same word in verdicts, orders, the API, logs and alerts."""

    SCHEMA_NOT_FINITE = "SCHEMA_NOT_FINITE"
    SCHEMA_INVALID = "SCHEMA_INVALID"
    LIMITS_MISSING = "LIMITS_MISSING"
    RULES_MISSING = "RULES_MISSING"
    STATE_LEVEL = "STATE_LEVEL"
    STATE_STOPPED = "STATE_STOPPED"
    RECONCILE_NOT_GREEN = "RECONCILE_NOT_GREEN"
    SYMBOL_NOT_TRADING = "SYMBOL_NOT_TRADING"
    SYMBOL_UNRESOLVED = "SYMBOL_UNRESOLVED"
    FILTER_PRICE = "FILTER_PRICE"
    FILTER_LOT_SIZE = "FILTER_LOT_SIZE"
    FILTER_MARKET_LOT_SIZE = "FILTER_MARKET_LOT_SIZE"
    FILTER_NOTIONAL = "FILTER_NOTIONAL"
    FILTER_PERCENT_PRICE = "FILTER_PERCENT_PRICE"
    FILTER_MAX_ORDERS = "FILTER_MAX_ORDERS"
    FILTER_MAX_ALGO_ORDERS = "FILTER_MAX_ALGO_ORDERS"
    FILTER_TRAILING_DELTA = "FILTER_TRAILING_DELTA"
    TRIGGER_SIDE = "TRIGGER_SIDE"
    ORDER_NOTIONAL = "ORDER_NOTIONAL"
    ORDER_COUNT = "ORDER_COUNT"
    POSITION_NOTIONAL = "POSITION_NOTIONAL"
    POSITION_COUNT = "POSITION_COUNT"
    POSITION_SHORT = "POSITION_SHORT"
    REDUCE_ONLY_INCREASES = "REDUCE_ONLY_INCREASES"
    LOSS_DAILY = "LOSS_DAILY"
    LOSS_DRAWDOWN = "LOSS_DRAWDOWN"
    STOP_NOT_PLACEABLE = "STOP_NOT_PLACEABLE"
    DATA_STALE = "DATA_STALE"
    PRICE_COLLAR = "PRICE_COLLAR"
    DUPLICATE_INTENT = "DUPLICATE_INTENT"
    DUPLICATE_ORDER = "DUPLICATE_ORDER"
    BALANCE_QUOTE = "BALANCE_QUOTE"
    BALANCE_BASE = "BALANCE_BASE"


_C = DenialCode

# code -> (what is wrong, what to do)
EXPLANATIONS: dict[DenialCode, tuple[str, str]] = {
    _C.SCHEMA_NOT_FINITE: (
        "A number is NaN, infinite, negative zero or has an absurd exponent",
        "Send plain decimal numbers",
    ),
    _C.SCHEMA_INVALID: (
        "Side, type, time in force, prices and quantity do not make one order",
        "A LIMIT needs a price, a MARKET none, quantities and prices are above 0",
    ),
    _C.LIMITS_MISSING: (
        "There is no row of risk limits",
        "Save the limits in the admin; without them nothing may trade",
    ),
    _C.RULES_MISSING: (
        "The exchange's rules of the symbol are not known",
        "Subscribe to the symbol or synchronise the instruments",
    ),
    _C.STATE_LEVEL: (
        "The kill switch is at a level that forbids this order",
        "Find the cause, then re-arm with a reason",
    ),
    _C.STATE_STOPPED: ("Trading is stopped", "POST /system/start, or the admin's first page"),
    _C.RECONCILE_NOT_GREEN: (
        "Our books were not compared with the exchange's since the start, or a difference is open",
        "`manage.py reconcile` shows it; settle it in the admin",
    ),
    _C.SYMBOL_NOT_TRADING: ("The exchange has halted the symbol", "Wait, or drop the symbol"),
    _C.SYMBOL_UNRESOLVED: (
        "An earlier order of the symbol may or may not be at the exchange",
        "Wait until it is resolved; a quarantined one needs a person",
    ),
    _C.FILTER_PRICE: (
        "A price is off the tick or outside the exchange's bounds",
        "Round the price to the tick size",
    ),
    _C.FILTER_LOT_SIZE: (
        "The quantity is off the step or outside the exchange's bounds",
        "Round the quantity down to the step size",
    ),
    _C.FILTER_MARKET_LOT_SIZE: (
        "The quantity is above what a market order may have",
        "Send less, or a limit order",
    ),
    _C.FILTER_NOTIONAL: (
        "Price times quantity is below or above what the exchange takes",
        "Change the quantity",
    ),
    _C.FILTER_PERCENT_PRICE: (
        "The price is too far from the exchange's average price",
        "Move the price towards the market",
    ),
    _C.FILTER_MAX_ORDERS: (
        "The symbol has as many open orders as the exchange allows",
        "Cancel some",
    ),
    _C.FILTER_MAX_ALGO_ORDERS: (
        "The symbol has as many open stop orders as the exchange allows",
        "Cancel some",
    ),
    _C.FILTER_TRAILING_DELTA: (
        "The trailing stop follows closer or further than the exchange takes",
        "Choose a `trailing_delta_bps` within the limits shown; 100 is 1 %",
    ),
    _C.TRIGGER_SIDE: (
        "A stop or target is on the wrong side of the present price: it would trigger at once",
        "A sale's stop goes below the price and its target above; a buy's the other way round",
    ),
    _C.ORDER_NOTIONAL: ("The order alone is above `max_order_notional`", "Send less"),
    _C.ORDER_COUNT: ("There are `max_open_orders` open orders already", "Cancel some"),
    _C.POSITION_NOTIONAL: (
        "Position, live orders (unknown ones too) and this one exceed `max_position_size`",
        "Send less, or raise the limit",
    ),
    _C.POSITION_COUNT: (
        "There are `max_positions` positions already, counting those that orders may open",
        "Close one, or raise the limit",
    ),
    _C.POSITION_SHORT: (
        "The sale is larger than what is held; short positions are forbidden",
        "Sell at most the position",
    ),
    _C.REDUCE_ONLY_INCREASES: (
        "A reduce-only order would not reduce the position, open reductions counted",
        "Send at most what is left of the position",
    ),
    _C.LOSS_DAILY: (
        "Today's loss at market (UTC day) is at `max_daily_loss`, or equity is not known",
        "Entries wait for the next day; see the equity chart",
    ),
    _C.LOSS_DRAWDOWN: (
        "Equity is `max_drawdown` or more below its high-water mark",
        "Find the cause, then re-arm; `--reset-drawdown` starts a new high-water mark",
    ),
    _C.STOP_NOT_PLACEABLE: (
        "The stop-loss or take-profit that must follow could not be placed",
        "Enter with more, or widen the stop",
    ),
    _C.DATA_STALE: (
        "The newest market data is older than `max_data_age_bars` candles, or from the future",
        "See the market stream's health",
    ),
    _C.PRICE_COLLAR: (
        "The price is further from the reference than `price_collar_fraction`",
        "Check the price; widen the collar only on purpose",
    ),
    _C.DUPLICATE_INTENT: ("This leg of this decision has an order already", "Nothing to do"),
    _C.DUPLICATE_ORDER: (
        "The same order was placed within `duplicate_window_s` seconds",
        "Wait if it is meant",
    ),
    _C.BALANCE_QUOTE: (
        "Free quote does not cover notional, the worst fee and `fee_reserve`",
        "Send less, or deposit",
    ),
    _C.BALANCE_BASE: ("There is less of the base asset than the order sells", "Reconcile"),
}


def render_table() -> str:
    """Return the Markdown page of all codes."""
    lines = [
        "# Denial codes",
        "",
        "Written from `risk/domain/denials.py`; a test keeps it fresh. Every order passes all",
        "checks; every result is stored in `risk_verdicts`, and the first failed one is the",
        "order's `reason`.",
        "",
        "| code | what is wrong | what to do |",
        "|---|---|---|",
    ]
    lines += [f"| `{code}` | {wrong} | {fix} |" for code, (wrong, fix) in EXPLANATIONS.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render_table())

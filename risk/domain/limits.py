"""The risk limits, their bounds and what is wrong with a proposed set of them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, NamedTuple

from core.errors import InvalidInput


class LimitsInvalid(InvalidInput):
    """A limit is outside its bounds; ``context["problems"]`` lists field, value and fix."""

    code = "LIMITS_INVALID"


class Problem(NamedTuple):
    """One thing wrong with one field."""

    field: str
    value: str
    fix: str


class Bound(NamedTuple):
    """Where a limit may lie; the upper end is a hard ceiling that no setting can exceed."""

    low: Decimal
    high: Decimal
    is_low_allowed: bool
    unit: str


def _bound(low: str, high: str, unit: str, *, is_low_allowed: bool = True) -> Bound:
    return Bound(Decimal(low), Decimal(high), is_low_allowed, unit)


BOUNDS: dict[str, Bound] = {
    "max_position_size": _bound("0", "1000000", "quote units", is_low_allowed=False),
    "max_positions": _bound("1", "100", "positions"),
    "max_daily_loss": _bound("0", "100000", "quote units", is_low_allowed=False),
    "max_drawdown_fraction": _bound("0", "0.5", "a fraction (0.1 = 10 %)", is_low_allowed=False),
    "stop_loss_fraction": _bound("0", "0.5", "a fraction (0.02 = 2 %)", is_low_allowed=False),
    "take_profit_fraction": _bound("0", "1", "a fraction (0.05 = 5 %)", is_low_allowed=False),
    "max_order_notional": _bound("0", "1000000", "quote units", is_low_allowed=False),
    "price_collar_fraction": _bound("0", "0.2", "a fraction (0.02 = 2 %)", is_low_allowed=False),
    "max_data_age_bars": _bound("1", "10", "candles"),
    "max_open_orders": _bound("1", "200", "orders"),
    "fee_fraction": _bound("0", "0.02", "a fraction (0.001 = 0.1 %)"),
    "fee_reserve": _bound("0", "100000", "quote units"),
    "duplicate_window_s": _bound("0", "3600", "seconds"),
    "flatten_slice_notional": _bound("0", "1000000", "quote units", is_low_allowed=False),
    "flatten_slippage_fraction": _bound(
        "0", "0.2", "a fraction (0.01 = 1 %)", is_low_allowed=False
    ),
}
_WHOLE = {"max_positions", "max_data_age_bars", "max_open_orders", "duplicate_window_s"}
_OPTIONAL = {"max_order_notional"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskLimits:
    """What the system may do. Money in quote units, fractions of 1, exact decimals.

    Attributes:
        max_position_size: Highest notional per symbol: position, resting, in-flight and unknown.
        max_positions: Most symbols with exposure at a time.
        max_daily_loss: Loss of the UTC day, at market, at which entries stop.
        max_drawdown_fraction: Distance from the high-water mark at which entries stop.
        stop_loss_fraction: Distance of the stop below the entry price.
        take_profit_fraction: Distance of the take-profit above the entry price.
        max_order_notional: Highest notional of one order; None: `max_position_size` is enough.
        price_collar_fraction: Furthest a price may lie from the reference.
        max_data_age_bars: Oldest market data to enter on, in candles of the strategy.
        max_open_orders: Most open orders over all symbols.
        fee_fraction: Worst fee of one execution.
        fee_reserve: Quote that no order may use.
        duplicate_window_s: The same order again within these seconds is a mistake.
        flatten_slice_notional: Most that FLATTEN sells of a symbol in one order.
        flatten_slippage_fraction: How far below the present price FLATTEN sells at first; slices
            that find no buyer double it.

    Raises:
        LimitsInvalid: A value is outside its bounds.
    """

    max_position_size: Decimal = Decimal(10000)
    max_positions: int = 10
    max_daily_loss: Decimal = Decimal(1000)
    max_drawdown_fraction: Decimal = Decimal("0.1")
    stop_loss_fraction: Decimal = Decimal("0.02")
    take_profit_fraction: Decimal = Decimal("0.05")
    max_order_notional: Decimal | None = None
    price_collar_fraction: Decimal = Decimal("0.02")
    max_data_age_bars: int = 2
    max_open_orders: int = 50
    fee_fraction: Decimal = Decimal("0.001")
    fee_reserve: Decimal = Decimal(10)
    duplicate_window_s: int = 5
    flatten_slice_notional: Decimal = Decimal(10000)
    flatten_slippage_fraction: Decimal = Decimal("0.01")

    def __post_init__(self) -> None:
        check_limits({field.name: getattr(self, field.name) for field in fields(self)})


def check_limits(values: Mapping[str, Any]) -> None:
    """Raise LimitsInvalid with everything that is wrong with `values`."""
    problems = find_problems(values)
    if problems:
        first = problems[0]
        raise LimitsInvalid(
            f"{first.field} was {first.value}: {first.fix}",
            problems=[problem._asdict() for problem in problems],
        )


def find_problems(values: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with a whole set of limits; the empty list: nothing.

    Args:
        values: Every limit by its name, whole numbers as int, others as Decimal.
    """
    problems = [
        problem for name in BOUNDS if (problem := _check_field(name, values.get(name))) is not None
    ]
    if not problems:
        problems = _check_together(values)
    return problems


def _check_field(name: str, value: Any) -> Problem | None:
    bound = BOUNDS[name]
    if value is None:
        if name in _OPTIONAL:
            return None
        return Problem(name, "missing", f"set it, in {bound.unit}")
    wanted: type = int if name in _WHOLE else Decimal
    if isinstance(value, bool) or not isinstance(value, wanted):
        kind = "a whole number" if name in _WHOLE else "a decimal number"
        return Problem(name, repr(value), f"must be {kind}, in {bound.unit}")
    number = Decimal(str(value))
    if not number.is_finite():
        return Problem(name, str(value), f"must be a finite number, in {bound.unit}")
    is_above_low = number >= bound.low if bound.is_low_allowed else number > bound.low
    if not is_above_low or number > bound.high:
        start = "from" if bound.is_low_allowed else "above"
        fix = f"must be {start} {bound.low} to {bound.high}, in {bound.unit}"
        return Problem(name, str(value), fix)
    return None


def _check_together(values: Mapping[str, Any]) -> list[Problem]:
    problems = []
    round_trip = 2 * values["fee_fraction"]
    if values["take_profit_fraction"] <= round_trip:
        problems.append(
            Problem(
                "take_profit_fraction",
                str(values["take_profit_fraction"]),
                f"must be above {round_trip}, the fees of entry and exit",
            )
        )
    cap = values["max_order_notional"]
    if cap is not None and cap > values["max_position_size"]:
        problems.append(
            Problem(
                "max_order_notional",
                str(cap),
                f"must not be above max_position_size, {values['max_position_size']}",
            )
        )
    return problems

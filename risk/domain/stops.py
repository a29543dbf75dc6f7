"""Where the protective orders of a long position go, and whether they can be placed there."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from markets.domain.instrument import InstrumentRules
from risk.domain.limits import RiskLimits

# How far below its trigger a stop may sell: room for a fast market, still a bound on the loss.
STOP_LIMIT_GAP_FRACTION = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """Prices of the two protective orders, on the tick.

    Attributes:
        stop_price: Trigger of the stop-loss.
        stop_limit_price: Lowest price at which the triggered stop still sells.
        take_profit_price: Limit price of the take-profit.
    """

    stop_price: Decimal
    stop_limit_price: Decimal
    take_profit_price: Decimal


def protective_prices(
    *, entry_price: Decimal, limits: RiskLimits, rules: InstrumentRules
) -> Protection:
    """Return the protective prices of a long position entered at `entry_price`.

    Rounded towards safety: the trigger up (the loss is never larger than asked for), the stop's
    limit down (it sells rather than rests), the take-profit up (a sale rounds up).
    """
    stop = _to_tick(entry_price * (1 - limits.stop_loss_fraction), rules, ROUND_CEILING)
    return Protection(
        stop_price=stop,
        stop_limit_price=_to_tick(stop * (1 - STOP_LIMIT_GAP_FRACTION), rules, ROUND_FLOOR),
        take_profit_price=_to_tick(
            entry_price * (1 + limits.take_profit_fraction), rules, ROUND_CEILING
        ),
    )


def chosen_prices(
    *, stop_price: Decimal, take_profit_price: Decimal, rules: InstrumentRules
) -> Protection:
    """Return protective prices that a person chose; the stop sells with the usual room below."""
    return Protection(
        stop_price=stop_price,
        stop_limit_price=_to_tick(stop_price * (1 - STOP_LIMIT_GAP_FRACTION), rules, ROUND_FLOOR),
        take_profit_price=take_profit_price,
    )


def protected_quantity(
    *, quantity: Decimal, fee_fraction: Decimal, rules: InstrumentRules
) -> Decimal:
    """Return what is left to sell of a buy when the fee was taken from the base asset."""
    return rules.quantize_quantity(quantity * (1 - fee_fraction))


def why_not_placeable(
    *,
    quantity: Decimal,
    reference: Decimal,
    protection: Protection,
    fee_fraction: Decimal,
    rules: InstrumentRules,
) -> str | None:
    """Return why the exchange would refuse the protective orders; None: it would take them.

    Args:
        quantity: Base units of the entry, before fees.
        reference: Present price; the stop must lie below it and the take-profit above.
        protection: The prices to place them at.
        fee_fraction: Worst fee of the entry, taken from the base asset.
        rules: The exchange's filters of the symbol.
    """
    stop, limit, target = (
        protection.stop_price,
        protection.stop_limit_price,
        protection.take_profit_price,
    )
    if not limit < stop < reference < target:
        return f"prices are not in order: {limit} < {stop} < {reference} < {target}"
    if rules.min_price and limit < rules.min_price:
        return f"stop limit {limit} is below the lowest price {rules.min_price}"
    if rules.max_price and target > rules.max_price:
        return f"take-profit {target} is above the highest price {rules.max_price}"
    if rules.ask_multiplier_down and limit < reference * rules.ask_multiplier_down:
        return f"stop limit {limit} is too far below the average price"
    if rules.ask_multiplier_up and target > reference * rules.ask_multiplier_up:
        return f"take-profit {target} is too far above the average price"
    left = protected_quantity(quantity=quantity, fee_fraction=fee_fraction, rules=rules)
    if left <= 0 or (rules.min_quantity and left < rules.min_quantity):
        return f"after fees {left} is below the smallest quantity {rules.min_quantity}"
    if rules.min_notional and left * limit < rules.min_notional:
        return f"after fees {left * limit} is below the smallest notional {rules.min_notional}"
    return None


def _to_tick(price: Decimal, rules: InstrumentRules, rounding: str) -> Decimal:
    if not rules.tick_size:
        return price
    ticks = (price / rules.tick_size).to_integral_value(rounding=rounding)
    return (ticks * rules.tick_size).normalize() if ticks else ticks

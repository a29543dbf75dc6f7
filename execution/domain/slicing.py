"""Selling a lot without chasing the book down: slices, each with a worst price."""

from dataclasses import dataclass
from decimal import Decimal

from execution.domain.order import Side
from markets.domain.instrument import InstrumentRules

# Tries at a worst price; what nobody wanted by then is sold at whatever the market gives.
_MOST_EMPTY = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One immediate-or-cancel sale: base units, and the least quote per base that it takes."""

    quantity: Decimal
    price: Decimal


def cap_after(slippage_fraction: Decimal, *, empty_slices: int) -> Decimal | None:
    """Return how far below the price the next slice may sell; None: no cap, at the market.

    The price that a slice is measured from may be older than the fall. The first empty slice may
    be that; each one after it doubles the cap, for to be out counts for more than the price.

    Args:
        slippage_fraction: Of the first slices.
        empty_slices: How many slices in a row have found no buyer.
    """
    if empty_slices >= _MOST_EMPTY:
        return None
    return min(slippage_fraction * Decimal(2) ** max(0, empty_slices - 1), Decimal("0.5"))


def plan_slice(
    *,
    held: Decimal,
    mark_price: Decimal,
    most_notional: Decimal,
    slippage_fraction: Decimal,
    rules: InstrumentRules,
) -> Slice | None:
    """Return the next sale of what is held; None when the exchange would take none of so little.

    Args:
        held: Base units left to sell.
        mark_price: Present price; each slice is measured from the price of its own moment.
        most_notional: Most quote units of one slice; the last one takes a rest along that would
            be too small to sell alone.
        slippage_fraction: 0.01 sells at 1 % below the present price at worst.
        rules: The symbol's grids and least sizes.
    """
    whole = rules.quantize_quantity(held)
    # Rounded up, as every sale is: never below the cap.
    price = rules.quantize_price(mark_price * (1 - slippage_fraction), Side.SELL)
    if not whole or whole < rules.min_quantity or whole * price < rules.min_notional:
        return None
    part = rules.quantize_quantity(most_notional / mark_price)
    if rules.max_quantity:
        part = min(part, rules.max_quantity)
    least = max(rules.min_quantity, rules.min_notional / price)
    part = max(part, rules.quantize_quantity(least) + rules.step_size)
    rest = whole - part
    if rest < rules.min_quantity or rest * price < rules.min_notional:
        part = whole
    return Slice(quantity=min(part, whole), price=price)


def part_of(*, held: Decimal, fraction: Decimal, price: Decimal, rules: InstrumentRules) -> Decimal:
    """Return what to sell of a position: the share, or all where the rest could not be sold alone.

    Args:
        held: Base units.
        fraction: 0.5 sells half; 1 sells all.
        price: Present price, for what the exchange takes at least.
        rules: The symbol's grids and least sizes.
    """
    whole = rules.quantize_quantity(held) or held
    if fraction >= 1:
        return whole
    part = rules.quantize_quantity(held * fraction)
    for piece in (part, whole - part):
        if piece <= 0 or piece < rules.min_quantity or piece * price < rules.min_notional:
            return whole
    return part

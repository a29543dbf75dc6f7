"""Entering and leaving a position in parts."""

from decimal import ROUND_DOWN, Decimal

_BPS = 10_000.0
_CENT = Decimal("0.01")
_SHARE = Decimal("1e-18")


def part_of_size(whole: Decimal, parts: int) -> Decimal:
    """Return one entry's part of the full size, quote units on the cent, rounded down."""
    return whole if parts <= 1 else (whole / parts).quantize(_CENT, rounding=ROUND_DOWN)


def share_to_sell(
    *, price: float | None, average: float | None, exits: int, parts: int, step_bps: float
) -> Decimal | None:
    """Return the share of what is held that is sold now; None: nothing.

    Part k is sold at a gain of k steps, the last one by the strategy's other exits. Each is the
    same quantity, so a growing share of what is left.

    Args:
        price: Last close.
        average: Mean price of the entries.
        exits: Parts sold so far.
        parts: How many there are in all.
        step_bps: Gain per part, hundredths of 1 %.
    """
    left = parts - exits
    if left <= 1 or not price or not average:
        return None
    gain_bps = (price / average - 1.0) * _BPS
    if gain_bps < step_bps * (exits + 1):
        return None
    return (1 / Decimal(left)).quantize(_SHARE)


def has_moved(*, price: float | None, last: float | None, step_bps: float) -> bool:
    """Tell whether the price is a step away from the last entry: above it, below for a step < 0."""
    if not price or not last:
        return False
    moved_bps = (price / last - 1.0) * _BPS
    return moved_bps >= step_bps if step_bps >= 0 else moved_bps <= step_bps

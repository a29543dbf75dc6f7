"""What a live buy holds back of the quote asset: a hair too much at times, never too little."""

from decimal import ROUND_CEILING, Context, Decimal, localcontext

_ATOM = Decimal("1e-18")  # the precision that the database keeps
# Products of two 38-digit numbers stay exact, and what is cut off is rounded up.
_UP = Context(prec=80, rounding=ROUND_CEILING)


def reserve(*, notional: Decimal, fee_fraction: Decimal) -> Decimal:
    """Return what an approved buy holds back: the most that it may cost and its worst fee.

    Args:
        notional: Most that the order may cost, quote.
        fee_fraction: Worst fee of one execution, a fraction of the notional.
    """
    with localcontext(_UP):
        return (notional * (1 + fee_fraction)).quantize(_ATOM)


def reserved_after_fill(*, reserved: Decimal, left: Decimal, filled: Decimal) -> Decimal:
    """Return what stays held back once `filled` of the `left` base units are bought.

    Args:
        reserved: Held back before the fill, quote.
        left: Unfilled before the fill, base units; nothing left keeps the reservation as it is.
        filled: Base units of the fill.
    """
    if left <= 0:
        return reserved
    with localcontext(_UP):
        return (reserved * max(left - filled, Decimal(0)) / left).quantize(_ATOM)

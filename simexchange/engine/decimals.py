"""Exact numbers: parsing happens in the faces, here they are kept on the grid and printed."""

from decimal import ROUND_DOWN, Decimal

ZERO = Decimal(0)
ATOM = Decimal("0.00000001")
"""The smallest unit the exchange books, eight decimals for every asset."""


def show(number: Decimal) -> str:
    """Return the number the way the exchange prints every price and quantity."""
    return f"{number:.8f}"


def floor_to(number: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of `step` not above `number`; step zero means eight decimals."""
    unit = step or ATOM
    return (number // unit) * unit


def cut_atoms(number: Decimal) -> Decimal:
    """Return the number without what lies beyond the eighth decimal."""
    return number.quantize(ATOM, rounding=ROUND_DOWN)

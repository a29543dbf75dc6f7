"""Exact numbers: parsing happens in the faces, here they are kept on the grid and printed."""

from decimal import ROUND_DOWN, Decimal, InvalidOperation
from typing import Any

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


def read_decimal(name: str, held: Any) -> Decimal:
    """Return a number that a control call sent as text or as a JSON number.

    Raises:
        ValueError: when it is not one, or not finite.
    """
    try:
        number = Decimal(str(held))
    except InvalidOperation as error:
        raise ValueError(f"{name} must be a number, was {held!r}") from error
    if isinstance(held, bool) or not number.is_finite():
        raise ValueError(f"{name} must be a number, was {held!r}")
    return number

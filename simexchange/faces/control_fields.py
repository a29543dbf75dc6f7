"""Fields of control calls, read strictly; a complaint names field, value and what is taken."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from simexchange.engine.decimals import read_decimal

LONGEST_MS = 366 * 86_400_000
"""The clock moves, and paths reach, at most so far at once."""
MOST_HELD = Decimal(10) ** 12
"""Balances stay below it: products with prices are exact within 28 digits then."""
LONGEST_TEXT = 8_192
WHOLE = re.compile(r"-?[0-9]{1,19}")


def object_of(data: Any) -> Mapping[str, Any]:
    """Return the call's fields.

    Raises:
        ValueError: when it is no JSON object.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"a control call takes a JSON object, was {shown(data)}")
    return data


def shown(held: Any) -> str:
    """Return a value for a complaint, cut where it is long."""
    text = repr(held)
    return text if len(text) <= 80 else f"{text[:77]}..."


def whole(data: Mapping[str, Any], name: str, *, least: int, most: int) -> int:
    """Return a whole number, sent as a number or its text."""
    held = data[name]
    is_number = isinstance(held, int) and not isinstance(held, bool)
    is_text = isinstance(held, str) and WHOLE.fullmatch(held)
    if not (is_number or is_text) or not least <= int(held) <= most:
        raise ValueError(f"{name} takes a whole number from {least} to {most}, was {shown(held)}")
    return int(held)


def quantity(name: str, held: Any) -> Decimal:
    """Return a quantity of an asset, perhaps negative, with at most eight decimals."""
    number = read_decimal(name, held)
    exponent = number.as_tuple().exponent
    if abs(number) >= MOST_HELD or (isinstance(exponent, int) and exponent < -8):
        raise ValueError(
            f"{name} takes a number below {MOST_HELD} with at most 8 decimals, was {shown(held)}"
        )
    return number


def text(data: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """Return a text; without a default it must be there and not be empty."""
    held = data[name] if default is None else data.get(name, default)
    if not isinstance(held, str) or len(held) > LONGEST_TEXT or (default is None and not held):
        raise ValueError(f"{name} takes a text, was {shown(held)}")
    return held


def flag(data: Mapping[str, Any], name: str, *, default: bool) -> bool:
    """Return a switch."""
    held = data.get(name, default)
    if not isinstance(held, bool):
        raise ValueError(f"{name} is true or false, was {shown(held)}")
    return held

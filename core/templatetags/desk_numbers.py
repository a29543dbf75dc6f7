"""How numbers are written on the pages of the admin."""

from decimal import Decimal, InvalidOperation
from typing import Any

from django import template

from core.rest.encoding import plain

register = template.Library()
NOTHING = "-"


@register.filter
def amount(value: Any, places: int = 2) -> str:
    """Return a number with thousands' commas and so many decimals."""
    return f"{value:,.{places}f}" if isinstance(value, Decimal | int | float) else NOTHING


@register.filter
def percent(value: Any) -> str:
    """Return a fraction of 1 in percent."""
    return f"{100 * value:.2f} %" if isinstance(value, Decimal | int | float) else NOTHING


@register.filter
def tidy(text: Any) -> str:
    """Return a number that came as text without trailing zeros; other text as it is."""
    try:
        number = Decimal(str(text))
    except InvalidOperation:
        return str(text)
    return plain(number) if number.is_finite() else str(text)

"""Engine rows as JSON-able records and back, for the journal."""

from dataclasses import fields
from decimal import Decimal
from typing import Any, TypeVar

from simexchange.engine.orders import Amendment, Fill, Order, OrderList, PreventedMatch

Row = TypeVar("Row", Order, OrderList, Fill, PreventedMatch, Amendment)

_KINDS = (Order, OrderList, Fill, PreventedMatch, Amendment)
_APART = "fills"
"""An order's fills have records of their own."""
_NAMES: dict[type, tuple[str, ...]] = {
    kind: tuple(one.name for one in fields(kind) if one.name != _APART) for kind in _KINDS
}
_DECIMALS: dict[type, frozenset[str]] = {
    kind: frozenset(one.name for one in fields(kind) if one.type is Decimal) for kind in _KINDS
}


def to_record(row: Order | OrderList | Fill | PreventedMatch | Amendment) -> dict[str, Any]:
    """Return the row as JSON-able values, decimals as text; an order's fills are kept apart."""
    kind = type(row)
    decimals = _DECIMALS[kind]
    return {
        name: str(getattr(row, name)) if name in decimals else getattr(row, name)
        for name in _NAMES[kind]
    }


def from_record(kind: type[Row], record: dict[str, Any]) -> Row:
    """Rebuild a row that `to_record` wrote."""
    decimals = _DECIMALS[kind]
    values: dict[str, Any] = {
        name: Decimal(held) if name in decimals else held for name, held in record.items()
    }
    return kind(**values)


def copy_state(source: Order, target: Order) -> None:
    """Make `target` what `source` is, its fills left as they are."""
    for name in _NAMES[Order]:
        setattr(target, name, getattr(source, name))

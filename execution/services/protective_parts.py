"""Protection of positions that grow: each added part has a stop of its own."""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal

from execution.domain.order import FINAL_STATES, OrderType, Side
from execution.models import Order, Position
from markets.domain.instrument import InstrumentRules

_FINAL = [state.value for state in FINAL_STATES]
_WITH_STOP = [kind.value for kind in OrderType if kind.form.algo_orders]


def parts_of(
    positions: Mapping[int, Position],
    quantities: Mapping[int, Decimal],
    *,
    rules: Mapping[int, InstrumentRules],
) -> dict[int, Position]:
    """Return the positions of which only a part is to be protected, by key."""
    return {
        key: row
        for key, row in positions.items()
        if quantities[key] < rules[row.instrument_id].quantize_quantity(row.quantity)
    }


def newest_purchases(position_ids: Iterable[int]) -> dict[int, Order]:
    """Return each position's latest order that bought something, by position."""
    rows = Order.objects.filter(
        position_id__in=list(position_ids), side=Side.BUY.value, filled_quantity__gt=0
    ).order_by("pk")
    return {row.position_id: row for row in rows if row.position_id is not None}


def list_full_symbols(
    *, account_id: int, instrument_ids: Iterable[int], rules: Mapping[int, InstrumentRules]
) -> set[int]:
    """Return the instruments in which the exchange would take no further stop of the account."""
    wanted = set(instrument_ids)
    if not wanted:
        return set()
    rows = Order.objects.filter(
        account_id=account_id, instrument_id__in=wanted, type__in=_WITH_STOP, parent__isnull=True
    ).exclude(state__in=_FINAL)
    counts = Counter(rows.values_list("instrument_id", flat=True))
    return {
        key
        for key in wanted
        if (most := rules[key].max_algo_orders) is not None and counts[key] >= most
    }

"""The next slice that FLATTEN sells of each position."""

from collections import Counter
from collections.abc import Mapping, Sequence

from execution.domain.order import Leg, OrderState
from execution.domain.slicing import Slice, cap_after, plan_slice
from execution.models import Order, Position
from markets.domain.instrument import InstrumentRules
from markets.selectors import list_marks
from risk.selectors import get_limits

# They never stood in the book, so they say nothing about buyers.
_NEVER_OFFERED = [
    state.value for state in (OrderState.DENIED, OrderState.LAPSED, OrderState.NOT_ACCEPTED)
]


def next_slices(
    positions: Sequence[Position], rules: Mapping[int, InstrumentRules]
) -> dict[int, Slice]:
    """Return the next slice of each position.

    One without a price, too small for a slice or without buyers for long is left out: it is sold
    whole at the market.
    """
    limits = get_limits()
    if limits is None:
        return {}
    marks = list_marks({row.instrument_id for row in positions})
    empty = _count_empty(positions)
    found = {}
    for row in positions:
        mark = marks.get(row.instrument_id)
        cap = cap_after(limits.flatten_slippage_fraction, empty_slices=empty[row.pk])
        if mark is None or cap is None:
            continue
        piece = plan_slice(
            held=row.quantity,
            mark_price=mark.price,
            most_notional=limits.flatten_slice_notional,
            slippage_fraction=cap,
            rules=rules[row.instrument_id],
        )
        if piece is not None:
            found[row.pk] = piece
    return found


def _count_empty(positions: Sequence[Position]) -> Counter[int]:
    """Return how many of each position's newest exits, one after the other, sold nothing."""
    rows = (
        Order.objects.filter(position__in=[row.pk for row in positions], leg=Leg.EXIT.value)
        .exclude(state__in=_NEVER_OFFERED)
        .order_by("-attempt", "-pk")
        .values_list("position_id", "state", "filled_quantity")
    )
    counts: Counter[int] = Counter()
    ended = set()
    for position_id, state, filled in rows:
        if position_id is None or position_id in ended:
            continue
        if filled or state not in (OrderState.EXPIRED.value, OrderState.REJECTED.value):
            ended.add(position_id)
        else:
            counts[position_id] += 1
    return counts

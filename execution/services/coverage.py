"""How long positions have been without a stop at the exchange."""

from datetime import datetime, timedelta

from django.db.models import Q

from core.clock import Clock
from execution.domain.order import RESTING_STATES, Leg, OrderState, OrderType
from execution.models import Order, Position
from execution.services.books import attached_orders

_COVERING = {state.value for state in RESTING_STATES}
_STOPS_ALONE = [kind.value for kind in OrderType if kind.form.is_stop and not kind.is_list]
_ENDED = {state.value for state in OrderState if state.is_final}


def measure_unprotected(*, account_id: int, clock: Clock) -> dict[int, float]:
    """Return the wall seconds that open positions have been bare, by position; covered ones not.

    A position is covered while its stop rests at the exchange or its exit is on its way. It is
    bare from its first fill, or from the end of its last stop, on.
    """
    now = clock.now()
    opened = Position.objects.filter(account_id=account_id, status=Position.Status.OPEN)
    bare: dict[int, datetime] = dict(opened.values_list("pk", "opened_at"))
    if not bare:
        return {}
    stops = Q(leg=Leg.STOP_LOSS.value) | Q(leg=Leg.PROTECT.value, type__in=_STOPS_ALONE)
    stops |= attached_orders() & Q(stop_price__isnull=False)
    rows = Order.objects.filter(stops | Q(leg=Leg.EXIT.value), position__in=list(bare)).values_list(
        "position_id", "leg", "state", "updated_at"
    )
    covered: set[int] = set()
    for position_id, leg, state, updated_at in rows:
        is_exit = leg == Leg.EXIT.value
        if (is_exit and state not in _ENDED) or state in _COVERING:
            covered.add(position_id)
        elif not is_exit and state in _ENDED:
            bare[position_id] = max(bare[position_id], updated_at)
    second = clock.protocol(timedelta(seconds=1))
    return {
        key: round(max(0.0, (now - since) / second), 3)
        for key, since in bare.items()
        if key not in covered
    }

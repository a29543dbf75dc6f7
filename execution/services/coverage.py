"""How long positions have been without a stop at the exchange, whole or in part."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Q

from core.clock import Clock
from execution.domain.order import RESTING_STATES, Leg, OrderState, OrderType
from execution.models import Order, Position
from execution.services.books import attached_orders
from execution.services.protective_rows import plan_for
from markets.selectors import list_rules
from risk.selectors import get_limits

_COVERING = {state.value for state in RESTING_STATES}
_STOPS_ALONE = [kind.value for kind in OrderType if kind.form.is_stop and not kind.is_list]
_ENDED = {state.value for state in OrderState if state.is_final}


def measure_unprotected(*, account_id: int, clock: Clock) -> dict[int, float]:
    """Return the wall seconds that open positions have been bare, by position; covered ones not.

    A position is covered while stops rest at the exchange for all of it, or its exit is on its
    way. It is bare from its first fill, from the end of its last stop, or from the fill that added
    what no stop covers; what is too small for a stop of its own does not count beside others.
    """
    now = clock.now()
    opened = {
        row.pk: row
        for row in Position.objects.filter(account_id=account_id, status=Position.Status.OPEN)
    }
    if not opened:
        return {}
    stops = Q(leg=Leg.STOP_LOSS.value) | Q(leg=Leg.PROTECT.value, type__in=_STOPS_ALONE)
    stops |= attached_orders() & Q(stop_price__isnull=False)
    rows = Order.objects.filter(stops | Q(leg=Leg.EXIT.value), position__in=opened).values_list(
        "position_id", "leg", "state", "updated_at", "quantity", "filled_quantity"
    )
    leaving: set[int] = set()
    covered: dict[int, Decimal] = {}
    ended_at: dict[int, datetime] = {}
    for position_id, leg, state, updated_at, quantity, filled in rows:
        is_exit = leg == Leg.EXIT.value
        if is_exit and state not in _ENDED:
            leaving.add(position_id)
        elif not is_exit and state in _COVERING:
            covered[position_id] = covered.get(position_id, Decimal(0)) + quantity - filled
        elif not is_exit and state in _ENDED:
            ended_at[position_id] = max(ended_at.get(position_id, updated_at), updated_at)
    second = clock.protocol(timedelta(seconds=1))
    bare: dict[int, float] = {}
    for key, position in opened.items():
        if key in leaving or _is_covered(position, covered.get(key)):
            continue
        since = position.updated_at if key in covered else position.opened_at
        since = max(since, ended_at.get(key, since))
        bare[key] = round(max(0.0, (now - since) / second), 3)
    return bare


def _is_covered(position: Position, covered: Decimal | None) -> bool:
    if covered is None:
        return False
    rules = list_rules([position.instrument_id])[position.instrument_id]
    left = rules.quantize_quantity(max(Decimal(0), position.quantity - covered))
    if not left:
        return True
    limits = get_limits()
    if limits is None:
        return False
    return plan_for(position, limits=limits, rules=rules, quantity=left) is None

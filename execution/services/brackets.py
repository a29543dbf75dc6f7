"""Entries whose protective pair waits at the exchange, in one list with them (an OTOCO).

The exchange places the pair once the entry is filled whole, whoever of us lives. A part that is
filled has no protection there: unless the rest follows at once the entry is cancelled, which ends
the waiting pair, and the part gets a pair of ours. The cancel comes first and is seen before: at no
moment can both pairs exist.
"""

from datetime import timedelta

from django.db.models import Min

from alerts.services.raising import raise_alert
from core.clock import Clock
from execution.domain.order import LIVE_STATES, RESTING_STATES, OrderState
from execution.models import Fill, Order
from execution.ports import Broker
from execution.services.cancels import cancel_orders, refresh_orders
from execution.services.protection import LONGEST_UNPROTECTED

# One crossing of the market fills an order in several trades.
PATIENCE = timedelta(seconds=1)
# Not at rest: waiting, or in doubt though the entry is not.
_WAITING = [state.value for state in LIVE_STATES - RESTING_STATES - {OrderState.APPROVED}]


def settle_brackets(*, account_id: int, broker: Broker, clock: Clock) -> int:
    """Follow the pairs that wait: end those of entries filled in part, ask after overdue ones.

    Returns:
        How many pairs needed something.
    """
    pairs = Order.objects.filter(
        account_id=account_id, working__isnull=False, state__in=_WAITING
    ).select_related("working")
    done = 0
    for pair in pairs.order_by("pk"):
        entry = pair.working
        if entry is None:  # the filter above lets none through
            continue
        state = OrderState(entry.state)
        if state is OrderState.PARTIALLY_FILLED and _is_overdue(entry, PATIENCE, clock):
            _end(entry, broker=broker, clock=clock)
        elif state.is_final or (state in RESTING_STATES and pair.state != OrderState.PENDING_NEW):
            _ask_after(pair, entry, broker=broker, clock=clock)
        else:
            continue
        done += 1
    return done


def _is_overdue(entry: Order, patience: timedelta, clock: Clock) -> bool:
    """Tell whether the entry's first fill, if it has one, is older than that."""
    first = Fill.objects.filter(order=entry).aggregate(first=Min("timestamp"))["first"]
    return first is not None and clock.now() - first > clock.protocol(patience)


def _end(entry: Order, *, broker: Broker, clock: Clock) -> None:
    """Cancel the rest of an entry; what it bought is protected in the booking of that cancel."""
    if entry.cancel_requested_at is not None:
        # The reply to that cancel was lost: it may have been done.
        refresh_orders(orders=[entry], broker=broker, clock=clock)
        entry.refresh_from_db()
    if not OrderState(entry.state).is_final:
        cancel_orders(orders=[entry], broker=broker, clock=clock)
        entry.refresh_from_db()
    if entry.state == OrderState.CANCELED.value:
        raise_alert(
            code="ENTRY_CUT_SHORT",
            severity="WARNING",
            message=f"Entry {entry.client_order_id} was filled in part: its rest is cancelled, so"
            " that the part can be protected",
            context={"order_id": entry.pk, "filled": f"{entry.filled_quantity:f}"},
            dedupe_key=f"ENTRY_CUT_SHORT:{entry.pk}",
            now=clock.now(),
        )


def _ask_after(pair: Order, entry: Order, *, broker: Broker, clock: Clock) -> None:
    """Ask what became of a pair, and end one that the exchange does not bring to life."""
    refresh_orders(orders=[pair], broker=broker, clock=clock)
    pair.refresh_from_db()
    if pair.state in _WAITING and _is_overdue(entry, LONGEST_UNPROTECTED, clock):
        cancel_orders(orders=[pair], broker=broker, clock=clock)

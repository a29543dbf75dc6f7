"""Orders that rest at the exchange and belong to nothing here, and what a person does with them."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Max, Q, QuerySet

from core.clock import Clock
from core.errors import Conflict, InvalidInput
from execution.domain.order import ATTACHED, RESTING_STATES, Leg, OrderState, Side
from execution.models import Difference, Fill, Order, Position, Strategy
from execution.ports import Broker
from execution.services.cancels import cancel_orders
from execution.services.order_rows import name_at_venue
from execution.services.proposals import scopes_of_strategy
from markets.selectors import list_rules
from risk.services.trading_state import lock_account

EXTERNAL_ORDER = "EXTERNAL_ORDER"
ORPHAN_STOP = "ORPHAN_STOP"
KINDS = frozenset({EXTERNAL_ORDER, ORPHAN_STOP})
_ADOPTED = "adopted"
# After a close the exchange and the guardian take the other leg away by themselves.
_GRACE = timedelta(seconds=10)
_RESTING = [state.value for state in RESTING_STATES]
_PROTECTIVE = [Leg.STOP_LOSS.value, Leg.TAKE_PROFIT.value]


def find_loose_orders(*, account_id: int, clock: Clock) -> list[dict[str, Any]]:
    """Return resting orders of others, and stops whose position is gone, as differences."""
    rows = Order.objects.filter(account_id=account_id, state__in=_RESTING)
    rows = rows.select_related("instrument", "position").order_by("pk")
    held = set(
        Position.objects.filter(account_id=account_id, status=Position.Status.OPEN).values_list(
            "instrument_id", flat=True
        )
    )
    found = [
        _difference(kind, order)
        for order in rows.filter(leg=Leg.EXTERNAL.value)
        if (kind := _kind_of_external(order, held)) is not None
    ]
    limit = clock.now() - clock.protocol(_GRACE)
    orphans = rows.filter(
        Q(position=None)
        | Q(position__status=Position.Status.CLOSED, position__closed_at__lt=limit),
        leg__in=_PROTECTIVE,
    )
    seen: set[int] = set()
    for order in orphans:
        whole = order.parent_id or order.pk
        if whole not in seen:  # both legs of a pair are one thing
            seen.add(whole)
            found.append(_difference(ORPHAN_STOP, order))
    return found


def _kind_of_external(order: Order, held: set[int]) -> str | None:
    is_stop = order.side == Side.SELL.value and order.stop_price is not None
    if is_stop and order.instrument_id not in held:
        return None if _ADOPTED in order.context else ORPHAN_STOP
    is_settled = _ADOPTED in order.context or order.is_attached
    return None if is_settled else EXTERNAL_ORDER


def _difference(kind: str, order: Order) -> dict[str, Any]:
    def text(number: Decimal | None) -> str | None:
        return None if number is None else format(number, "f")

    return {
        "kind": kind,
        "symbol": order.instrument.symbol,
        "order_id": order.pk,
        "name": name_at_venue(order),
        "side": order.side,
        "type": order.type,
        "price": text(order.price),
        "stop_price": text(order.stop_price),
        "left": text(order.quantity - order.filled_quantity),
    }


def adopt_order(row: Difference, *, actor: str, reason: str) -> None:
    """Take the order for known: it stays somebody else's, and its trades are booked as such."""
    for order in _live_family(row, states=[*_RESTING, OrderState.PENDING_NEW.value]):
        order.context = {**order.context, _ADOPTED: {"actor": actor, "reason": reason}}
        Order.objects.filter(pk=order.pk).update(context=order.context)


@transaction.atomic
def attach_order(row: Difference, *, target: str, actor: str, reason: str, clock: Clock) -> None:
    """Let the order belong to the open position of its symbol, or a purchase to a strategy.

    What it trades from now on moves that position. A sale must be a stop that covers the whole
    position: then it is its protection. What it had traded before stays somebody else's.

    Raises:
        InvalidInput: It fits to no position, covers too little, or the strategy is not clear.
        Conflict: It does not rest any more.
    """
    lock_account(row.account_id)
    orders = _live_family(row)
    position = Position.objects.filter(
        account=row.account_id,
        instrument=orders[0].instrument_id,
        status=Position.Status.OPEN,
    ).first()
    strategy = _strategy_for(orders[0], position=position, target=target)
    if orders[0].side == Side.SELL.value:
        _require_cover(orders, position)
    last = Fill.objects.filter(account=row.account_id).aggregate(last=Max("pk"))["last"] or 0
    note = {"actor": actor, "reason": reason, "after_fill": last}
    scopes = (
        position.scopes
        if position is not None
        else scopes_of_strategy(row.account, symbol=row.detail["symbol"], strategy=strategy)
    )
    for order in orders:
        order.context = {**order.context, ATTACHED: note}
        Order.objects.filter(pk=order.pk).update(
            position=position,
            strategy=strategy,
            scopes=scopes,
            context=order.context,
            is_reduce_only=order.side == Side.SELL.value,
            updated_at=clock.now(),
        )


def cancel_order(row: Difference, *, broker: Broker, clock: Clock) -> None:
    """Cancel the order at the exchange.

    Raises:
        Conflict: It still rests there: the exchange did not answer, or refused.
    """
    wholes = {(order.parent or order).pk: order.parent or order for order in _live_family(row)}
    cancel_orders(orders=list(wholes.values()), broker=broker, clock=clock)
    left = Order.objects.filter(pk__in=list(wholes), state__in=_RESTING)
    if left.exists():
        raise Conflict("The order still rests at the exchange; try again", order_ids=list(wholes))


def _live_family(row: Difference, *, states: Sequence[str] = _RESTING) -> list[Order]:
    """Return the order in question with what it shares a list with at the exchange.

    Raises:
        Conflict: Nothing of it rests any more.
    """
    order = Order.objects.select_related("parent").get(pk=row.detail["order_id"])
    own = Q(pk=order.pk)
    if order.parent_id is not None:
        own |= Q(parent=order.parent_id)
    if order.venue_list_id is not None and order.leg == Leg.EXTERNAL.value:
        own |= Q(venue_list_id=order.venue_list_id, leg=Leg.EXTERNAL.value)
    rows: QuerySet[Order] = Order.objects.filter(
        own, account=row.account_id, instrument=order.instrument_id, state__in=states
    )
    found = list(rows.select_related("parent").order_by("pk"))
    if not found:
        raise Conflict(f"The order is {OrderState(order.state)} already", state=order.state)
    return found


def _strategy_for(order: Order, *, position: Position | None, target: str) -> Strategy | None:
    """Return the strategy that the order is to belong to.

    Raises:
        InvalidInput: There is none of this name, or several and none was named.
    """
    if position is not None and not target:
        return position.strategy
    rows = Strategy.objects.filter(account=order.account_id)
    rows = rows.filter(name=target) if target else rows.filter(instruments=order.instrument_id)
    found = list(rows.distinct().order_by("name")[:2])
    if len(found) != 1:
        names = ", ".join(
            Strategy.objects.filter(account=order.account_id).values_list("name", flat=True)
        )
        raise InvalidInput(
            f"name the strategy that it belongs to, one of: {names}", field="target", value=target
        )
    if position is not None and position.strategy_id not in (None, found[0].pk):
        raise InvalidInput(
            f"the open position belongs to {position.strategy}", field="target", value=target
        )
    return found[0]


def _require_cover(orders: list[Order], position: Position | None) -> None:
    if position is None:
        raise InvalidInput(
            "there is no open position that it could protect; cancel it (Flatten) or leave it",
            field="kind",
            value=ORPHAN_STOP,
        )
    rules = list_rules([position.instrument_id])[position.instrument_id]
    stops = [order for order in orders if order.stop_price is not None]
    covered = sum((order.quantity - order.filled_quantity for order in stops), Decimal(0))
    needed = rules.quantize_quantity(position.quantity)
    if covered < needed:
        raise InvalidInput(
            f"a stop must cover the position: it sells {covered:f} of {needed:f}; cancel it"
            " (Flatten), then the system places its own",
            field="quantity",
            value=format(covered, "f"),
        )

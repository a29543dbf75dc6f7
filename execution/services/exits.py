"""Closing positions at the market: first the protective pair goes, then the rest is sold."""

from collections.abc import Sequence

from django.db.models import Q

from core.clock import Clock
from execution.domain.order import Leg
from execution.models import Account, Order
from execution.ports import Broker
from execution.services.books import live_orders_of
from execution.services.cancels import cancel_orders
from execution.services.claims import claim_orders
from execution.services.intents import approve_exits
from execution.services.order_rows import RESTRICTION
from execution.services.second_tries import plan_second_tries
from execution.services.sending import send_claims


def exit_positions(
    *,
    account_id: int,
    position_ids: Sequence[int],
    broker: Broker,
    clock: Clock,
    is_manual: bool = False,
    is_sliced: bool = False,
) -> list[int]:
    """Close positions, or sell a slice of each; return the exit orders that the gate let through.

    The gate is asked first: while it forbids exits, a position keeps its protection. So it does
    from a start until the comparison with the exchange that follows it.
    """
    if not Account.objects.filter(pk=account_id, ready_at__isnull=False).exists():
        return []
    order_ids = approve_exits(
        account_id=account_id,
        position_ids=position_ids,
        is_manual=is_manual,
        clock=clock,
        is_sliced=is_sliced,
    )
    if order_ids:
        release_protection(order_ids=order_ids, broker=broker, clock=clock)
        claims = claim_orders(order_ids=order_ids, clock=clock)
        sent = send_claims(claims=claims, broker=broker, clock=clock)
        again = plan_second_tries(sent=sent, broker=broker, clock=clock)
        if again:
            send_claims(
                claims=claim_orders(order_ids=again, clock=clock), broker=broker, clock=clock
            )
            order_ids = [*order_ids, *again]
    return order_ids


def release_protection(*, order_ids: Sequence[int], broker: Broker, clock: Clock) -> None:
    """Cancel the protective orders whose base these orders are about to sell.

    That is so for exits, and for a person's protective order: it takes the place of the others.
    """
    takes_place = Q(leg=Leg.PROTECT.value, idempotency_key__isnull=False)
    orders = Order.objects.filter(
        takes_place | Q(leg=Leg.EXIT.value),
        pk__in=list(order_ids),
        position__isnull=False,
        account__ready_at__isnull=False,
    )
    # One that replaces another cancels it in its own request.
    orders = orders.exclude(context__has_key=RESTRICTION)
    positions = list(orders.values_list("position_id", flat=True))
    if not positions:
        return
    live = live_orders_of([key for key in positions if key is not None], (Leg.PROTECT,))
    cancel_orders(
        orders=[order for order in live if order.pk not in order_ids], broker=broker, clock=clock
    )

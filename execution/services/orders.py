"""Placing orders. There is no second way to the exchange.

Decisions, a person's orders and closings all pass the same gate, the same write-ahead and the
same sender; the guardian finishes with the same functions what a process left behind.
"""

from collections.abc import Sequence

from django.db import transaction

from core.audit import record
from core.clock import Clock
from core.crashpoints import crashpoint
from core.errors import Denied, NotFound
from core.recording.calls import taped
from execution.domain.order import Leg, OrderState
from execution.models import Account, Order, Position
from execution.ports import Broker
from execution.services.cancels import request_cancel
from execution.services.claims import Claim, claim_inserted
from execution.services.exits import exit_positions
from execution.services.intents import Approval, approve
from execution.services.manual import ManualOrder, place_manual_order
from execution.services.submitting import send_claimed, send_orders
from risk.services.storage import halt_if_failed

__all__ = [
    "ManualOrder",
    "close_position",
    "place_manual_order",
    "place_orders",
    "request_cancel",
    "send_orders",
]


def place_orders(*, decision_ids: Sequence[int], broker: Broker, clock: Clock) -> list[int]:
    """Place the orders of decisions: approve, claim, send, book, protect.

    Safe to run twice and at once: each order is approved once, claimed once and sent once. Where
    this process could not store something, that is on record first.

    Returns:
        Ids of the orders that this call handled.
    """
    halt_if_failed(now=clock.now())
    approved, claims = _approve_and_claim(decision_ids=decision_ids, clock=clock)
    order_ids = [found.order_id for found in approved]
    if claims is None:
        crashpoint("intent.committed")
        send_orders(order_ids=order_ids, broker=broker, clock=clock)
    else:
        send_claimed(claims=claims, broker=broker, clock=clock)
    return order_ids


@transaction.atomic
def _approve_and_claim(
    *, decision_ids: Sequence[int], clock: Clock
) -> tuple[list[Approval], list[Claim] | None]:
    """Approve, and write ahead in the same transaction where nothing comes in between.

    Before a sale its protection is cancelled, and what waited already may be another's to claim:
    then nothing is claimed here (None).
    """
    approved = approve(decision_ids=decision_ids, clock=clock)
    rows = [found.row for found in approved if found.row is not None and not found.is_reduce_only]
    if not rows or len(rows) < len(approved):
        return approved, None
    return approved, claim_inserted(orders=rows, clock=clock)


@taped
def close_position(
    *, account_id: int, symbol: str | None, actor: str, broker: Broker, clock: Clock
) -> list[Order]:
    """Close the open position of a symbol, or all of them, at the market.

    Raises:
        NotFound: There is no such open position.
        Denied: The gate refused to close.
    """
    positions = Position.objects.filter(account_id=account_id, status=Position.Status.OPEN)
    if symbol is not None:
        positions = positions.filter(symbol=symbol.upper())
    ids = list(positions.order_by("pk").values_list("pk", flat=True))
    if not ids and symbol is not None:
        raise NotFound(f"There is no open position in {symbol}", field="symbol", value=symbol)
    if not Account.objects.filter(pk=account_id, ready_at__isnull=False).exists():
        raise Denied("The books are being compared with the exchange after a start; ask again")
    order_ids = exit_positions(
        account_id=account_id, position_ids=ids, is_manual=True, broker=broker, clock=clock
    )
    orders = list(Order.objects.filter(pk__in=order_ids).order_by("pk"))
    record(
        actor=actor,
        action="position.close",
        subject=symbol or "all",
        after={"position_ids": ids, "order_ids": order_ids},
        now=clock.now(),
    )
    if ids and not orders:
        latest = Order.objects.filter(position__in=ids, leg=Leg.EXIT.value).order_by("-pk").first()
        if latest is not None and latest.state == OrderState.DENIED.value:
            raise Denied(f"The risk gate refused to close: {latest.reason}", **latest.context)
    return orders

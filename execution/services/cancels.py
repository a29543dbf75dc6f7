"""Cancelling: written ahead like an order, and its result is the order's state, never the reply.

A fill that races a cancel wins.
"""

import logging
from collections.abc import Sequence

from django.db import IntegrityError

from core.audit import record
from core.clock import Clock
from core.crashpoints import crashpoint
from core.errors import Conflict, ExchangeError, NotFound
from core.recording.calls import taped
from execution.domain.fill import OrderReport
from execution.domain.order import (
    LIVE_STATES,
    RESTING_STATES,
    UNRESOLVED_STATES,
    OrderEvent,
    OrderState,
    OrderType,
    next_state,
)
from execution.domain.outcome import Outcome
from execution.domain.request import CancelRequest
from execution.models import Order, SubmitAttempt
from execution.ports import Broker, VenueReply
from execution.services.claims import Claim, claim_cancels
from execution.services.completing import record_complete, record_live
from execution.services.order_rows import followers, name_at_venue, replaced_by
from execution.services.saving import update_rows
from markets.selectors import list_rules

logger = logging.getLogger(__name__)

_BATCH = 16
_RESTING = {state.value for state in RESTING_STATES}
_WAITING = {state.value for state in LIVE_STATES - RESTING_STATES}
_IN_DOUBT = {*(state.value for state in UNRESOLVED_STATES), OrderState.QUARANTINED.value}


@taped
def request_cancel(
    *, account_id: int, order_id: int, actor: str, broker: Broker, clock: Clock
) -> Order:
    """Cancel one order by hand; of a protective pair both legs go, and its entry if it waits.

    Raises:
        NotFound: The account, whose broker this is, has no such order.
        Conflict: It is final already.
    """
    rows = Order.objects.filter(pk=order_id, account_id=account_id)
    order = rows.select_related("parent__working", "working").first()
    if order is None:
        raise NotFound(f"Order {order_id} does not exist", field="order_id", value=order_id)
    order = order.parent or order
    if order.working is not None and order.state in _WAITING:
        # Its entry takes it along. Were the list cancelled by its own name, a pair that came to
        # life in this moment would go too.
        order = order.working
    if OrderState(order.state).is_final:
        raise Conflict(f"Order {order_id} is {order.state} already", state=order.state)
    before = order.state
    cancel_orders(orders=[order], broker=broker, clock=clock)
    order.refresh_from_db()
    record(
        actor=actor,
        action="order.cancel",
        subject=f"order:{order.pk}",
        before={"state": before},
        after={"state": order.state},
        now=clock.now(),
    )
    return order


def cancel_orders(*, orders: Sequence[Order], broker: Broker, clock: Clock) -> None:
    """Cancel orders and lists; what was not sent yet lapses without a request.

    An UNKNOWN reply leaves the wish on the row: the guardian asks again until it is settled.
    """
    now = clock.now()
    sent = [order for order in orders if not _lapse_unsent(order, clock=clock)]
    if not sent:
        return
    Order.objects.filter(
        pk__in=[order.pk for order in sent], cancel_requested_at__isnull=True
    ).update(cancel_requested_at=now)
    for start in range(0, len(sent), _BATCH):
        _cancel_batch(sent[start : start + _BATCH], broker=broker, clock=clock)


def _cancel_batch(orders: Sequence[Order], *, broker: Broker, clock: Clock) -> None:
    """Write ahead, send and book a few: the last of them is still well within its window."""
    try:
        claims = claim_cancels(orders=orders, clock=clock)
    except IntegrityError:
        # Another process wrote the same cancel ahead in this moment; its result is ours.
        logger.info("cancel.claimed_elsewhere orders=%s", [order.pk for order in orders])
        return
    crashpoint("cancel.committed")
    replies = []
    for claim in claims:
        replies.append((claim, _send(claim, broker)))
        crashpoint("cancel.replied")
    _book_replies(replies, broker=broker, clock=clock)


def _lapse_unsent(order: Order, *, clock: Clock) -> bool:
    """Let an order that was not claimed lapse; return False when it may be at the exchange."""
    if order.state != OrderState.APPROVED.value:
        return False
    after = next_state(order.pk, OrderState.APPROVED, OrderEvent.LAPSE).value
    now = clock.now()
    changes = {
        "state": after,
        "reason": "CANCELED_UNSENT",
        "reserved_quantity": 0,
        "ended_at": now,
        "updated_at": now,
    }
    moved = Order.objects.filter(pk=order.pk, state=OrderState.APPROVED.value).update(**changes)
    if moved:
        followers(order).filter(state=OrderState.APPROVED.value).update(**changes)
    return bool(moved)


def _send(claim: Claim, broker: Broker) -> VenueReply:
    request, attempt = claim.request, claim.attempt
    if not isinstance(request, CancelRequest):
        raise TypeError(f"order {claim.order.pk}: not a cancel")
    return broker.cancel(
        request, request_sha256=attempt.request_sha256, signed_at=attempt.signed_at
    )


def _book_replies(
    replies: Sequence[tuple[Claim, VenueReply]], *, broker: Broker, clock: Clock
) -> None:
    """Book what came back, all at once: the exchange is asked first, and quickly."""
    told: dict[int, list[OrderReport]] = {}
    unknown: list[Order] = []
    now = clock.now()
    for claim, reply in replies:
        if reply.outcome is Outcome.ACCEPTED:
            told.setdefault(claim.order.account_id, []).extend(reply.reports)
        elif reply.outcome is Outcome.REJECTED:
            # "Unknown order": it may have filled, or never been there. Ask.
            unknown.append(claim.order)
        claim.attempt.outcome = reply.outcome.value
        claim.attempt.evidence = reply.evidence or {"message": reply.message}
        claim.attempt.finished_at = now
    for account_id, reports in sorted(told.items()):
        record_live(account_id=account_id, reports=reports, broker=broker, clock=clock)
    if unknown:
        refresh_orders(orders=unknown, broker=broker, clock=clock)
    update_rows([claim.attempt for claim, _ in replies], ("outcome", "evidence", "finished_at"))


def refresh_orders(*, orders: Sequence[Order], broker: Broker, clock: Clock) -> int:
    """Ask for orders one by one and book what the exchange says; return how many it knew."""
    rules = list_rules({order.instrument_id for order in orders})
    known = 0
    for order in orders:
        reports = []
        for name in names_at_venue(order):
            try:
                report = broker.query(rules[order.instrument_id].symbol, name)
            except ExchangeError:
                continue  # an error is no evidence; whoever needs it asks again
            if report is not None:
                reports.append(report)
        known += bool(reports)
        _book(order, reports, broker=broker, clock=clock)
    return known


def _book(order: Order, reports: Sequence[OrderReport], *, broker: Broker, clock: Clock) -> None:
    try:
        record_complete(
            account_id=order.account_id, reports=reports, broker=broker, now=clock.now()
        )
    except ExchangeError as error:
        logger.warning("order.trades_not_read order_id=%s error=%s", order.pk, error.code)


def names_at_venue(order: Order) -> list[str]:
    """Return the client ids under which the exchange has what went in the order's request.

    Of a list these are its legs', of an entry with a bracket its own and the pair's legs'.
    """
    own = [] if OrderType(order.type).is_list else [name_at_venue(order)]
    legs = followers(order).filter(parent__isnull=False).order_by("pk")
    return [*own, *legs.values_list("client_order_id", flat=True)]


def settle_replaced(orders: Sequence[Order], *, broker: Broker, clock: Clock) -> None:
    """Find out what became of the orders that these asked to replace, where the reply left it open.

    The state of an order at the exchange is the evidence of its cancel, whatever the reply said.
    """
    wanted = {
        replaced.pk: replaced for order in orders if (replaced := replaced_by(order)) is not None
    }
    if not wanted:
        return
    live = [row for row in Order.objects.filter(pk__in=wanted) if row.state in _RESTING]
    refresh_orders(orders=live, broker=broker, clock=clock)
    for order in orders:
        replaced = replaced_by(order)
        if replaced is None or order.state in _IN_DOUBT:
            continue
        state = Order.objects.values_list("state", flat=True).get(pk=replaced.pk)
        outcome = Outcome.ACCEPTED if state == OrderState.CANCELED.value else Outcome.NOT_ACCEPTED
        SubmitAttempt.objects.filter(
            order=replaced,
            kind=SubmitAttempt.Kind.CANCEL,
            outcome__in=[Outcome.SENDING.value, Outcome.UNKNOWN.value],
            evidence__replaced_by=order.pk,
        ).update(outcome=outcome.value, finished_at=clock.now())

"""Making a resting order smaller, with its name and its place in the queue.

Written ahead like a submit. What became of it is what the exchange shows as the order's quantity:
until that is seen the order counts with the old, larger one.
"""

import logging
from datetime import timedelta
from decimal import Decimal

from django.db import transaction

from core.audit import record
from core.clock import Clock
from core.errors import Conflict, ExchangeError, InvalidInput, OrderRejected
from core.recording.calls import taped
from execution.domain.order import FINAL_STATES, Leg, OrderState
from execution.domain.outcome import Outcome
from execution.domain.request import AmendRequest, digest
from execution.models import Order, SubmitAttempt
from execution.ports import Broker, VenueReply
from execution.services.cancels import refresh_orders
from execution.services.claims import fence_after, last_numbers
from execution.services.completing import record_live
from execution.services.replacing import find_resting
from markets.domain.instrument import InstrumentRules
from markets.selectors import list_rules
from risk.services.trading_state import lock_account, read_state

logger = logging.getLogger(__name__)

_KIND = SubmitAttempt.Kind.AMEND
_OPEN = [Outcome.SENDING.value, Outcome.UNKNOWN.value]
_BETWEEN_LOOKS = timedelta(seconds=2)


@taped
def amend_order(
    *,
    account_id: int,
    order_id: int,
    quantity: Decimal,
    actor: str,
    reason: str,
    broker: Broker,
    clock: Clock,
) -> Order:
    """Make a resting order's whole quantity, filled part included, smaller.

    It takes risk away, so no level of the kill switch stands against it and the gate is not asked.

    Raises:
        NotFound: The account has no such order.
        Conflict: It does not rest, protects a position, is part of a list or is being amended.
        InvalidInput: The quantity is none that the order can shrink to.
        OrderRejected: The exchange refused; the order is as it was.
    """
    if not reason.strip():
        raise InvalidInput("a reason is needed", field="reason", value=reason, fix="say why")
    attempt, request = _write_ahead(
        account_id=account_id, order_id=order_id, quantity=quantity, clock=clock
    )
    reply = broker.amend(
        request, request_sha256=attempt.request_sha256, signed_at=attempt.signed_at
    )
    _book(attempt, reply, broker=broker, clock=clock)
    order = Order.objects.select_related("instrument").get(pk=order_id)
    record(
        actor=actor,
        action="order.amend",
        subject=f"order:{order_id}",
        before={"quantity": attempt.evidence["from"]},
        after={"quantity": order.quantity, "outcome": reply.outcome.value},
        reason=reason,
        now=clock.now(),
    )
    if reply.outcome in (Outcome.REJECTED, Outcome.NOT_SENT):
        raise OrderRejected(
            f"The order was not made smaller: {reply.message} ({reply.code})", order_id=order_id
        )
    return order


@transaction.atomic
def _write_ahead(
    *, account_id: int, order_id: int, quantity: Decimal, clock: Clock
) -> tuple[SubmitAttempt, AmendRequest]:
    now = clock.now()
    lock_account(account_id)
    order = find_resting(account_id=account_id, order_id=order_id)
    if order.leg == Leg.PROTECT.value:
        raise Conflict(
            f"Order {order_id} protects a position and covers all of it; replace it",
            order_id=order_id,
        )
    if SubmitAttempt.objects.filter(order=order, kind=_KIND, outcome__in=_OPEN).exists():
        raise Conflict(f"Order {order_id} is being amended; wait for the outcome", id=order_id)
    rules = list_rules([order.instrument_id])[order.instrument_id]
    _check(order, quantity, rules)
    request = AmendRequest(
        symbol=rules.symbol, client_order_id=order.client_order_id, quantity=quantity
    )
    attempt = SubmitAttempt.objects.create(
        order=order,
        kind=_KIND,
        number=last_numbers([order], _KIND).get(order.pk, 0) + 1,
        epoch=read_state(scopes=order.scopes).epoch,
        signed_at=now,
        fence_at=fence_after(now, clock),
        request_sha256=digest(request.parameters()),
        outcome=Outcome.SENDING.value,
        evidence={"from": f"{order.quantity:f}", "to": f"{quantity:f}"},
        created_at=now,
    )
    return attempt, request


def _check(order: Order, quantity: Decimal, rules: InstrumentRules) -> None:
    least = max(order.filled_quantity, rules.min_quantity)
    worth = quantity * (order.price or order.stop_price or Decimal(0))
    fix = ""
    if quantity >= order.quantity:
        fix = f"must be below {order.quantity:f}: an amendment only makes smaller; replace it"
    elif quantity <= order.filled_quantity or quantity < least:
        fix = f"must be above what is filled, {order.filled_quantity:f}; cancel it"
    elif rules.quantize_quantity(quantity) != quantity:
        fix = f"must be a multiple of {rules.step_size:f}"
    elif worth and worth < rules.min_notional:
        fix = f"is worth {worth:f}, must be at least {rules.min_notional:f}; cancel it"
    if fix:
        raise InvalidInput(
            f"quantity was {quantity:f}: {fix}", field="quantity", value=f"{quantity:f}", fix=fix
        )


def _book(attempt: SubmitAttempt, reply: VenueReply, *, broker: Broker, clock: Clock) -> None:
    order = attempt.order
    if reply.outcome is Outcome.ACCEPTED:
        record_live(account_id=order.account_id, reports=reply.reports, broker=broker, clock=clock)
    elif reply.outcome is Outcome.REJECTED:
        refresh_orders(orders=[order], broker=broker, clock=clock)
    is_known = reply.outcome is not Outcome.UNKNOWN
    attempt.evidence = {**attempt.evidence, **(reply.evidence or {"message": reply.message})}
    SubmitAttempt.objects.filter(pk=attempt.pk).update(
        outcome=reply.outcome.value,
        evidence=attempt.evidence,
        finished_at=clock.now() if is_known else None,
    )


def resolve_amends(*, account_id: int, broker: Broker, clock: Clock) -> int:
    """Look at amendments without a reply; return how many are still in doubt.

    The quantity that the exchange shows decides. The old one counts only once it is seen in two
    looks after the fence, when the exchange would refuse the request.
    """
    attempts = SubmitAttempt.objects.filter(
        order__account_id=account_id, kind=_KIND, outcome__in=_OPEN
    ).select_related("order__instrument")
    waiting = 0
    for attempt in attempts.order_by("pk"):
        try:
            waiting += not _resolve(attempt, broker=broker, clock=clock)
        except ExchangeError as error:
            logger.warning("amend.not_resolved order_id=%s %s", attempt.order_id, error.code)
            waiting += 1
    return waiting


def _resolve(attempt: SubmitAttempt, *, broker: Broker, clock: Clock) -> bool:
    order = attempt.order
    report = broker.query(order.instrument.symbol, order.client_order_id)
    if report is None:
        return False  # an order that is on its way through their memory: it exists for certain
    record_live(account_id=order.account_id, reports=[report], broker=broker, clock=clock)
    order.refresh_from_db()
    if report.quantity <= Decimal(attempt.evidence["to"]):
        return _finish(attempt, Outcome.ACCEPTED, clock=clock)
    if OrderState(order.state) in FINAL_STATES:
        return _finish(attempt, Outcome.NOT_ACCEPTED, clock=clock)
    if broker.server_time() <= attempt.fence_at:
        return False
    looks = [*attempt.evidence.get("looks_ms", []), clock.now_ms()]
    attempt.evidence = {**attempt.evidence, "looks_ms": looks}
    if timedelta(milliseconds=looks[-1] - looks[0]) >= clock.protocol(_BETWEEN_LOOKS):
        return _finish(attempt, Outcome.NOT_ACCEPTED, clock=clock)
    SubmitAttempt.objects.filter(pk=attempt.pk).update(evidence=attempt.evidence)
    return False


def _finish(attempt: SubmitAttempt, outcome: Outcome, *, clock: Clock) -> bool:
    SubmitAttempt.objects.filter(pk=attempt.pk).update(
        outcome=outcome.value, evidence=attempt.evidence, finished_at=clock.now()
    )
    return True

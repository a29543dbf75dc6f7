"""Sending what is claimed, once, and writing down what came back.

Replies are booked in small batches: an order waits at most a fraction of a second between its
reply and its rows, and fifty orders do not pay for fifty transactions.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import transaction

from alerts.services.raising import raise_alert
from core.clock import Clock
from core.crashpoints import crashpoint
from execution.domain.order import Leg, OrderEvent, OrderState, next_state
from execution.domain.outcome import Outcome, Reaction
from execution.domain.request import CancelRequest, ListRequest, ReplaceRequest
from execution.models import Order, SubmitAttempt
from execution.ports import Broker, VenueReply
from execution.services.cancels import settle_replaced
from execution.services.claims import CLAIM_LIFETIME, Claim, renew_claim
from execution.services.completing import record_live
from execution.services.order_rows import followers, purpose_of
from execution.services.saving import update_rows
from risk.domain.trading_state import Level, Purpose, StateTable
from risk.services.senders import sending
from risk.services.trading_state import raise_level

if TYPE_CHECKING:
    from execution.domain.fill import OrderReport

logger = logging.getLogger(__name__)

_BATCH = 64
_LONGEST_WAIT = timedelta(milliseconds=500)
_STORM_WINDOW = timedelta(seconds=60)
_STORM_REJECTS = 5
# Refusals for the clock's or the budget's sake say nothing about the orders.
_NO_STORM = (-1021, -1015, -1003)
_ATTEMPT_FIELDS = ("outcome", "evidence", "finished_at")
# What a class of outcome does to an order that was being sent.
_EVENTS: dict[Outcome, OrderEvent] = {
    Outcome.REJECTED: OrderEvent.REJECT,
    Outcome.NOT_SENT: OrderEvent.LAPSE,
    Outcome.UNKNOWN: OrderEvent.LOSE_TRACK,
    # One with our id is open there: the resolver asks for it and adopts it.
    Outcome.DUPLICATE: OrderEvent.LOSE_TRACK,
}
# Refusals before the engine saw the order, whose cause is ours and can be mended.
_MENDABLE = (Reaction.REFRESH_RULES, Reaction.RESYNC_CLOCK)
_WITHDRAWN = VenueReply(outcome=Outcome.NOT_SENT, message="withdrawn before the first byte")


@dataclass(slots=True, kw_only=True)
class Sent:
    """What became of a batch.

    Attributes:
        protect_ids: Protective lists that wait to be sent.
        rejected: Orders that the exchange refused for certain.
        mendable: What the refused ones among them ask for first, by order.
        stopped: The exchange asked for quiet; what was left is withdrawn.
    """

    protect_ids: list[int] = field(default_factory=list)
    rejected: list[Order] = field(default_factory=list)
    unknown: list[Order] = field(default_factory=list)
    mendable: dict[int, Reaction] = field(default_factory=dict)
    stopped: bool = False


def send_claims(*, claims: Sequence[Claim], broker: Broker, clock: Clock) -> Sent:
    """Send every claim once, in order, and book what came back."""
    sent = Sent()
    replies: list[tuple[Claim, VenueReply]] = []
    first_at = clock.now()
    for claim in claims:
        if not replies:
            first_at = clock.now()
        if not _is_still_ours(claim, clock):
            continue
        reply = _WITHDRAWN if sent.stopped else _send_one(claim, broker)
        replies.append((claim, reply))
        sent.stopped = sent.stopped or reply.reaction in (Reaction.BACK_OFF, Reaction.HALT)
        waited = clock.now() - first_at
        if len(replies) >= _BATCH or waited >= clock.protocol(_LONGEST_WAIT):
            _book(replies, sent=sent, broker=broker, clock=clock)
            replies = []
    _book(replies, sent=sent, broker=broker, clock=clock)
    return sent


def _is_still_ours(claim: Claim, clock: Clock) -> bool:
    """Tell whether the claim may be sent: an aged one is renewed, or another has judged it."""
    if clock.now() - claim.attempt.signed_at < clock.protocol(CLAIM_LIFETIME):
        return True
    return renew_claim(claim, clock=clock)


def _send_one(claim: Claim, broker: Broker) -> VenueReply:
    """Look at the kill switch for the last time, and send; a kill waits until that is done."""
    with sending() as states:
        if not _is_permitted(claim, states):
            return _WITHDRAWN
        crashpoint("send.permitted")
        reply = _submit(claim, broker)
    crashpoint("send.replied")
    return reply


def _is_permitted(claim: Claim, states: StateTable) -> bool:
    state = states.of(claim.order.scopes)
    purpose = purpose_of(claim.order)
    is_manual = claim.order.leg == Leg.MANUAL.value or claim.order.reason == "MANUAL"
    if purpose is Purpose.ENTRY and state.epoch != claim.attempt.epoch:
        return False  # stopped and started again since the claim: ask anew
    return state.permits(purpose, is_manual=is_manual)


def _submit(claim: Claim, broker: Broker) -> VenueReply:
    request, attempt = claim.request, claim.attempt
    if isinstance(request, ListRequest):
        return broker.submit_list(
            request, request_sha256=attempt.request_sha256, signed_at=attempt.signed_at
        )
    if isinstance(request, ReplaceRequest):
        return broker.replace(
            request, request_sha256=attempt.request_sha256, signed_at=attempt.signed_at
        )
    if isinstance(request, CancelRequest):
        raise TypeError(f"order {claim.order.pk}: a cancel is no submit")
    return broker.submit(
        request, request_sha256=attempt.request_sha256, signed_at=attempt.signed_at
    )


def _book(
    replies: Sequence[tuple[Claim, VenueReply]], *, sent: Sent, broker: Broker, clock: Clock
) -> None:
    if not replies:
        return
    others = [pair for pair in replies if pair[1].outcome is not Outcome.ACCEPTED]
    reports: dict[int, list[OrderReport]] = {}
    for claim, reply in replies:
        told = reports.setdefault(claim.order.account_id, [])
        told += [*reply.reports, *(reply.cancel.reports if reply.cancel else ())]
    for account_id, told in sorted(reports.items()):
        recorded = record_live(account_id=account_id, reports=told, broker=broker, clock=clock)
        sent.protect_ids += recorded.protect_ids
    _finish(replies, others=others, clock=clock)
    settle_replaced([claim.order for claim, _ in replies], broker=broker, clock=clock)
    for claim, reply in others:
        if reply.outcome is Outcome.REJECTED:
            sent.rejected.append(claim.order)
            if reply.reaction in _MENDABLE:
                sent.mendable[claim.order.pk] = reply.reaction
        elif reply.outcome is not Outcome.NOT_SENT:
            sent.unknown.append(claim.order)
    logger.info("orders.sent count=%s not_accepted=%s", len(replies), len(others))
    _react(others, clock=clock)


@transaction.atomic
def _finish(
    replies: Sequence[tuple[Claim, VenueReply]],
    *,
    others: Sequence[tuple[Claim, VenueReply]],
    clock: Clock,
) -> None:
    """Write the outcomes, and move the orders that were not accepted."""
    now = clock.now()
    for claim, reply in replies:
        claim.attempt.outcome = reply.outcome.value
        claim.attempt.evidence = reply.evidence or {"message": reply.message}
        claim.attempt.finished_at = None if reply.outcome is Outcome.UNKNOWN else now
    halves = [_finish_cancel(claim, reply, now=now) for claim, reply in replies]
    attempts = [claim.attempt for claim, _ in replies]
    update_rows([*attempts, *(half for half in halves if half is not None)], _ATTEMPT_FIELDS)
    for claim, reply in others:
        event = _EVENTS[reply.outcome]
        after = next_state(claim.order.pk, OrderState.SENDING, event)
        changes: dict[str, object] = {
            "state": after.value,
            "updated_at": now,
            "reason": _reason(reply),
        }
        if after.is_final:
            changes |= {"reserved_quantity": 0, "ended_at": now}
        # The stream may have been faster than the reply: then the order has moved on already.
        moved = Order.objects.filter(pk=claim.order.pk, state=OrderState.SENDING.value).update(
            **changes
        )
        if moved:
            followers(claim.order).filter(state=OrderState.SENDING.value).update(**changes)
        claim.order.state = after.value


def _finish_cancel(claim: Claim, reply: VenueReply, *, now: datetime) -> SubmitAttempt | None:
    """Return the other half of a cancel-replace with what became of it."""
    half, told = claim.cancel_attempt, reply.cancel or reply
    if half is None:
        return None
    half.outcome = told.outcome.value
    half.evidence = {**half.evidence, **(told.evidence or {"message": told.message})}
    half.finished_at = None if told.outcome is Outcome.UNKNOWN else now
    return half


def _reason(reply: VenueReply) -> str:
    if reply is _WITHDRAWN:
        return "WITHDRAWN"
    return f"VENUE_{-reply.code}" if reply.code else reply.message[:48]


def _react(others: Sequence[tuple[Claim, VenueReply]], *, clock: Clock) -> None:
    """Do what the refusals ask for beside the orders' own outcome."""
    now = clock.now()
    for claim, reply in others:
        if reply.reaction is Reaction.HALT:
            raise_level(
                level=Level.HALT,
                reason=f"API key invalid: {reply.message} ({reply.code})",
                actor="auto:api_key",
                now=now,
            )
        elif reply.outcome is Outcome.REJECTED:
            raise_alert(
                code="ORDER_REJECTED",
                severity="WARNING",
                message=f"The exchange refused an order: {reply.message} ({reply.code})",
                context={"order_id": claim.order.pk, **reply.evidence},
                dedupe_key=f"ORDER_REJECTED:{claim.order.instrument_id}:{reply.code}",
                now=now,
            )
    if any(reply.outcome is Outcome.REJECTED for _, reply in others):
        _stop_storm(clock=clock)


def _stop_storm(*, clock: Clock) -> None:
    """Close the door when the exchange refuses one order after the other."""
    now = clock.now()
    refused = SubmitAttempt.objects.filter(
        kind=SubmitAttempt.Kind.SUBMIT,
        outcome=Outcome.REJECTED.value,
        created_at__gt=now - clock.protocol(_STORM_WINDOW),
    )
    count = refused.exclude(evidence__code__in=_NO_STORM).count()
    if count >= _STORM_REJECTS:
        raise_level(
            level=Level.REDUCE_ONLY,
            reason=f"the exchange refused {count} orders within a minute",
            actor="auto:reject_storm",
            now=now,
        )

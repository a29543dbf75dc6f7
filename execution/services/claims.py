"""Claim and write ahead: the last transaction before anything may leave.

In it the kill switch is read (and held), what is late or no longer allowed lapses, and a record
of each request with its digest and its fence is committed. A crash from here on leaves an order
that may be at the exchange, and the resolver finds out; it never leaves one that nobody knows of.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection, transaction
from django.db.models import F

from alerts import push
from core.build import get_build
from core.clock import Clock
from core.crashpoints import crashpoint
from core.prepared import PreparedQuery
from execution.domain.order import (
    RESTING_STATES,
    UNRESOLVED_STATES,
    Leg,
    OrderEvent,
    OrderState,
    next_state,
)
from execution.domain.outcome import Outcome
from execution.domain.request import CancelRequest, SubmitRequest, digest
from execution.models import Order, Position, SubmitAttempt
from execution.services.messages import order_message
from execution.services.order_rows import (
    followers,
    goes_alone,
    purpose_of,
    replaced_by,
    to_cancel,
    to_submit,
)
from execution.services.saving import update_rows
from markets.selectors import list_rules
from risk.domain.trading_state import Level, Purpose, StateTable, StateView
from risk.services.storage import halt_if_failed
from risk.services.trading_state import raise_level, read_states

RECV_WINDOW = timedelta(seconds=5)
# The exchange waits this long for its own matching engine before it says "unknown".
ENGINE_TIMEOUT = timedelta(seconds=10)
MARGIN = timedelta(seconds=2)
# A claim older than this is renewed before its request is signed.
CLAIM_LIFETIME = timedelta(seconds=1)

# Few at any time, so that all of them are read.
_IN_DOUBT = PreparedQuery(
    lambda: Order.objects.filter(
        leg=Leg.ENTRY.value, state__in=sorted(state.value for state in UNRESOLVED_STATES)
    ).values_list("account_id", "instrument_id")
)
_CLAIM_FIELDS = ("state", "reason", "reserved_quantity", "quantity", "ended_at", "updated_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An order whose request is written ahead and may be sent once, by whoever holds this.

    Attributes:
        cancel_attempt: Of a cancel-replace the record of its other half.
    """

    order: Order
    attempt: SubmitAttempt
    request: SubmitRequest | CancelRequest
    cancel_attempt: SubmitAttempt | None = None


def fence_after(signed_at: datetime, clock: Clock) -> datetime:
    """Return the exchange time after which a request signed at `signed_at` is decided."""
    return signed_at + clock.venue(RECV_WINDOW + ENGINE_TIMEOUT + MARGIN)


def claim_orders(*, order_ids: Iterable[int], clock: Clock) -> list[Claim]:
    """Turn APPROVED orders into claims, all in one transaction.

    An order that another process holds or has claimed is left out; one that is late or that the
    kill switch forbids lapses. Entries into a symbol with an unresolved entry wait. Where this
    process could not store something, that is on record first, or nothing is claimed.

    Returns:
        What this caller, and nobody else, may send; exits first.
    """
    halt_if_failed(now=clock.now())
    return _claim_approved(order_ids, clock)


@transaction.atomic
def _claim_approved(order_ids: Iterable[int], clock: Clock) -> list[Claim]:
    orders = _lock_approved(order_ids)
    busy = _symbols_in_doubt(orders)
    return _claim(orders, states=read_states(for_share=True), busy=busy, clock=clock)


def claim_inserted(*, orders: Sequence[Order], clock: Clock) -> list[Claim]:
    """Claim orders that the gate has let through in this very transaction.

    Nobody else sees them before it commits. No account that waits for its comparison has any, and
    no symbol in which something is in doubt: the gate refuses what is asked for there.
    """
    for order in orders:
        order.ready_build = order.account.ready_build  # type: ignore[attr-defined]
    return _claim(orders, states=read_states(for_share=True), busy=set(), clock=clock)


def _claim(
    orders: Sequence[Order], *, states: StateTable, busy: set[tuple[int, int]], clock: Clock
) -> list[Claim]:
    now = clock.now()
    held = _held_quantities(orders)
    claimed: list[Order] = []
    if any(_is_of_another_build(order) for order in orders):
        transaction.on_commit(lambda: _halt_for_build(now=now), robust=True)
    for order in orders:
        state = states.of(order.scopes)
        reason = _why_not(order, state=state, now=now) or _fit_to_position(order, held)
        reason = reason or _why_not_replace(order)
        if reason:
            _lapse(order, reason=reason, now=now)
            continue
        slot = (order.account_id, order.instrument_id)
        if order.leg == Leg.ENTRY.value:
            if slot in busy:
                continue
            busy.add(slot)
        order.state = next_state(order.pk, OrderState.APPROVED, OrderEvent.CLAIM).value
        order.updated_at = now
        claimed.append(order)
    legs = _move_followers(orders, now=now)
    _store([*orders, *legs], now=now)
    claims = _write_ahead(claimed, legs=legs, states=states, clock=clock, now=now)
    crashpoint("claim.before_commit")
    push.publish(*(order_message(order, now) for order in orders))
    return sorted(claims, key=lambda claim: (not claim.order.is_reduce_only, claim.order.pk))


def _store(orders: Sequence[Order], *, now: datetime) -> None:
    """Write what became of them; of most only the state has moved, and one value fits all."""
    sending = OrderState.SENDING.value
    moved = {row.pk for row in orders if row.state == sending and row.leg != Leg.EXIT.value}
    if moved:
        Order.objects.filter(pk__in=moved).update(state=sending, updated_at=now)
    changed = [row for row in orders if row.state != OrderState.APPROVED.value]
    update_rows([row for row in changed if row.pk not in moved], _CLAIM_FIELDS)


def _lock_approved(order_ids: Iterable[int]) -> Sequence[Order]:
    rows = (
        Order.objects.filter(
            pk__in=list(order_ids),
            state=OrderState.APPROVED.value,
            parent__isnull=True,
            # From a start until the comparison that follows it nothing leaves.
            account__ready_at__isnull=False,
        )
        .order_by("pk")
        .annotate(ready_build=F("account__ready_build"))
    )
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True, of=("self",))
    return list(rows)


def _symbols_in_doubt(orders: Sequence[Order]) -> set[tuple[int, int]]:
    if not any(order.leg == Leg.ENTRY.value for order in orders):
        return set()
    return {(account_id, instrument_id) for account_id, instrument_id in _IN_DOUBT()}


def _why_not(order: Order, *, state: StateView, now: datetime) -> str:
    """Return why the order must not be sent any more; empty: it may."""
    purpose = purpose_of(order)
    is_manual = order.leg == Leg.MANUAL.value or order.reason == "MANUAL"
    if _is_of_another_build(order):
        return "BUILD_DIFFERS"
    if order.expires_at <= now:
        return "EXPIRED_UNSENT"
    if not state.permits(purpose, is_manual=is_manual):
        return "STATE_LEVEL"
    if purpose is Purpose.ENTRY and order.approved_epoch != state.epoch:
        # Somebody stopped or halted since the approval: it must be asked for anew.
        return "EPOCH_CHANGED"
    return ""


def _why_not_replace(order: Order) -> str:
    """Return why there is nothing left to replace; the row stays locked until the claim is."""
    if replaced_by(order) is None:
        return ""
    rows = Order.objects.filter(superseded_by=order.pk)
    if connection.features.has_select_for_update:
        rows = rows.select_for_update()
    state = OrderState(rows.values_list("state", flat=True).get())
    return "" if state in RESTING_STATES else "NOTHING_TO_REPLACE"


def _is_of_another_build(order: Order) -> bool:
    """Tell whether this process runs something else than the one that compared the books."""
    return order.ready_build not in ("", get_build())  # type: ignore[attr-defined]


def _halt_for_build(*, now: datetime) -> None:
    raise_level(
        level=Level.HALT,
        reason="processes of this account run different code or modes: restart all of them",
        actor="auto:build",
        now=now,
    )


def _held_quantities(orders: Sequence[Order]) -> dict[int, Decimal]:
    wanted = [
        order.position_id
        for order in orders
        if order.leg == Leg.EXIT.value and order.position_id is not None
    ]
    if not wanted:
        return {}
    held = Position.objects.filter(pk__in=wanted).values_list("pk", "quantity")
    return dict(held)


def _fit_to_position(order: Order, held: dict[int, Decimal]) -> str:
    """Shrink an exit to what is still held: a protective order may have been faster."""
    if order.leg != Leg.EXIT.value or order.position_id is None:
        return ""
    rules = list_rules([order.instrument_id])[order.instrument_id]
    left = rules.quantize_quantity(held.get(order.position_id, Decimal(0)))
    if left <= 0:
        return "NOTHING_TO_CLOSE"
    order.quantity = min(order.quantity, left)
    return ""


def _lapse(order: Order, *, reason: str, now: datetime) -> None:
    order.state = next_state(order.pk, OrderState(order.state), OrderEvent.LAPSE).value
    order.reason = reason
    order.reserved_quantity = Decimal(0)
    order.ended_at = order.updated_at = now


def _move_followers(orders: Sequence[Order], *, now: datetime) -> list[Order]:
    """Let what goes in the orders' requests follow them."""
    if all(goes_alone(order) for order in orders):
        return []  # as most do; Django makes the whole query before it sees that it is empty
    leaders = {order.pk: order for order in orders}
    rows = list(followers(*orders).order_by("pk"))
    # A pair that waits for an entry comes before its legs.
    for row in rows:
        leader = leaders[row.working_id or row.parent_id]  # type: ignore[index]
        leaders[row.pk] = leader
        row.state, row.reason, row.updated_at = leader.state, leader.reason, now
        row.ended_at = leader.ended_at
    return rows


def _write_ahead(
    orders: Sequence[Order],
    *,
    legs: Sequence[Order],
    states: StateTable,
    clock: Clock,
    now: datetime,
) -> list[Claim]:
    rules = list_rules({order.instrument_id for order in orders})
    claims = []
    for order in orders:
        symbol = rules[order.instrument_id].symbol
        request = to_submit(order, legs=legs, symbol=symbol)
        attempt = SubmitAttempt(
            order=order,
            kind=SubmitAttempt.Kind.SUBMIT,
            epoch=states.of(order.scopes).epoch,
            signed_at=now,
            fence_at=fence_after(now, clock),
            request_sha256=digest(request.parameters()),
            outcome=Outcome.SENDING.value,
            created_at=now,
        )
        other = _cancel_half(order, attempt)
        claims.append(Claim(order=order, attempt=attempt, request=request, cancel_attempt=other))
    SubmitAttempt.objects.bulk_create([claim.attempt for claim in claims])
    others = [claim.cancel_attempt for claim in claims if claim.cancel_attempt is not None]
    if others:
        SubmitAttempt.objects.bulk_create(others)
    return claims


def _cancel_half(order: Order, attempt: SubmitAttempt) -> SubmitAttempt | None:
    """Return the record of the cancel that the same request asks for."""
    replaced = replaced_by(order)
    if replaced is None:
        return None
    kind = SubmitAttempt.Kind.CANCEL
    return SubmitAttempt(
        order=replaced,
        kind=kind,
        number=last_numbers([replaced], kind).get(replaced.pk, 0) + 1,
        epoch=attempt.epoch,
        signed_at=attempt.signed_at,
        fence_at=attempt.fence_at,
        request_sha256=attempt.request_sha256,
        outcome=attempt.outcome,
        evidence={"replaced_by": order.pk},
        created_at=attempt.created_at,
    )


def renew_claim(claim: Claim, *, clock: Clock) -> bool:
    """Give an aged claim a fresh time; return False when it is no longer ours to send.

    Compare-and-swap: the resolver may have judged it meanwhile.
    """
    now = clock.now()
    moved = SubmitAttempt.objects.filter(
        pk=claim.attempt.pk,
        outcome=Outcome.SENDING.value,
        signed_at=claim.attempt.signed_at,
        order__state=OrderState.SENDING.value,
    ).update(signed_at=now, fence_at=fence_after(now, clock))
    if moved:
        claim.attempt.signed_at = now
        claim.attempt.fence_at = fence_after(now, clock)
        if claim.cancel_attempt is not None:
            SubmitAttempt.objects.filter(pk=claim.cancel_attempt.pk).update(
                signed_at=now, fence_at=claim.attempt.fence_at
            )
    return bool(moved)


@transaction.atomic
def claim_cancels(*, orders: Sequence[Order], clock: Clock) -> list[Claim]:
    """Write ahead one cancel for each order; its result will come from the order's state."""
    now = clock.now()
    states = read_states()
    rules = list_rules({order.instrument_id for order in orders})
    numbers = last_numbers(orders, SubmitAttempt.Kind.CANCEL)
    claims = []
    for order in orders:
        request = to_cancel(order, symbol=rules[order.instrument_id].symbol)
        attempt = SubmitAttempt(
            order=order,
            kind=SubmitAttempt.Kind.CANCEL,
            number=numbers.get(order.pk, 0) + 1,
            epoch=states.of(order.scopes).epoch,
            signed_at=now,
            fence_at=fence_after(now, clock),
            request_sha256=digest(request.parameters()),
            outcome=Outcome.SENDING.value,
            created_at=now,
        )
        claims.append(Claim(order=order, attempt=attempt, request=request))
    SubmitAttempt.objects.bulk_create([claim.attempt for claim in claims])
    return claims


def last_numbers(orders: Sequence[Order], kind: SubmitAttempt.Kind) -> dict[int, int]:
    """Return the number of the latest attempt of this kind at each order."""
    rows = SubmitAttempt.objects.filter(
        order__in=[order.pk for order in orders], kind=kind
    ).values_list("order_id", "number")
    numbers: dict[int, int] = {}
    for order_id, number in rows:
        numbers[order_id] = max(number, numbers.get(order_id, 0))
    return numbers

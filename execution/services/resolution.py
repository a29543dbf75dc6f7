"""Finding out what became of requests without a reply, by evidence and never by sending again.

Found at the exchange: adopted. Nowhere to be seen in two full looks after the fence, when the
exchange itself would refuse the request: proved absent. Neither within two minutes: quarantined,
and a person decides. An error while looking is evidence of nothing.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.services.raising import raise_alert
from core.clock import Clock, to_ms
from core.errors import ExchangeError
from execution.domain.fill import OrderReport
from execution.domain.order import RESTING_STATES, OrderEvent, OrderState, next_state
from execution.domain.outcome import Outcome
from execution.models import Order, SubmitAttempt
from execution.ports import Broker
from execution.services.cancels import (
    cancel_orders,
    names_at_venue,
    refresh_orders,
    settle_replaced,
)
from execution.services.completing import record_complete
from execution.services.order_rows import followers
from markets.selectors import list_rules
from risk.domain.trading_state import Level, ScopeKind, scope_of
from risk.services.trading_state import raise_level

logger = logging.getLogger(__name__)

# The sender itself waits 12 s for a reply; a claim that is older has no sender any more.
SENDER_TIMEOUT = timedelta(seconds=15)
GIVE_UP_AFTER = timedelta(seconds=120)
_FIRST_WAIT = timedelta(milliseconds=250)
_LONGEST_WAIT = timedelta(seconds=8)
_BETWEEN_ROUNDS = timedelta(seconds=2)
_LOOK_BACK = timedelta(seconds=1)
_IN_DOUBT = (OrderState.UNKNOWN.value, OrderState.QUARANTINED.value)


@dataclass(slots=True, kw_only=True)
class Resolved:
    """What one pass found out; `waiting` are still in doubt."""

    adopted: int = 0
    absent: int = 0
    quarantined: int = 0
    waiting: int = 0


def resolve_unknown(*, account_id: int, broker: Broker, clock: Clock) -> Resolved:
    """Look once at every order in doubt whose time to look has come."""
    result = Resolved()
    _lose_track_of_orphans(account_id=account_id, clock=clock)
    attempts = list(
        SubmitAttempt.objects.filter(
            order__account_id=account_id,
            order__state__in=_IN_DOUBT,
            order__parent__isnull=True,
            kind=SubmitAttempt.Kind.SUBMIT,
        )
        .select_related("order__instrument")
        .order_by("pk")
    )
    if not attempts:
        return result
    for attempt in attempts:
        if attempt.evidence.get("ask_at_ms", 0) > clock.now_ms():
            result.waiting += 1
            continue
        try:
            _resolve_one(attempt, result=result, broker=broker, clock=clock)
        except ExchangeError as error:
            logger.warning("order.not_resolved order_id=%s %s", attempt.order_id, error.code)
            result.waiting += 1
        _give_up_if_late(attempt, result=result, clock=clock)
    return result


def _lose_track_of_orphans(*, account_id: int, clock: Clock) -> None:
    """Declare UNKNOWN what was claimed by a process that is gone."""
    deadline = clock.now() - clock.venue(SENDER_TIMEOUT)
    orphans = SubmitAttempt.objects.filter(
        order__account_id=account_id,
        order__state=OrderState.SENDING.value,
        kind=SubmitAttempt.Kind.SUBMIT,
        signed_at__lt=deadline,
    ).values_list("order_id", flat=True)
    for order_id in list(orphans):
        _move(
            order_id, OrderState.SENDING, OrderEvent.LOSE_TRACK, reason="SENDER_GONE", clock=clock
        )


def _resolve_one(attempt: SubmitAttempt, *, result: Resolved, broker: Broker, clock: Clock) -> None:
    order = attempt.order
    symbol = list_rules([order.instrument_id])[order.instrument_id].symbol
    names = names_at_venue(order)
    reports = [report for name in names if (report := broker.query(symbol, name)) is not None]
    source = "query"
    is_past_fence = broker.server_time() > attempt.fence_at
    if not reports and is_past_fence:
        source = "lists"
        look = _look_everywhere(attempt, symbol, names, broker=broker, clock=clock)
        reports = list(look.reports)
        if not reports:
            _note_clean_round(attempt, look, result=result, clock=clock)
            _settle_other_half(attempt, broker=broker, clock=clock)
            return
    if not reports:
        _ask_later(attempt, clock=clock)
        result.waiting += 1
        return
    record_complete(account_id=order.account_id, reports=reports, broker=broker, now=clock.now())
    evidence = {**attempt.evidence, "adopted_by": source}
    _finish(attempt, Outcome.ACCEPTED, evidence=evidence, now=clock.now())
    _settle_other_half(attempt, broker=broker, clock=clock)
    result.adopted += 1


def _settle_other_half(attempt: SubmitAttempt, *, broker: Broker, clock: Clock) -> None:
    """What is known of the new order of a cancel-replace, settle of the old one too."""
    attempt.order.refresh_from_db()
    settle_replaced([attempt.order], broker=broker, clock=clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One full look: the order query has found nothing, and the three lists have answered.

    Attributes:
        reports: Ours, if any.
        strangers: Numbers of trades that no order here explains.
        told: How much each list showed; part of the stored proof.
    """

    reports: tuple[OrderReport, ...]
    strangers: tuple[int, ...]
    told: dict[str, int]


def _look_everywhere(
    attempt: SubmitAttempt, symbol: str, names: Sequence[str], *, broker: Broker, clock: Clock
) -> _Look:
    """Ask the three lists. An error in any of them is evidence of nothing.

    Raises:
        ExchangeError: One of them did not answer.
    """
    since = attempt.signed_at - clock.protocol(_LOOK_BACK)
    open_orders = broker.open_orders(symbol)
    all_orders = broker.all_orders(symbol, since=since)
    trades = broker.trades(symbol, since=since)
    seen = [*open_orders, *all_orders]
    found = {report.client_order_id: report for report in seen if report.client_order_id in names}
    known = set(
        Order.objects.filter(
            account_id=attempt.order.account_id,
            instrument_id=attempt.order.instrument_id,
            venue_order_id__in={trade.venue_order_id for trade in trades},
        ).values_list("venue_order_id", flat=True)
    )
    return _Look(
        reports=tuple(found.values()),
        strangers=tuple(t.trade_id for t in trades if t.venue_order_id not in known),
        told={
            "query": 0,
            "open_orders": len(open_orders),
            "all_orders": len(all_orders),
            "trades": len(trades),
        },
    )


def _note_clean_round(
    attempt: SubmitAttempt, look: _Look, *, result: Resolved, clock: Clock
) -> None:
    """Count a look without a trace; the second one, apart from the first, is the proof."""
    if look.strangers:
        # Somebody's trade that nobody here explains may be ours: the count starts anew.
        attempt.evidence = {
            **attempt.evidence,
            "clean_rounds_ms": [],
            "unexplained_trades": list(look.strangers),
        }
        _ask_later(attempt, clock=clock)
        result.waiting += 1
        return
    rounds = [*attempt.evidence.get("clean_rounds_ms", []), clock.now_ms()]
    attempt.evidence = {
        **attempt.evidence,
        "clean_rounds_ms": rounds,
        "rounds": [*attempt.evidence.get("rounds", []), look.told],
        "fence_ms": to_ms(attempt.fence_at),
    }
    apart = timedelta(milliseconds=rounds[-1] - rounds[0])
    if apart < clock.protocol(_BETWEEN_ROUNDS):
        _ask_later(attempt, clock=clock, wait=_BETWEEN_ROUNDS)
        result.waiting += 1
        return
    state = OrderState(attempt.order.state)
    _move(attempt.order_id, state, OrderEvent.PROVE_ABSENT, reason="NOT_ACCEPTED", clock=clock)
    _finish(attempt, Outcome.NOT_ACCEPTED, evidence=attempt.evidence, now=clock.now())
    result.absent += 1


def _ask_later(attempt: SubmitAttempt, *, clock: Clock, wait: timedelta | None = None) -> None:
    asked = attempt.evidence.get("asked", 0) + 1
    pause = wait or min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(asked - 1, 10))
    ask_at = to_ms(clock.now() + clock.protocol(pause))
    attempt.evidence = {**attempt.evidence, "asked": asked, "ask_at_ms": ask_at}
    SubmitAttempt.objects.filter(pk=attempt.pk).update(evidence=attempt.evidence)


def _give_up_if_late(attempt: SubmitAttempt, *, result: Resolved, clock: Clock) -> None:
    now = clock.now()
    if now < attempt.created_at + clock.protocol(GIVE_UP_AFTER):
        return
    moved = _move(
        attempt.order_id, OrderState.UNKNOWN, OrderEvent.GIVE_UP, reason="NO_PROOF", clock=clock
    )
    if not moved:
        return
    result.quarantined += 1
    order = attempt.order
    raise_alert(
        code="ORDER_QUARANTINED",
        severity="CRITICAL",
        message=f"Whether order {order.client_order_id} exists could not be found out",
        context={"order_id": order.pk, "evidence": attempt.evidence},
        dedupe_key=f"ORDER_QUARANTINED:{order.pk}",
        now=now,
    )
    raise_level(
        level=Level.REDUCE_ONLY,
        reason=f"order {order.client_order_id} is in quarantine",
        actor="auto:quarantine",
        now=now,
        scope=scope_of(ScopeKind.SYMBOL, order.instrument.symbol),
    )


def _move(
    order_id: int, state: OrderState, event: OrderEvent, *, reason: str, clock: Clock
) -> bool:
    """Move an order, and what goes in its request, by compare-and-swap."""
    after = next_state(order_id, state, event)
    now = clock.now()
    changes: dict[str, object] = {"state": after.value, "reason": reason, "updated_at": now}
    if after.is_final:
        changes |= {"reserved_quantity": 0, "ended_at": now}
    moved = Order.objects.filter(pk=order_id, state=state.value).update(**changes)
    if moved:
        order = Order.objects.get(pk=order_id)
        followers(order).filter(state=state.value).update(**changes)
    return bool(moved)


def _finish(
    attempt: SubmitAttempt, outcome: Outcome, *, evidence: dict[str, object], now: datetime
) -> None:
    SubmitAttempt.objects.filter(pk=attempt.pk).update(
        outcome=outcome.value, evidence=evidence, finished_at=now
    )


def resume_cancels(*, account_id: int, broker: Broker, clock: Clock) -> int:
    """Settle cancels without a reply and issue again those that had no effect."""
    deadline = clock.now() - clock.venue(SENDER_TIMEOUT)
    wanted = Order.objects.filter(
        account_id=account_id,
        cancel_requested_at__lt=deadline,
        parent__isnull=True,
        state__in=[state.value for state in (*RESTING_STATES, OrderState.PENDING_NEW)],
    )
    busy = SubmitAttempt.objects.filter(
        kind=SubmitAttempt.Kind.CANCEL, created_at__gte=deadline
    ).values_list("order_id", flat=True)
    orders = [order for order in wanted.order_by("pk") if order.pk not in set(busy)]
    refresh_orders(orders=orders, broker=broker, clock=clock)
    for order in orders:
        order.refresh_from_db()
    resting = [order for order in orders if not OrderState(order.state).is_final]
    cancel_orders(orders=resting, broker=broker, clock=clock)
    SubmitAttempt.objects.filter(
        order__account_id=account_id,
        kind=SubmitAttempt.Kind.CANCEL,
        outcome__in=[Outcome.SENDING.value, Outcome.UNKNOWN.value],
        created_at__lt=deadline,
    ).exclude(
        # A cancel-replace in doubt is settled with its new order.
        order__superseded_by__state__in=[*_IN_DOUBT, OrderState.SENDING.value]
    ).update(outcome="SETTLED", finished_at=clock.now())
    return len(resting)

"""Kill switch, protection, records, data and secrets: I9 and I12 to I16."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from alerts.selectors import list_alerts
from core import audit
from core.models import AuditRecord
from execution.domain.fill import VenueStatus
from execution.domain.invariants import Answer, Finding
from execution.domain.order import LIVE_STATES, Leg, OrderState, OrderType
from execution.models import Order, Position, Strategy, SubmitAttempt
from execution.services.claims import fence_after
from execution.services.kill import CONFIRMED, confirmation_subject
from execution.services.order_rows import name_at_venue, purpose_of
from execution.services.protection import LONGEST_UNPROTECTED
from execution.services.protective_rows import plan_for
from execution.services.world.rows import World
from markets.domain.gaps import find_gaps, subtract
from markets.domain.timeframe import Timeframe
from markets.selectors import list_known_gaps, list_open_times
from risk.domain.trading_state import GLOBAL, Level, Purpose
from risk.selectors import get_limits, list_state_changes
from risk.services.trading_state import read_states

_PLACED = frozenset({VenueStatus.NEW, VenueStatus.PARTIALLY_FILLED})
_OPEN = _PLACED | {VenueStatus.PENDING_NEW}
# What tells a person of a position that nothing covers: one to be closed, one that FLATTEN cannot.
_TOLD = ("POSITION_UNPROTECTED", "FLATTEN_UNSOLD")
_GRACE = timedelta(seconds=5)
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)
# Candles are looked at this far back.
_BARS = 500


def check_kill(world: World) -> Answer:
    """I9: no entry was claimed or taken under a level that forbids it."""
    findings: list[Finding] = []
    entries = {order.pk: order for order in world.orders if _is_entry(order)}
    claims: dict[int, SubmitAttempt] = {}
    for attempt in world.attempts:
        order = entries.get(attempt.order_id)
        if order is None or attempt.kind != SubmitAttempt.Kind.SUBMIT.value:
            continue
        claims[order.pk] = attempt
        if attempt.epoch != order.approved_epoch:
            what = f"approved in epoch {order.approved_epoch}, claimed in {attempt.epoch}"
            findings.append(Finding(subject=f"order:{order.pk}", problem=what))
    spans = _shut_spans()
    if world.truth is not None:
        for (symbol, number), told_at in world.truth.created_at.items():
            order = world.orders_at_venue.get((symbol, number))
            if order is None or order.pk not in entries:
                continue
            claim, taken_at = claims.get(order.pk), told_at
            if claim is not None:
                # Later the exchange takes no request: what looks so was told by another clock.
                taken_at = min(told_at, fence_after(claim.signed_at, world.clock))
            for span in spans:
                start = span.start_for(order, claim)
                if fence_after(start, world.clock) < taken_at < span.end:
                    what = f"taken at {taken_at.isoformat()}, after the kill of {start.isoformat()}"
                    findings.append(Finding(subject=f"order:{order.pk}", problem=what))
        findings += _resting_after_confirmation(world, entries)
    return Answer(compared=len(entries), findings=tuple(findings))


def _is_entry(order: Order) -> bool:
    return order.leg != Leg.EXTERNAL.value and purpose_of(order) is Purpose.ENTRY


@dataclass(frozen=True, slots=True)
class _Span:
    """When entries were forbidden: from the change that did it to the one that ended it.

    Attributes:
        epochs: Of each scope right after the change that began it.
    """

    start: datetime
    epochs: Mapping[str, int]
    end: datetime = _NEVER

    def start_for(self, order: Order, claim: SubmitAttempt | None) -> datetime:
        """Return the start by the clock of the order's claim.

        What was claimed in an epoch before was claimed earlier. If its time is later all the same,
        the exchange's time, and ours with it, was set back in between.
        """
        epoch = sum(self.epochs.get(scope, 0) for scope in {GLOBAL, *order.scopes})
        if claim is None or claim.epoch >= epoch:
            return self.start
        return max(self.start, claim.created_at)


def _shut_spans() -> list[_Span]:
    spans: list[_Span] = []
    epochs: dict[str, int] = {}
    since: _Span | None = None
    for change in list_state_changes().order_by("pk"):
        epochs[change.scope] = change.epoch
        if change.scope != GLOBAL:
            continue
        is_shut = Level(change.to_level) > Level.ACTIVE
        if is_shut and since is None:
            since = _Span(change.timestamp, dict(epochs))
        elif not is_shut and since is not None:
            spans.append(replace(since, end=change.timestamp))
            since = None
    return spans if since is None else [*spans, since]


def _resting_after_confirmation(world: World, entries: dict[int, Order]) -> list[Finding]:
    if world.truth is None:
        return []
    confirmed = [
        scope
        for scope, view in read_states().raised(Level.CANCEL).items()
        if AuditRecord.objects.filter(
            action=CONFIRMED,
            subject=confirmation_subject(
                account_id=world.account.pk, scope=scope, epoch=view.epoch
            ),
        ).exists()
    ]
    found = []
    for report in world.truth.orders:
        order = world.orders_by_name.get(report.client_order_id)
        if report.status not in _OPEN or order is None or order.pk not in entries:
            continue
        if {GLOBAL, *order.scopes} & {*confirmed}:
            what = "rests at the exchange though the kill is confirmed"
            found.append(Finding(subject=f"order:{order.pk}", problem=what))
    return found


def check_protection(world: World) -> Answer:
    """I12: covered by a stop at the exchange, being closed, young, or somebody was told."""
    opened = [row for row in world.positions if row.status == Position.Status.OPEN.value]
    deadline = world.now - world.clock.protocol(LONGEST_UNPROTECTED + _GRACE)
    told = {
        key
        for alert in list_alerts().filter(code__in=_TOLD, acknowledged_at=None)
        for key in alert.context.get("position_ids", [])
    }
    findings = []
    for position in opened:
        if position.updated_at > deadline or position.pk in told or _is_covered(world, position):
            continue
        what = f"{position.quantity:f} {position.symbol} without a stop"
        findings.append(Finding(subject=f"position:{position.pk}", problem=what))
    return Answer(compared=len(opened), findings=tuple(findings))


def _is_covered(world: World, position: Position) -> bool:
    live = [
        order
        for order in world.orders
        if order.position_id == position.pk and OrderState(order.state) in LIVE_STATES
    ]
    if any(order.leg == Leg.EXIT.value for order in live):
        return True
    stops = [order for order in live if _is_stop(order)]
    if world.truth is not None:
        open_names = {r.client_order_id for r in world.truth.orders if r.status in _PLACED}
        stops = [order for order in stops if name_at_venue(order) in open_names]
    covered = sum((order.quantity - order.filled_quantity for order in stops), Decimal(0))
    rules, limits = world.rules[position.instrument_id], get_limits()
    left = rules.quantize_quantity(max(Decimal(0), position.quantity - covered))
    if not left or limits is None:
        return not left
    # The exchange would take no stop for so little.
    return plan_for(position, limits=limits, rules=rules, quantity=left) is None


def _is_stop(order: Order) -> bool:
    """Tell whether the order is a stop: a list's leg, one that stands alone, an attached one.

    One that waits for its entry protects nothing yet.
    """
    if order.state == OrderState.PENDING_NEW.value:
        return False
    if order.leg == Leg.STOP_LOSS.value or (order.is_attached and order.stop_price is not None):
        return True
    kind = OrderType(order.type)
    return order.leg == Leg.PROTECT.value and kind.form.is_stop and not kind.is_list


def check_records(world: World) -> Answer:
    """I13: the chain verifies, epochs follow each other, and nobody changed anything unnamed."""
    findings = [
        Finding(subject=f"audit:{broken.sequence}", problem=broken.problem)
        for broken in audit.verify()
    ]
    last: dict[str, int] = {}
    changes = list(list_state_changes().order_by("scope", "epoch"))
    for change in changes:
        subject = f"state_change:{change.scope}:{change.epoch}"
        if not change.actor or not change.reason:
            findings.append(Finding(subject=subject, problem="has no actor or no reason"))
        before = last.get(change.scope)
        if before is not None and change.epoch != before + 1:
            findings.append(Finding(subject=subject, problem=f"follows epoch {before}"))
        last[change.scope] = change.epoch
    compared = audit.head()[0] + len(changes)
    return Answer(compared=compared, findings=tuple(findings))


def check_data(world: World) -> Answer:
    """I14: no decision before its close or on a later prediction; no hole in the candles."""
    findings = []
    for decision in world.decisions:
        subject = f"decision:{decision.pk}"
        if decision.created_at < decision.close_time:
            findings.append(Finding(subject=subject, problem="was made before its candle closed"))
        prediction = decision.prediction
        if prediction is not None and prediction.close_time > decision.close_time:
            findings.append(Finding(subject=subject, problem="rests on a later prediction"))
    gaps = list(_candle_gaps(world))
    return Answer(compared=len(world.decisions), findings=(*findings, *gaps))


def _candle_gaps(world: World) -> Iterator[Finding]:
    strategies = Strategy.objects.filter(account=world.account, is_enabled=True)
    for strategy in strategies.prefetch_related("instruments").order_by("pk"):
        timeframe = Timeframe(strategy.timeframe)
        ids = [row.pk for row in strategy.instruments.all()]
        end_ms = world.clock.now_ms()
        start_ms = end_ms - _BARS * timeframe.ms
        known = list_known_gaps(instrument_ids=ids, timeframe=timeframe)
        times = list_open_times(
            instrument_ids=ids, timeframe=timeframe, start_ms=start_ms, end_ms=end_ms
        )
        for instrument_id, opens in times.items():
            found = find_gaps(opens, timeframe=timeframe, start_ms=opens[0], end_ms=opens[-1])
            for gap in subtract(found, known.get(instrument_id, [])):
                subject = f"candles:{world.rules[instrument_id].symbol}:{timeframe.value}"
                what = f"{gap.count(timeframe)} missing from {gap.start_ms}"
                yield Finding(subject=subject, problem=what)


def check_secrets(world: World) -> Answer:
    """I15: no secret in evidence, contexts, alerts, the audit trail or the log files."""
    if not world.secrets:
        return Answer(compared=0, not_checked="there is no secret to look for")
    compared = 0
    findings = []
    for subject, text in _written(world):
        compared += 1
        if any(secret in text for secret in world.secrets):
            findings.append(Finding(subject=subject, problem="holds a secret"))
    return Answer(compared=compared, findings=tuple(findings))


def _written(world: World) -> Iterator[tuple[str, str]]:
    for attempt in world.attempts:
        yield f"attempt:{attempt.pk}", json.dumps(attempt.evidence)
    for order in world.orders:
        yield f"order:{order.pk}", json.dumps(order.context)
    for alert in list_alerts().iterator():
        yield f"alert:{alert.pk}", f"{alert.message}{json.dumps(alert.context)}"
    for row in AuditRecord.objects.order_by("sequence").iterator():
        yield f"audit:{row.sequence}", f"{row.reason}{json.dumps([row.before, row.after])}"
    for path in world.beside.log_paths:
        yield path, Path(path).read_text(errors="replace")


def check_replay(world: World) -> Answer:
    """I16: the newest recorded session, replayed, gave the same decisions and books."""
    found = world.beside.replay
    if found is None:
        return Answer(compared=0, not_checked="no session was recorded (RECORD_SESSIONS)")
    if found.verdict is None:
        how = f"manage.py replay_session {found.name}, or check_world --replay"
        return Answer(compared=0, not_checked=f"{found.name} was not replayed yet: {how}")
    first = found.verdict.get("first_difference")
    findings = []
    if first is not None:
        what = f"{first['kind']}: recorded {first['recorded']}, replayed {first['replayed']}"
        findings.append(Finding(subject=f"{found.name}: {first['where']}", problem=what[:500]))
    return Answer(compared=found.verdict["rows"], findings=tuple(findings))

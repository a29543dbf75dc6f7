"""The kill switch: reading it inside a transaction, raising it, and a person's way back.

Only the database is needed. What others hear of a change (alert, live push, audit of the page) is
said after the commit and can neither delay nor fail it.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.db.transaction import TransactionManagementError

from core.audit import record
from core.errors import Conflict, Denied, InvalidInput, NotFound
from core.recording.calls import taped
from risk.domain.trading_state import GLOBAL, Level, StateTable, StateView
from risk.models import TradingState, TradingStateChange
from risk.services.notices import announce_state
from risk.services.senders import wait_for_senders
from risk.services.state_rows import SELECT, to_table

# Namespace of our advisory locks: "risk" as four bytes.
_LOCK_CLASS = 0x7269736B
# Actors that are not persons start so; they may raise the level, never lower it.
AUTOMATIC = "auto:"
# What the columns hold.
REASON_LENGTH, ACTOR_LENGTH = 500, 150


def lock_account(account_id: int) -> None:
    """Make the caller's transaction the only one that gates this account, until it ends.

    On PostgreSQL an advisory lock; on SQLite the transaction already is the one writer.

    Raises:
        TransactionManagementError: There is no transaction: the lock would be gone at once.
    """
    if not connection.in_atomic_block:
        raise TransactionManagementError(f"account {account_id} was locked outside a transaction")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK_CLASS, account_id])


def read_states(*, for_share: bool = False) -> StateTable:
    """Return every kill switch from the database, never from a cache.

    Args:
        for_share: Hold the rows until the transaction ends: a kill then commits either before
            this read or after this transaction. SQLite's single writer gives the same.
    """
    holds = for_share and connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        cursor.execute(f"{SELECT} FOR SHARE" if holds else SELECT)
        return to_table(cursor.fetchall())


def read_state(*, scopes: Iterable[str] = (), for_share: bool = False) -> StateView:
    """Return what applies to `scopes` (none: the global kill switch); closed without its row."""
    return read_states(for_share=for_share).of(scopes)


@taped
@transaction.atomic
def raise_level(
    *, level: Level, reason: str, actor: str, now: datetime, scope: str = GLOBAL
) -> StateView:
    """Raise the kill switch to `level`; a level that is not above the present changes nothing.

    One UPDATE decides; its commit is the moment of the kill. Once it has committed, this waits a
    moment (50 ms at most) for senders that were past their last look at it.

    Args:
        level: How far to shut.
        reason: Why; kept for ever.
        actor: A person, or ``auto:`` and what saw the need.
        now: Market time.
        scope: GLOBAL, or what alone shall stop, such as ``symbol:BTCUSDT``.

    Returns:
        The scope's own state.

    Raises:
        InvalidInput: No reason was given, or `level` is ACTIVE.
    """
    _require_reason(reason)
    # A kill must not fail for its words: what is longer than the columns is cut.
    reason, actor = reason[:REASON_LENGTH], actor[:ACTOR_LENGTH]
    if level is Level.ACTIVE:
        raise InvalidInput("ACTIVE is reached by re-arming", field="level", value=level.value)
    lower = [other.value for other in Level if other < level]
    if scope != GLOBAL:
        _open_scope(scope, now=now)
    moved = TradingState.objects.filter(scope=scope, level__in=lower).update(
        level=level.value, epoch=F("epoch") + 1, reason=reason, actor=actor, changed_at=now
    )
    if not moved and not TradingState.objects.filter(scope=scope).exists():
        # No row already means that nothing is sent; the level must still be on record.
        _create_row(scope=scope, level=level, reason=reason, actor=actor, now=now)
        moved = 1
    state = _own_state(scope)
    if moved:
        _record_change(
            scope=scope,
            state=state,
            action="risk.raise_level",
            reason=reason,
            actor=actor,
            now=now,
        )
        transaction.on_commit(wait_for_senders, robust=True)
    return state


@transaction.atomic
def rearm(
    *,
    reason: str,
    actor: str,
    now: datetime,
    expected_epoch: int | None = None,
    scope: str = GLOBAL,
) -> StateView:
    """Take the kill switch back to ACTIVE. Only a person may; nothing re-arms by itself.

    Args:
        reason: Why it is safe again.
        actor: The person.
        now: Market time.
        expected_epoch: The state that the person saw; None: whatever it is now.
        scope: Which kill switch.

    Raises:
        InvalidInput: No reason was given.
        Denied: The actor is not a person.
        Conflict: The state has changed since the person looked.
        NotFound: This scope was never raised.
    """
    _require_reason(reason)
    # A kill must not fail for its words: what is longer than the columns is cut.
    reason, actor = reason[:REASON_LENGTH], actor[:ACTOR_LENGTH]
    if not actor or actor.startswith(AUTOMATIC):
        raise Denied("only a person may re-arm", actor=actor)
    if scope == GLOBAL:
        _ensure_row(now=now)
    raised = TradingState.objects.filter(scope=scope).exclude(level=Level.ACTIVE.value)
    if expected_epoch is not None:
        raised = raised.filter(epoch=expected_epoch)
    moved = raised.update(
        level=Level.ACTIVE.value,
        epoch=F("epoch") + 1,
        reason=reason,
        actor=actor,
        changed_at=now,
    )
    state = _own_state(scope)
    if not moved and state.level is not Level.ACTIVE:
        raise Conflict(
            "the kill switch has changed since you looked; look again",
            level=state.level.value,
            epoch=state.epoch,
        )
    if moved:
        _record_change(
            scope=scope, state=state, action="risk.rearm", reason=reason, actor=actor, now=now
        )
    return state


@taped
def start_trading(*, reason: str, actor: str, now: datetime) -> StateView:
    """Let strategies open positions; starting twice changes nothing."""
    return _set_running(is_running=True, reason=reason, actor=actor, now=now)


@taped
def stop_trading(*, reason: str, actor: str, now: datetime) -> StateView:
    """Let strategies open nothing new; exits and protective orders go on."""
    return _set_running(is_running=False, reason=reason, actor=actor, now=now)


@transaction.atomic
def _set_running(*, is_running: bool, reason: str, actor: str, now: datetime) -> StateView:
    _require_reason(reason)
    # A kill must not fail for its words: what is longer than the columns is cut.
    reason, actor = reason[:REASON_LENGTH], actor[:ACTOR_LENGTH]
    _ensure_row(now=now)
    moved = TradingState.objects.filter(scope=GLOBAL, is_running=not is_running).update(
        is_running=is_running, epoch=F("epoch") + 1, reason=reason, actor=actor, changed_at=now
    )
    state = read_state()
    if moved:
        action = "risk.start_trading" if is_running else "risk.stop_trading"
        _record_change(
            scope=GLOBAL, state=state, action=action, reason=reason, actor=actor, now=now
        )
    return state


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise InvalidInput("a reason is needed", field="reason", value=reason)


def _ensure_row(*, now: datetime) -> None:
    """Create the row shut (HALT), should somebody have deleted it."""
    if not TradingState.objects.filter(scope=GLOBAL).exists():
        _create_row(
            scope=GLOBAL,
            level=Level.HALT,
            reason="the row was missing",
            actor="auto:setup",
            now=now,
        )


def _own_state(scope: str) -> StateView:
    state = read_states().views.get(scope)
    if state is None:
        raise NotFound(f"the kill switch of {scope} was never raised", field="scope", value=scope)
    return state


def _open_scope(scope: str, *, now: datetime) -> None:
    """Have a row for `scope`, ACTIVE, while nobody who reads the switches is in between.

    Senders hold the global row for share: a new row appears before they read or after they are
    done, like an update of an old one.
    """
    rows = TradingState.objects.filter(scope=GLOBAL)
    if connection.features.has_select_for_update:
        rows = rows.select_for_update()
    list(rows)
    TradingState.objects.get_or_create(
        scope=scope, defaults={"level": Level.ACTIVE.value, "epoch": 0, "changed_at": now}
    )


def _create_row(*, scope: str, level: Level, reason: str, actor: str, now: datetime) -> None:
    newest = _changes(scope).values_list("epoch", flat=True).first()
    TradingState.objects.create(
        scope=scope,
        level=level.value,
        epoch=(newest or 0) + 1,
        reason=reason,
        actor=actor,
        changed_at=now,
    )


def _changes(scope: str) -> QuerySet[TradingStateChange]:
    return TradingStateChange.objects.filter(scope=scope).order_by("-epoch")


def _record_change(
    *, scope: str, state: StateView, action: str, reason: str, actor: str, now: datetime
) -> None:
    """Write the append-only row and the audit record while the UPDATE still holds the row."""
    before = _changes(scope).first()
    from_level = before.to_level if before else Level.ACTIVE.value
    was_running = before.is_running if before else False
    TradingStateChange.objects.create(
        scope=scope,
        from_level=from_level,
        to_level=state.level.value,
        epoch=state.epoch,
        is_running=state.is_running,
        reason=reason,
        actor=actor,
        timestamp=now,
    )
    record(
        actor=actor,
        action=action,
        subject="trading_state" if scope == GLOBAL else f"trading_state:{scope}",
        before={"level": from_level, "is_running": was_running},
        after={
            "level": state.level.value,
            "epoch": state.epoch,
            "is_running": state.is_running,
        },
        reason=reason,
        now=now,
    )
    announce_state(
        scope=scope,
        state=state,
        from_level=Level(from_level),
        reason=reason,
        actor=actor,
        now=now,
    )

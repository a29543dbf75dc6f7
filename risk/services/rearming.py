"""A person's way back from the kill switch, in one transaction; two persons' where it is set."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from core.audit import record
from core.errors import Conflict, Denied, InvalidInput
from core.recording.calls import taped
from risk.domain.trading_state import GLOBAL, Level, StateView
from risk.models import RearmRequest, TradingStateChange
from risk.selectors import find_rearm_request, latest_metrics
from risk.services.equity import reset_high_water_mark
from risk.services.trading_state import AUTOMATIC, read_states, rearm

# Wall time within which a second person must approve; callers turn it into market time.
REQUEST_LIFETIME = timedelta(minutes=10)


@taped
@transaction.atomic
def rearm_trading(
    *,
    reason: str,
    actor: str,
    reset_drawdown: bool,
    now: datetime,
    expected_epoch: int | None = None,
    scope: str = GLOBAL,
    lifetime: timedelta = REQUEST_LIFETIME,
) -> StateView:
    """Re-arm, on request with a new high-water mark at the present equity.

    Without the new mark a drawdown stop would close again at the next record of equity. With
    ``TWO_PERSON_REARM`` the first call only asks, and the state stays; the call of a second
    person re-arms, who neither asked nor raised the switch.

    Args:
        reason: Why it is safe again.
        actor: The person, as the web or ``cli:`` knows them.
        reset_drawdown: Start a new high-water mark at the present equity.
        now: Market time.
        expected_epoch: The state that the person saw; None: whatever it is now.
        scope: Which kill switch.
        lifetime: Market time for which a wish waits for the second person.

    Returns:
        The state after the call: ACTIVE, or as before while a second person is awaited.

    Raises:
        InvalidInput: No reason was given.
        Denied: The actor is not a person, or may not be the second one.
        Conflict: The state is no longer the one of `expected_epoch`.
    """
    if settings.TWO_PERSON_REARM:
        state = read_states().views.get(scope)
        if state is not None and state.level is not Level.ACTIVE:
            _require_fresh(state, expected_epoch)
            asked = find_rearm_request(scope=scope, epoch=state.epoch, now=now)
            if asked is None:
                _ask(
                    scope=scope,
                    epoch=state.epoch,
                    reason=reason,
                    actor=actor,
                    reset_drawdown=reset_drawdown,
                    now=now,
                    expires_at=now + lifetime,
                )
                return state
            _approve(asked, actor=actor, now=now)
            reset_drawdown = reset_drawdown or asked.reset_drawdown
            reason = f"{reason} (asked by {asked.asked_by}: {asked.reason})"
    state = rearm(reason=reason, actor=actor, now=now, expected_epoch=expected_epoch, scope=scope)
    metrics = latest_metrics() if reset_drawdown else None
    if metrics is not None:
        reset_high_water_mark(account_id=metrics.account_id, now=now)
    return state


def _require_fresh(state: StateView, expected_epoch: int | None) -> None:
    if expected_epoch is not None and expected_epoch != state.epoch:
        raise Conflict(
            "the kill switch has changed since you looked; look again",
            level=state.level.value,
            epoch=state.epoch,
        )


def _ask(
    *,
    scope: str,
    epoch: int,
    reason: str,
    actor: str,
    reset_drawdown: bool,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Write one person's wish down; an older one of this state that ran out is replaced."""
    if not reason.strip():
        raise InvalidInput("a reason is needed", field="reason", value=reason)
    if not actor or actor.startswith(AUTOMATIC):
        raise Denied("only a person may re-arm", actor=actor)
    RearmRequest.objects.update_or_create(
        scope=scope,
        epoch=epoch,
        defaults={
            "reason": reason[:500],
            "reset_drawdown": reset_drawdown,
            "asked_by": person(actor),
            "asked_at": now,
            "expires_at": expires_at,
        },
    )
    record(
        actor=actor,
        action="risk.rearm_request",
        subject=f"trading_state:{scope}",
        after={"epoch": epoch, "expires_at": expires_at, "reset_drawdown": reset_drawdown},
        reason=reason,
        now=now,
    )


def _approve(asked: RearmRequest, *, actor: str, now: datetime) -> None:
    """Let the second person in, or say why it must be another."""
    second = person(actor)
    if second == asked.asked_by:
        raise Denied("you asked for it; another person must re-arm", actor=actor)
    raised = (
        TradingStateChange.objects.filter(scope=asked.scope)
        .exclude(to_level=Level.ACTIVE.value)
        .order_by("-epoch")
        .values_list("actor", flat=True)
        .first()
    )
    if raised is not None and second == person(raised):
        raise Denied("you raised the kill switch; another person must re-arm", actor=actor)
    RearmRequest.objects.filter(pk=asked.pk).update(approved_by=second, approved_at=now)


def person(actor: str) -> str:
    """Return who somebody is, at whatever door: ``cli:anna`` and ``Anna`` are one person."""
    return actor.removeprefix("cli:").strip().lower()

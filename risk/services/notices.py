"""What people and pages hear of a change of the kill switch, after it is committed."""

from datetime import datetime

from django.db import transaction

from alerts import push
from alerts.services.raising import raise_alert
from risk.domain.trading_state import GLOBAL, Level, StateView

_SEVERITIES = {
    Level.ACTIVE: "INFO",
    Level.REDUCE_ONLY: "ERROR",
    Level.HALT: "CRITICAL",
    Level.CANCEL: "CRITICAL",
    Level.FLATTEN: "CRITICAL",
}


def announce_state(
    *, scope: str, state: StateView, from_level: Level, reason: str, actor: str, now: datetime
) -> None:
    """Tell of the new state once the transaction has committed.

    `robust`: a failure to tell is logged by Django and changes nothing about what was done.
    """

    # A plain function: Django's message about a failing robust callback cannot name a partial.
    def tell() -> None:
        _tell(scope=scope, state=state, from_level=from_level, reason=reason, actor=actor, now=now)

    transaction.on_commit(tell, robust=True)


def _tell(
    *, scope: str, state: StateView, from_level: Level, reason: str, actor: str, now: datetime
) -> None:
    is_level_change = state.level is not from_level
    if is_level_change:
        raise_alert(
            code="KILL_SWITCH",
            severity=_SEVERITIES[state.level],
            message=f"Kill switch ({scope}) {from_level} to {state.level} by {actor}: {reason}",
            context={
                "scope": scope,
                "level": state.level.value,
                "epoch": state.epoch,
                "actor": actor,
            },
            dedupe_key=f"KILL_SWITCH:{scope}:{state.epoch}",
            now=now,
        )
    if scope != GLOBAL:
        return  # the pages' state is the global one
    push.publish(
        {
            "type": "risk_state",
            "at": now,
            "level": state.level.value,
            "epoch": state.epoch,
            "is_running": state.is_running,
            "reason": reason,
        }
    )

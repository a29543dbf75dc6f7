"""A person's way back from the kill switch, in one transaction."""

from datetime import datetime

from django.db import transaction

from risk.domain.trading_state import GLOBAL, StateView
from risk.selectors import latest_metrics
from risk.services.equity import reset_high_water_mark
from risk.services.trading_state import rearm


@transaction.atomic
def rearm_trading(
    *,
    reason: str,
    actor: str,
    reset_drawdown: bool,
    now: datetime,
    expected_epoch: int | None = None,
    scope: str = GLOBAL,
) -> StateView:
    """Re-arm, on request with a new high-water mark at the present equity.

    Without the new mark a drawdown stop would close again at the next record of equity.

    Raises:
        InvalidInput: No reason was given.
        Denied: The actor is not a person.
        Conflict: The state is no longer the one of `expected_epoch`.
    """
    state = rearm(reason=reason, actor=actor, now=now, expected_epoch=expected_epoch, scope=scope)
    metrics = latest_metrics() if reset_drawdown else None
    if metrics is not None:
        reset_high_water_mark(account_id=metrics.account_id, now=now)
    return state

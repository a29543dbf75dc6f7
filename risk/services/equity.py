"""Keeping the account's worth, and closing the door when too much is lost."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from alerts import push
from risk.domain.metrics import EquityPoint, Worth, next_point
from risk.domain.snapshot import ZERO
from risk.domain.trading_state import Level
from risk.models import RiskMetrics
from risk.selectors import get_limits, latest_metrics
from risk.services.trading_state import lock_account, raise_level

_GRID = Decimal("1e-18")
_TICK = timedelta(milliseconds=1)


@transaction.atomic
def record_equity(*, account_id: int, worth: Worth, now: datetime) -> EquityPoint:
    """Store one row of ``risk_metrics`` and raise the kill switch when a loss limit is reached.

    A second call for the same moment, or for one before the newest record, stores nothing.

    Args:
        account_id: Whose.
        worth: At the marks of `now`.
        now: Market time of the marks.
    """
    lock_account(account_id)
    previous = latest_metrics(account_id=account_id)
    if previous is not None and previous.timestamp >= now:
        return previous.point
    point = next_point(
        previous.point if previous else None, equity=worth.equity, now=now, flow=worth.flow
    )
    drawdown = point.drawdown_fraction.quantize(_GRID)
    RiskMetrics.objects.create(
        account_id=account_id,
        timestamp=now,
        equity=point.equity,
        cash=worth.cash,
        exposure=worth.exposure,
        unrealized_pnl=worth.unrealized_pnl,
        realized_pnl=worth.realized_pnl,
        daily_pnl=point.daily_pnl,
        drawdown_fraction=drawdown,
        high_water_mark=point.high_water_mark,
        day_start_equity=point.day_start_equity,
        open_positions=worth.open_positions,
        basis={**worth.basis, "flow": format(worth.flow, "f")},
    )
    _close_on_loss(point=point, now=now)
    push.publish(
        {
            "type": "equity",
            "at": now,
            "equity": point.equity,
            "cash": worth.cash,
            "exposure": worth.exposure,
            "unrealized_pnl": worth.unrealized_pnl,
            "realized_pnl": worth.realized_pnl,
            "daily_pnl": point.daily_pnl,
            "drawdown_fraction": float(drawdown),
        }
    )
    return point


@transaction.atomic
def reset_high_water_mark(*, account_id: int, now: datetime) -> EquityPoint | None:
    """Start a new high-water mark at the present equity; for a person who re-arms.

    Returns:
        The new point; None when no equity was ever recorded.
    """
    lock_account(account_id)
    previous = latest_metrics(account_id=account_id)
    if previous is None:
        return None
    # The newest record must stay the newest, whatever the clock says.
    at = max(now, previous.timestamp + _TICK)
    RiskMetrics.objects.create(
        account_id=account_id,
        timestamp=at,
        equity=previous.equity,
        cash=previous.cash,
        exposure=previous.exposure,
        unrealized_pnl=previous.unrealized_pnl,
        realized_pnl=previous.realized_pnl,
        daily_pnl=previous.daily_pnl,
        drawdown_fraction=ZERO,
        high_water_mark=previous.equity,
        day_start_equity=previous.day_start_equity,
        open_positions=previous.open_positions,
        basis={"reset": True},
    )
    return replace(previous.point, at=at, high_water_mark=previous.equity)


def _close_on_loss(*, point: EquityPoint, now: datetime) -> None:
    """Raise the kill switch to REDUCE_ONLY at a loss limit; only a person opens it again."""
    limits = get_limits()
    if limits is None:
        return
    if -point.daily_pnl >= limits.max_daily_loss:
        raise_level(
            level=Level.REDUCE_ONLY,
            reason=f"daily loss {-point.daily_pnl:f} reached {limits.max_daily_loss:f}",
            actor="auto:daily_loss",
            now=now,
        )
    if point.drawdown_fraction >= limits.max_drawdown_fraction:
        raise_level(
            level=Level.REDUCE_ONLY,
            reason=(
                f"drawdown {point.drawdown_fraction:.4f} reached {limits.max_drawdown_fraction:f}"
            ),
            actor="auto:drawdown",
            now=now,
        )

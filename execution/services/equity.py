"""What the account is worth at market, for the loss limits and the charts."""

from datetime import datetime

from alerts.services.raising import raise_alert
from execution.services.portfolio import value_account
from risk.domain.metrics import EquityPoint
from risk.services import equity


def record_equity(*, account_id: int, now: datetime) -> EquityPoint | None:
    """Value the account and hand it to risk, which closes the door at a loss limit.

    Returns:
        The new point; None when a position has no price: an equity that leaves it out would
        look like a loss.
    """
    value = value_account(account_id=account_id)
    if value.missing_marks:
        raise_alert(
            code="EQUITY_UNKNOWN",
            severity="WARNING",
            message=f"No price for {', '.join(value.missing_marks)}: equity is not recorded",
            context={"symbols": list(value.missing_marks)},
            now=now,
        )
        return None
    return equity.record_equity(
        account_id=account_id,
        cash=value.cash,
        exposure=value.exposure,
        unrealized_pnl=value.unrealized_pnl,
        realized_pnl=value.realized_pnl,
        open_positions=value.open_positions,
        now=now,
    )

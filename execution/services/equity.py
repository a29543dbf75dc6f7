"""What the account is worth at market, for the loss limits and the charts."""

from datetime import datetime

from django.db import transaction

from alerts.services.raising import raise_alert
from execution.services.portfolio import value_account
from risk.domain.metrics import EquityPoint
from risk.services import equity
from risk.services.trading_state import lock_account


@transaction.atomic
def record_equity(*, account_id: int, now: datetime) -> EquityPoint | None:
    """Value the account and hand it to risk, which closes the door at a loss limit.

    Returns:
        The new point; None when a position has no price: an equity that leaves it out would
        look like a loss.
    """
    lock_account(account_id)  # a fill that is being booked would count by half
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
    return equity.record_equity(account_id=account_id, worth=value, now=now)

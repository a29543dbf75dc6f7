"""The rows that must exist before anything may trade."""

from risk.domain.trading_state import GLOBAL, Level
from risk.models import RiskLimits, TradingState, TradingStateChange
from risk.selectors import LIMITS_ID


def create_rows(*, using: str = "default") -> None:
    """Create the default limits and the kill switch where they are missing, after a migrate.

    A new system is ACTIVE and stopped. A kill switch that has a history but lost its row comes
    back shut: what it was set to is not known.
    """
    RiskLimits.objects.using(using).get_or_create(pk=LIMITS_ID)
    changes = TradingStateChange.objects.using(using).filter(scope=GLOBAL)
    newest = changes.order_by("-epoch").first()
    TradingState.objects.using(using).get_or_create(
        scope=GLOBAL,
        defaults={
            "level": (Level.HALT if newest else Level.ACTIVE).value,
            "epoch": newest.epoch + 1 if newest else 1,
            "reason": "created by migrate",
            "actor": "auto:setup",
        },
    )

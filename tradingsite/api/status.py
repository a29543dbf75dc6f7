"""The state of the whole system, for operators and for probes."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from execution.selectors import find_account_id, latest_reconciliation, list_positions
from execution.services.attribution import count_closing_reasons
from markets.selectors import list_marks, list_subscriptions
from mlmodels.selectors import get_champion
from risk.domain.trading_state import StateView
from risk.selectors import latest_metrics
from tradingsite.dashboard.snapshot import list_component_rows

_DAY = timedelta(days=1)


def describe_system(*, state: StateView, now: datetime) -> dict[str, Any]:
    """Return every component's health and the ages of what decisions rest on.

    Args:
        state: The kill switch as read for this answer.
        now: Market time; ages are in market seconds.
    """
    subscriptions = list_subscriptions()
    marks = list_marks([subscription.instrument_id for subscription in subscriptions])
    reconciliation = latest_reconciliation(account_id=find_account_id(settings.ACCOUNT_NAME))
    metrics = latest_metrics()
    return {
        "kill_level": state.level.value,
        "kill_epoch": state.epoch,
        "components": list_component_rows(now=now),
        "data": [
            {
                "symbol": subscription.symbol,
                "timeframe": subscription.timeframe.value,
                "age_s": _age_s(marks, subscription.instrument_id, now),
            }
            for subscription in subscriptions
        ],
        "models": [
            _describe_model(timeframe, now=now)
            for timeframe in sorted({s.timeframe.value for s in subscriptions})
        ],
        "closing_reasons": count_closing_reasons(since=now - _DAY, until=now),
        "reconciliation": None
        if reconciliation is None
        else {
            "is_green": reconciliation.is_green,
            "age_s": (now - reconciliation.timestamp).total_seconds(),
        },
        "open_risk": {
            "open_positions": list_positions().filter(status="open").count(),
            "equity": metrics.equity if metrics else None,
            "exposure": metrics.exposure if metrics else None,
            "daily_pnl": metrics.daily_pnl if metrics else None,
            "drawdown_fraction": metrics.drawdown_fraction if metrics else None,
        },
    }


def _describe_model(timeframe: str, *, now: datetime) -> dict[str, Any]:
    champion = get_champion(timeframe)
    if champion is None:
        return {"timeframe": timeframe, "state": "NO_MODEL", "fix": "manage.py retrain"}
    return {
        "timeframe": timeframe,
        "state": champion.verdict,
        "name": champion.name,
        "version": champion.version_id,
        "age_s": (now - champion.trained_until).total_seconds(),
    }


def _age_s(marks: dict[int, Any], instrument_id: int, now: datetime) -> float | None:
    mark = marks.get(instrument_id)
    return None if mark is None else (now - mark.at).total_seconds()

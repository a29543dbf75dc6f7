"""The desk's report: what happened in a period, gathered from every room."""

from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import Any

from alerts.selectors import list_alerts
from core.clock import to_ms
from execution.selectors import get_account
from execution.services import period as trading
from execution.services.period import Period
from mlmodels.services.report import measure_models
from risk.domain.metrics import drawdown_fraction
from risk.selectors import list_metrics, list_state_changes, list_verdicts

_ZERO = Decimal(0)
_GRID = Decimal("1e-6")


def build_report(
    *, account_name: str, since: datetime, until: datetime, now: datetime
) -> dict[str, Any]:
    """Return everything that the report says; money in quote units as Decimal, times aware.

    Args:
        account_name: Whose desk.
        since: Start of the period, market time.
        until: Its end, not part of it.
        now: The present, market time.

    Raises:
        NotFound: There is no such account.
    """
    account = get_account(account_name)
    period = Period(account_id=account.pk, since=since, until=until)
    return {
        "account": account.name,
        "mode": account.mode,
        "quote_asset": account.quote_asset,
        "since": since,
        "until": until,
        "made_at": now,
        "equity": _equity(period),
        "results": trading.sum_results(period),
        "slippage": trading.measure_slippage(period),
        "decisions": trading.count_decisions(period),
        "gate": _gate(period),
        "orders": trading.count_orders(period),
        "models": measure_models(since=since, until=until),
        "incidents": _incidents(period),
        "comparisons": trading.count_comparisons(period),
        "unprotected": trading.measure_bare(period, until=now),
    }


def _equity(period: Period) -> dict[str, Any]:
    rows = list_metrics().filter(account_id=period.account_id)
    before = rows.filter(timestamp__lt=period.since).values_list("equity", flat=True).first()
    inside = list(
        rows.filter(**period.within("timestamp"))
        .order_by("timestamp", "pk")
        .values_list("timestamp", "equity", "basis", "unrealized_pnl")
    )
    curve = [(to_ms(at), equity) for at, equity, _basis, _open in inside]
    if not curve:
        return {"start": before, "end": before, "change": None, "curve": []}
    flow = sum((Decimal(row[2].get("flow", "0")) for row in inside), _ZERO)
    start = before if before is not None else curve[0][1]
    high, deepest = start, _ZERO
    for _at, equity in curve:
        high = max(high, equity)
        deepest = max(deepest, drawdown_fraction(equity=equity, high_water_mark=high))
    return {
        "start": start,
        "end": curve[-1][1],
        "change": curve[-1][1] - start - flow,
        "flow": flow,
        "high": max(equity for _at, equity in curve),
        "low": min(equity for _at, equity in curve),
        "max_drawdown": deepest.quantize(_GRID),
        "unrealized": inside[-1][3],
        "curve": curve,
    }


def _gate(period: Period) -> dict[str, Any]:
    rows = list_verdicts().filter(account_id=period.account_id, **period.within("created_at"))
    codes = Counter(rows.filter(approved=False).values_list("code", flat=True).iterator())
    return {
        "asked": rows.count(),
        "refused": sum(codes.values()),
        "by_code": dict(sorted(codes.items(), key=lambda pair: (-pair[1], pair[0]))),
    }


def _incidents(period: Period) -> dict[str, Any]:
    """Return warnings and worse by kind, and every move of the kill switches."""
    kinds: dict[tuple[str, str], dict[str, Any]] = {}
    alerts = list_alerts().filter(**period.within("timestamp"))
    for alert in alerts.exclude(severity__in=["DEBUG", "INFO"]).order_by("pk"):
        key = (alert.severity, alert.code)
        row = kinds.setdefault(key, {"severity": key[0], "code": key[1], "count": 0})
        row["count"] += alert.count
        row["last_at"], row["message"] = alert.last_at, alert.message
    order = {"CRITICAL": 0, "ERROR": 1, "WARNING": 2}
    changes = list_state_changes().filter(**period.within("timestamp")).order_by("pk")
    return {
        "alerts": sorted(kinds.values(), key=lambda row: (order[row["severity"]], row["code"])),
        "kill_switch": list(
            changes.values("timestamp", "scope", "from_level", "to_level", "actor", "reason")
        ),
    }

"""What closed decisions, and which predictions the money came from."""

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count

from execution.domain.order import Leg
from execution.models import Decision, Fill, Position

_NEWEST = 2000
_ZERO = Decimal(0)
_BPS = 10_000.0


def count_closing_reasons(*, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Return how often each reason closed a decision, by strategy, the most frequent first.

    Args:
        since: First close.
        until: Last close.

    Returns:
        ``{"strategy", "reason", "action", "count", "share"}``; a strategy's shares add up to 1.
    """
    rows = list(
        Decision.objects.filter(close_time__gte=since, close_time__lte=until)
        .values("strategy__name", "reason", "action")
        .annotate(count=Count("id"))
        .order_by("strategy__name", "-count", "reason")
    )
    totals: dict[str, int] = defaultdict(int)
    for row in rows:
        totals[row["strategy__name"]] += row["count"]
    return [
        {
            "strategy": row["strategy__name"],
            "reason": row["reason"],
            "action": row["action"],
            "count": row["count"],
            "share": row["count"] / totals[row["strategy__name"]],
        }
        for row in rows
    ]


def attribute_results(*, account_name: str) -> list[dict[str, Any]]:
    """Return what came of the newest round trips, by the model and symbol that entered them.

    Returns:
        ``{"model", "symbol", "trades", "realized_pnl", "expected_bps", "made_bps", "forecast_bps",
        "came_bps"}``: the mean edge that was expected of a trade beside the mean net result, and
        the mean return that was predicted beside the mean that came over the horizon (None as
        long as none has passed). Manual entries and rounds without a prediction are left out.
    """
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    seen: set[int] = set()
    for row in _list_entries(account_name):
        if row["position_id"] not in seen and row["position__entry_quote"]:
            seen.add(row["position_id"])
            groups[row["order__decision__prediction__model_name"], row["symbol"]].append(row)
    return [
        {"model": model, "symbol": symbol, **_sum_up(rows)}
        for (model, symbol), rows in sorted(groups.items())
    ]


def _list_entries(account_name: str) -> list[dict[str, Any]]:
    return list(
        Fill.objects.filter(
            position__account__name=account_name,
            position__status=Position.Status.CLOSED.value,
            order__leg=Leg.ENTRY.value,
            order__decision__prediction__isnull=False,
        )
        .order_by("-position_id", "id")
        .values(
            *("position_id", "symbol", "position__realized_pnl", "position__entry_quote"),
            "order__decision__edge_bps",
            "order__decision__prediction__model_name",
            "order__decision__prediction__expected_return",
            "order__decision__prediction__realized_return",
        )[:_NEWEST]
    )


def _sum_up(rows: list[dict[str, Any]]) -> dict[str, Any]:
    predicted = "order__decision__prediction__"
    done = [row for row in rows if row[f"{predicted}realized_return"] is not None]
    return {
        "trades": len(rows),
        "realized_pnl": sum((row["position__realized_pnl"] for row in rows), _ZERO),
        "expected_bps": _mean([row["order__decision__edge_bps"] for row in rows]),
        "made_bps": _mean(
            [
                float(row["position__realized_pnl"] / row["position__entry_quote"]) * _BPS
                for row in rows
            ]
        ),
        "forecast_bps": _mean([row[f"{predicted}expected_return"] * _BPS for row in done]),
        "came_bps": _mean([row[f"{predicted}realized_return"] * _BPS for row in done]),
    }


def _mean(numbers: list[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return sum(known) / len(known) if known else None

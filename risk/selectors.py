"""What others may read of risk."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from core.prepared import PreparedQuery
from risk import models
from risk.domain.limits import LimitsInvalid, RiskLimits
from risk.domain.metrics import EquityPoint, day_of

LIMITS_ID = 1
_NAMES = tuple(field.name for field in fields(RiskLimits))
_LIMITS = PreparedQuery(
    lambda: models.RiskLimits.objects.filter(pk=LIMITS_ID).values_list("version", *_NAMES)
)
_LATEST_POINT = PreparedQuery(
    lambda account_id: (
        models.RiskMetrics.objects.filter(account_id=account_id)
        .order_by("-timestamp", "-id")
        .values_list("timestamp", "equity", "day_start_equity", "high_water_mark")[:1]
    ),
    "account_id",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsInForce:
    """The limits as a transaction read them.

    Attributes:
        limits: None: there are none, or none that can be trusted, and nothing may trade.
        version: Of their row; None: there is none.
    """

    limits: RiskLimits | None
    version: int | None


def get_limits() -> RiskLimits | None:
    """Return the limits in force; None: there is no row, and nothing may trade.

    Raises:
        LimitsInvalid: Somebody wrote a value past the validation.
    """
    row = next(_LIMITS(), None)
    return None if row is None else _of_columns(row)


def read_limits() -> LimitsInForce:
    """Return the limits for the gate; such as cannot be trusted count as missing."""
    row = next(_LIMITS(), None)
    if row is None:
        return LimitsInForce(limits=None, version=None)
    try:
        return LimitsInForce(limits=_of_columns(row), version=row[0])
    except LimitsInvalid:
        return LimitsInForce(limits=None, version=row[0])


def _of_columns(row: Sequence[Any]) -> RiskLimits:
    return RiskLimits(**dict(zip(_NAMES, row[1:], strict=True)))


def get_limits_row() -> models.RiskLimits | None:
    """Return the row of limits with its version; None: it is missing."""
    return models.RiskLimits.objects.filter(pk=LIMITS_ID).first()


def counts_by_version() -> dict[int, tuple[int, int]]:
    """Return the most positions and the most open orders of every version of the limits."""
    columns = ("version", "max_positions", "max_open_orders")
    rows = [
        *models.RiskLimits.history.order_by("history_id").values_list(*columns),
        *models.RiskLimits.objects.values_list(*columns),
    ]
    return {version: (positions, orders) for version, positions, orders in rows}


def to_limits(row: models.RiskLimits) -> RiskLimits:
    """Return the row as a domain value.

    Raises:
        LimitsInvalid: Somebody wrote a value past the validation.
    """
    return RiskLimits(**{field.name: getattr(row, field.name) for field in fields(RiskLimits)})


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsView:
    """A row of ``risk_metrics``; money in quote units."""

    id: int
    account_id: int
    timestamp: datetime
    equity: Decimal
    cash: Decimal
    exposure: Decimal
    unrealized_pnl: Decimal
    realized_pnl: Decimal
    daily_pnl: Decimal
    drawdown_fraction: Decimal
    high_water_mark: Decimal
    day_start_equity: Decimal
    open_positions: int
    basis: dict[str, Any]

    @property
    def point(self) -> EquityPoint:
        """The part that the next record and the gate are measured against."""
        return EquityPoint(
            at=self.timestamp,
            equity=self.equity,
            day_start_equity=self.day_start_equity,
            high_water_mark=self.high_water_mark,
        )

    def day_start_on(self, now: datetime) -> Decimal:
        """Return the equity that the UTC day of `now` began with, even before its first record."""
        return self.day_start_equity if day_of(self.timestamp) == day_of(now) else self.equity


def latest_metrics(*, account_id: int | None = None) -> MetricsView | None:
    """Return the newest record of equity (of one account); None before the first."""
    rows = models.RiskMetrics.objects.order_by("-timestamp", "-id")
    if account_id is not None:
        rows = rows.filter(account_id=account_id)
    row = rows.first()
    return None if row is None else _to_view(row)


def latest_point(*, account_id: int) -> EquityPoint | None:
    """Return the newest record of an account's equity as the gate measures by it."""
    row = next(_LATEST_POINT(account_id=account_id), None)
    if row is None:
        return None
    at, equity, day_start_equity, high_water_mark = row
    return EquityPoint(
        at=at, equity=equity, day_start_equity=day_start_equity, high_water_mark=high_water_mark
    )


def load_curve(*, account_id: int) -> list[MetricsView]:
    """Return all records of an account's equity, oldest first."""
    rows = models.RiskMetrics.objects.filter(account_id=account_id).order_by("timestamp", "pk")
    return [_to_view(row) for row in rows]


def _to_view(row: models.RiskMetrics) -> MetricsView:
    return MetricsView(**{field.name: getattr(row, field.name) for field in fields(MetricsView)})


def latest_basis(*, account_id: int) -> dict[str, Any]:
    """Return what the newest valued record of equity was computed from; empty before the first."""
    rows = models.RiskMetrics.objects.filter(account_id=account_id, basis__has_key="entry")
    return rows.order_by("-timestamp", "-id").values_list("basis", flat=True).first() or {}


def list_metrics() -> QuerySet[models.RiskMetrics]:
    """Return all records of equity, newest first."""
    return models.RiskMetrics.objects.order_by("-timestamp", "-id")


def list_state_changes() -> QuerySet[models.TradingStateChange]:
    """Return all changes of the kill switches, newest first."""
    return models.TradingStateChange.objects.order_by("-timestamp", "-id")


def find_rearm_request(*, scope: str, epoch: int, now: datetime) -> models.RearmRequest | None:
    """Return the wish to re-arm that waits for a second person; None: nobody has asked."""
    return models.RearmRequest.objects.filter(
        scope=scope, epoch=epoch, approved_at=None, expires_at__gt=now
    ).first()


def list_verdicts() -> QuerySet[models.RiskVerdict]:
    """Return the gate's answers, newest first."""
    return models.RiskVerdict.objects.order_by("-created_at", "-id")


def list_denials() -> QuerySet[models.RiskVerdict]:
    """Return the refused intents, newest first."""
    return list_verdicts().filter(approved=False)

"""Prometheus metrics, read from the database and the broker when they are scraped.

Counting in each process would need shared files and lose what a killed process knew; the rows are
the truth anyway.
"""

from collections.abc import Iterator

from django.conf import settings
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from core.clock import get_clock
from core.health import list_components
from execution.selectors import (
    find_account_id,
    latest_reconciliation,
    list_decisions,
    list_fills,
    list_orders,
    list_positions,
)
from risk.selectors import latest_metrics
from risk.services.trading_state import read_state

_PREFIX = "trading"


def metrics(_request: HttpRequest) -> HttpResponse:
    """Answer in Prometheus' text form."""
    registry = CollectorRegistry()
    registry.register(_Desk())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Desk(Collector):
    def collect(self) -> Iterator[Metric]:
        yield from _counts()
        yield from _risk()
        yield from _health()
        yield from _guard()

    def describe(self) -> list[Metric]:
        # Nothing is known before a scrape, and registering must not read the database.
        return []


def _counts() -> Iterator[Metric]:
    yield _labelled(
        "orders", "Orders by state", "state", list_orders().order_by().values_list("state")
    )
    yield _labelled(
        "decisions",
        "Decisions by action",
        "action",
        list_decisions().order_by().values_list("action"),
    )
    yield _gauge("fills", "Executions booked", list_fills().count())
    open_positions = list_positions().filter(status="open").count()
    yield _gauge("open_positions", "Positions that are open", open_positions)


def _risk() -> Iterator[Metric]:
    state = read_state()
    yield _gauge("kill_level", "0 ACTIVE to 4 FLATTEN", state.level.rank)
    yield _gauge("running", "1 while strategies may open positions", int(state.is_running))
    view = latest_metrics()
    if view is not None:
        for name in ("equity", "exposure", "daily_pnl", "drawdown_fraction"):
            yield _gauge(name, f"{name} of the account", float(getattr(view, name)))
    account_id = find_account_id(settings.ACCOUNT_NAME)
    reconciliation = latest_reconciliation(account_id=account_id)
    if reconciliation is not None:
        yield _gauge("reconciled", "1 when the last comparison was green", reconciliation.is_green)


def _guard() -> Iterator[Metric]:
    """What the guardian measures; absent while nobody knows."""
    for view in list_components(now=get_clock().now()):
        if view.name != "guard":
            continue
        for name, text in (
            ("unprotected_s", "Wall seconds that the barest open position is without a stop"),
            ("longest_unprotected_s", "The most of it since the guardian started"),
            ("clock_offset_ms", "The exchange's clock less ours"),
        ):
            value = view.detail.get(name)
            if value is not None:
                yield _gauge(name, text, float(value))


def _health() -> Iterator[Metric]:
    ages = GaugeMetricFamily(
        f"{_PREFIX}_component_age_seconds", "Wall time since the last beat", labels=["component"]
    )
    for view in list_components(now=get_clock().now()):
        ages.add_metric([view.name], view.age_s)
    yield ages


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{_PREFIX}_{name}", text, value=value)


def _labelled(name: str, text: str, label: str, rows: object) -> Metric:
    family = GaugeMetricFamily(f"{_PREFIX}_{name}", text, labels=[label])
    for value, count in rows.annotate(count=Count("id")):  # type: ignore[attr-defined]
        family.add_metric([value], count)
    return family

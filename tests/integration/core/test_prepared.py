"""Queries whose SQL is made once answer what Django's own would, every time anew."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from core.prepared import PreparedQuery
from risk.models import RiskMetrics

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
COLUMNS = ("account_id", "timestamp", "equity", "basis")


def store(account_id: int, hours: int) -> None:
    money = {
        name: Decimal(100 + hours) / 8
        for name in ("equity", "cash", "exposure", "unrealized_pnl", "realized_pnl", "daily_pnl")
    }
    RiskMetrics.objects.create(
        account_id=account_id,
        timestamp=NOW + timedelta(hours=hours),
        **money,
        drawdown_fraction=0,
        high_water_mark=200,
        day_start_equity=100,
        open_positions=1,
        basis={"entry": hours},
    )


def since(account_id, moment):
    rows = RiskMetrics.objects.filter(account_id=account_id, timestamp__gte=moment)
    return rows.order_by("-timestamp").values_list(*COLUMNS)


@pytest.mark.django_db
def test_it_answers_what_the_query_set_would_and_builds_it_once():
    built = []

    def build(account_id, moment):
        built.append((account_id, moment))
        return since(account_id, moment)

    query = PreparedQuery(build, "account_id", "moment")
    for account_id in (7, 8):
        for hours in range(4):
            store(account_id, hours)

    for account_id, moment in ((7, NOW), (8, NOW + timedelta(hours=2)), (9, NOW)):
        rows = [tuple(row) for row in query(account_id=account_id, moment=moment)]
        assert rows == list(since(account_id, moment))
    assert [row[0] for row in query(account_id=7, moment=NOW)] == [7] * 4
    assert len(built) == 1


@pytest.mark.django_db
def test_it_keeps_the_sql_and_never_the_rows():
    query = PreparedQuery(lambda: RiskMetrics.objects.values_list("account_id"))
    assert list(query()) == []

    store(7, 0)

    assert list(query()) == [[7]]

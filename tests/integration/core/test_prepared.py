"""Queries whose SQL is made once answer what Django's own would, every time anew."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from core.prepared import PreparedQuery, PreparedRows
from execution.models import Account, Strategy
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


def of_accounts(ids):
    rows = RiskMetrics.objects.filter(account_id__in=ids).order_by("account_id", "timestamp")
    return rows.values_list(*COLUMNS)


@pytest.mark.django_db
def test_a_list_may_have_any_length_and_its_values_any_order():
    built = []

    def build(ids):
        built.append(len(ids))
        return of_accounts(ids)

    query = PreparedQuery(build, "ids")
    for account_id in range(40):
        store(account_id, 0)

    for ids in ([7], [9, 8], [8, 9], [8, 8], [70], [*range(40)], [*range(40)], []):
        assert [tuple(row) for row in query(ids=ids)] == list(of_accounts(ids)), ids

    # Long ones are not kept; of none nobody asks the database.
    assert built == [1, 2, 40, 40, 0]


@pytest.fixture
def strategies(db):
    for name in ("first", "second"):
        account = Account.objects.create(name=name, mode="demo", quote_asset="USDT", created_at=NOW)
        Strategy.objects.create(name=name, account=account)
    Strategy.objects.create(name="third", account=account)


def with_account(names):
    rows = Strategy.objects.filter(name__in=names).select_related("account")
    return rows.defer("timeframe", "account__mode").order_by("-name")


@pytest.mark.usefixtures("strategies")
def test_rows_come_as_the_query_set_would_give_them(django_assert_num_queries):
    query = PreparedRows[Strategy](with_account, "names")
    assert query(names=[]) == []

    for names in (["first"], ["first", "second"], ["third", "second"], ["nobody"]):
        with django_assert_num_queries(1):
            found = query(names=names)
            accounts = [row.account.name for row in found]
        expected = list(with_account(names))
        assert found == expected
        assert accounts == [row.account.name for row in expected]
        for row, other in zip(found, expected, strict=True):
            assert row.__dict__.keys() == other.__dict__.keys()
            assert row.get_deferred_fields() == other.get_deferred_fields() == {"timeframe"}
            assert row.account.get_deferred_fields() == {"mode"}
            assert not row._state.adding
            assert row._state.db == other._state.db

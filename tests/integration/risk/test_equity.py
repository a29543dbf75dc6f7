from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection

from risk.domain.metrics import Worth
from risk.domain.trading_state import Level
from risk.models import RiskMetrics
from risk.selectors import latest_metrics, latest_point
from risk.services.equity import record_equity
from risk.services.rearming import rearm_trading
from risk.services.trading_state import read_state

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
D = Decimal

pytestmark = pytest.mark.django_db


def keep(equity: str, *, minutes: int = 0, account_id: int = 7, **changes):
    figures = {
        "cash": D(equity),
        "exposure": D(0),
        "unrealized_pnl": D(0),
        "realized_pnl": D(0),
        **changes,
    }
    return record_equity(
        account_id=account_id, worth=Worth(**figures), now=NOON + timedelta(minutes=minutes)
    )


def test_it_keeps_what_people_query() -> None:
    keep("10000.123456789012345678")
    keep("9000.5", minutes=5, exposure=D("500.25"), open_positions=2)

    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM risk_metrics ORDER BY timestamp DESC LIMIT 1;")
        names = [column[0] for column in cursor.description]
        row = dict(zip(names, cursor.fetchone(), strict=True))
    assert {"timestamp", "equity", "cash", "exposure", "daily_pnl", "drawdown_fraction"} <= set(row)
    assert D(row["equity"]) == D("9500.75")
    latest = latest_metrics()
    assert latest.daily_pnl == D("9500.75") - D("10000.123456789012345678")
    assert latest.high_water_mark == D("10000.123456789012345678")
    assert latest.drawdown_fraction.as_tuple().exponent >= -18


def test_the_same_moment_is_kept_once() -> None:
    first = keep("10000")

    again = keep("5000")

    assert again == first
    assert RiskMetrics.objects.count() == 1
    assert read_state().level is Level.ACTIVE


@pytest.mark.parametrize(
    ("equity", "level"),
    [("19000.01", Level.ACTIVE), ("19000", Level.REDUCE_ONLY), ("18999.99", Level.REDUCE_ONLY)],
)
def test_the_daily_loss_closes_the_door(equity: str, level: Level) -> None:
    keep("20000")

    keep(equity, minutes=5)

    assert read_state().level is level


@pytest.mark.parametrize(
    ("equity", "level"),
    [("4500.01", Level.ACTIVE), ("4500", Level.REDUCE_ONLY), ("4499.99", Level.REDUCE_ONLY)],
)
def test_the_drawdown_closes_the_door(equity: str, level: Level) -> None:
    keep("5000")

    keep(equity, minutes=5)

    assert read_state().level is level


def test_a_deposit_is_neither_profit_nor_loss() -> None:
    keep("5000")

    keep("2000", minutes=5, flow=D(-3000))

    assert read_state().level is Level.ACTIVE
    assert latest_metrics().daily_pnl == 0


def test_only_a_person_reopens_and_may_start_a_new_mark() -> None:
    keep("5000")
    keep("4400", minutes=5)

    rearm_trading(reason="cause found", actor="anna", reset_drawdown=True, now=NOON)
    keep("4400", minutes=10)

    assert read_state().level is Level.ACTIVE
    assert latest_metrics().high_water_mark == D(4400)
    assert latest_metrics().drawdown_fraction == 0


def test_without_a_new_mark_the_door_closes_again() -> None:
    keep("5000")
    keep("4400", minutes=5)

    rearm_trading(reason="too early", actor="anna", reset_drawdown=False, now=NOON)
    keep("4400", minutes=10)

    assert read_state().level is Level.REDUCE_ONLY


def test_accounts_have_marks_of_their_own() -> None:
    keep("5000")

    keep("100", minutes=5, account_id=8)

    assert read_state().level is Level.ACTIVE
    assert latest_metrics(account_id=7).equity == D(5000)
    assert latest_point(account_id=7) == latest_metrics(account_id=7).point
    assert latest_point(account_id=9) is None


def test_a_new_day_starts_with_the_last_equity_before_its_first_record() -> None:
    keep("5000")
    keep("4900", minutes=5)

    metrics = latest_metrics(account_id=7)

    assert metrics.day_start_on(NOON + timedelta(hours=11)) == D(5000)
    assert metrics.day_start_on(NOON + timedelta(hours=12)) == D(4900)

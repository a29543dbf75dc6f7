import time
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.domain.metrics import EquityPoint, Worth, day_of, drawdown_fraction, next_point

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
D = Decimal


def test_an_account_is_worth_its_cash_and_what_it_holds() -> None:
    worth = Worth(cash=D(100), exposure=D(40), unrealized_pnl=D(7), realized_pnl=D(9))

    assert worth.equity == 140


def test_it_starts_with_the_first_equity() -> None:
    point = next_point(None, equity=D(100), now=NOON)

    assert (point.daily_pnl, point.drawdown_fraction, point.high_water_mark) == (0, 0, 100)


def test_it_measures_loss_and_drawdown_exactly() -> None:
    first = next_point(None, equity=D("100"), now=NOON)
    top = next_point(first, equity=D("120"), now=NOON + timedelta(hours=1))

    low = next_point(top, equity=D("90"), now=NOON + timedelta(hours=2))

    assert low.daily_pnl == D(-10)
    assert low.drawdown_fraction == D("0.25")


def test_it_starts_a_day_from_the_last_equity_of_the_old_one() -> None:
    before = EquityPoint(
        at=datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC),
        equity=D(95),
        day_start_equity=D(100),
        high_water_mark=D(100),
    )

    after = next_point(before, equity=D(90), now=datetime(2026, 3, 2, tzinfo=UTC))

    assert after.daily_pnl == D(-5)
    assert after.high_water_mark == D(100)


def test_it_takes_a_deposit_neither_for_profit_nor_for_a_high() -> None:
    first = next_point(None, equity=D(100), now=NOON)
    low = next_point(first, equity=D(90), now=NOON + timedelta(hours=1))

    funded = next_point(low, equity=D(140), now=NOON + timedelta(hours=2), flow=D(50))

    assert funded.daily_pnl == D(-10)
    assert funded.high_water_mark == D(150)


def test_it_counts_days_in_utc() -> None:
    tokyo = datetime(2026, 3, 2, 8, 59, tzinfo=timezone(timedelta(hours=9)))

    assert day_of(tokyo).isoformat() == "2026-03-01"


def test_it_counts_days_in_utc_wherever_the_machine_stands(monkeypatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert day_of(datetime(2026, 3, 1, 23, 59, tzinfo=UTC)).isoformat() == "2026-03-01"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("mark", [D(0), D(-5)])
def test_it_sees_no_drawdown_without_a_positive_mark(mark: Decimal) -> None:
    assert drawdown_fraction(equity=D(-10), high_water_mark=mark) == 0


@given(st.lists(st.decimals(1, 10**9, places=8), min_size=1, max_size=30))
def test_its_high_water_mark_is_the_maximum_so_far(equities: list[Decimal]) -> None:
    point = None
    for index, equity in enumerate(equities):
        point = next_point(point, equity=equity, now=NOON + timedelta(hours=index))

        assert point.high_water_mark == max(equities[: index + 1])
        assert 0 <= point.drawdown_fraction < 1

"""Figures of returns, against numbers that can be checked by hand or are published."""

import math

import numpy as np
import pytest

from execution.backtest import measures
from execution.backtest.measures import Moments
from execution.backtest.monte_carlo import (
    chance_of_random_entries,
    lowest_mean,
    resample_days,
    shuffle_trades,
)

DAY = 86_400_000


def test_it_cuts_equity_into_utc_days():
    times = np.array([DAY // 2, DAY, DAY + 1, 2 * DAY, 2 * DAY + DAY // 2])
    equity = np.array([110.0, 120.0, 130.0, 150.0, 75.0])

    days, returns = measures.daily_returns(times, equity, 100.0)

    # A close at midnight ends the day before it.
    assert days.tolist() == [0, DAY, 2 * DAY]
    assert returns.tolist() == pytest.approx([0.2, 0.25, -0.5])


def test_it_has_no_sharpe_where_there_is_none():
    assert measures.moments(np.array([])) is None
    assert measures.moments(np.array([0.01])) is None
    assert measures.moments(np.full(50, 0.01)) is None


def test_it_measures_moments():
    found = measures.moments(np.array([0.01, -0.01, 0.03, 0.01]))

    assert found.sharpe == pytest.approx(0.01 / math.sqrt(8e-4 / 3))
    assert found.skew == pytest.approx(0.0)
    assert measures.annual(0.1) == pytest.approx(0.1 * math.sqrt(365))


@pytest.mark.parametrize(("trials", "published"), [(1, 0.993), (40, 0.298), (100, 0.160)])
def test_it_deflates_as_published(trials, published):
    # A yearly Sharpe ratio of 1.8 over 504 days of 252 a year, returns normal; the trials' ratios
    # spread by 1 a year.
    found = Moments(count=504, sharpe=1.8 / math.sqrt(252), skew=0.0, kurtosis=3.0)
    best = measures.expected_best_sharpe(trials=trials, spread=1.0 / math.sqrt(252))

    chance = measures.probabilistic_sharpe(found, benchmark=best)

    assert chance == pytest.approx(published, abs=0.01)


def test_it_takes_the_spread_of_trials_without_skill_where_it_knows_none():
    found = Moments(count=504, sharpe=1.8 / math.sqrt(252), skew=0.0, kurtosis=3.0)

    chances = [measures.deflated_sharpe(found, trials=n) for n in (1, 10, 100)]

    assert chances == sorted(chances, reverse=True)
    assert chances[2] == pytest.approx(0.505, abs=0.01)


def test_it_expects_more_of_the_best_of_many():
    best = [measures.expected_best_sharpe(trials=n, spread=1.0) for n in (1, 10, 50, 100, 365)]

    assert best == pytest.approx([0.0, 1.57, 2.28, 2.53, 2.96], abs=0.02)
    with pytest.raises(ValueError, match="1 or more"):
        measures.expected_best_sharpe(trials=0, spread=1.0)


def test_it_knows_how_long_a_record_must_be():
    found = Moments(count=100, sharpe=0.1, skew=0.0, kurtosis=3.0)

    assert measures.shortest_record(found) == pytest.approx(
        1 + 1.005 * (1.645 / 0.1) ** 2, rel=1e-3
    )
    assert measures.shortest_record(Moments(100, -0.1, 0.0, 3.0)) is None


def test_it_measures_drawdown_from_the_highest_and_from_the_start():
    assert measures.drawdowns(np.array([90.0, 120.0, 60.0, 130.0]), 100.0).tolist() == [
        pytest.approx(0.1),
        0.0,
        pytest.approx(0.5),
        0.0,
    ]


def test_it_grows_by_the_year():
    assert measures.annual_growth(0.21, days=730) == pytest.approx(0.1)
    assert measures.annual_growth(-1.0, days=730) is None
    assert measures.annual_growth(0.1, days=0.5) is None
    assert measures.annual_growth(9.0, days=1) is None


def test_it_has_a_sortino_only_with_losses():
    assert measures.sortino(np.array([0.01, 0.02])) is None
    assert measures.sortino(np.array([0.02, -0.01])) == pytest.approx(
        0.005 / math.sqrt(5e-5) * math.sqrt(365)
    )


def test_it_shuffles_trades_without_changing_their_sum():
    rng = np.random.default_rng(1)

    found = shuffle_trades(np.array([50.0, -50.0]), start=100.0, runs=500, rng=rng)

    # Either the loss comes first (a half of 100), or after the gain (a third of 150).
    assert found.runs == 500
    assert {round(q, 4) for q in found.quantiles} == {0.3333, 0.5}
    assert shuffle_trades(np.array([1.0]), start=100.0, runs=10, rng=rng) is None


def test_it_draws_days_in_blocks():
    returns = np.array([0.01] * 50 + [-0.01] * 50)

    single = resample_days(returns, runs=400, mean_block=1.0, rng=np.random.default_rng(2))
    blocks = resample_days(returns, runs=400, mean_block=25.0, rng=np.random.default_rng(2))

    # Runs of good and bad days stay together: the same days spread the result wider.
    assert blocks[0].quantiles[4] > 1.5 * single[0].quantiles[4]
    assert all(0.0 <= q <= 1.0 for q in blocks[1].quantiles)
    assert resample_days(returns[:9], runs=10, mean_block=2.0, rng=np.random.default_rng(1)) is None


def test_it_draws_the_same_with_the_same_seed():
    returns = np.random.default_rng(3).normal(0, 0.01, 60)

    first, second = (
        resample_days(returns, runs=100, mean_block=5.0, rng=np.random.default_rng(4))
        for _ in range(2)
    )

    assert first == second


def test_it_tells_a_rule_from_entries_at_random():
    rng = np.random.default_rng(7)
    close = 100.0 * np.cumprod(1.0 + rng.normal(0.0, 0.01, 2000))
    held = np.full(40, 5)
    moves = close[5:] / close[:-5] - 1.0
    best, usual = np.sort(moves)[-40:].mean(), moves.mean()

    def chance(earned, held=held):
        return chance_of_random_entries(
            [close], [held], earned=earned, runs=500, rng=np.random.default_rng(8)
        )

    assert chance(best) == pytest.approx(1 / 501)
    assert 0.2 < chance(usual) < 0.8
    assert chance(0.0, held=np.array([], dtype=np.int64)) is None


def test_it_bounds_a_mean_from_below():
    values = np.random.default_rng(5).normal(1.0, 1.0, 400)

    low = lowest_mean(values, runs=2000, rng=np.random.default_rng(6))

    assert low == pytest.approx(values.mean() - 1.645 / 20, abs=0.02)
    assert lowest_mean(values[:9], runs=10, rng=np.random.default_rng(6)) is None

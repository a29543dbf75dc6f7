import numpy as np
import pytest

from mlmodels.domain.selection import deflated_sharpe, expected_best, probabilistic_sharpe

YEARS = 252
SHARPE = 1.8 / np.sqrt(YEARS)
NORMAL = {"count": 504, "skew": 0.0, "kurtosis": 3.0}


@pytest.mark.parametrize(("trials", "expected"), [(10, 1.57), (50, 2.28), (100, 2.53), (365, 2.96)])
def test_it_knows_how_good_luck_looks(trials, expected):
    assert expected_best(trials, deviation=1.0) == pytest.approx(expected, abs=0.05)


def test_it_agrees_with_a_published_case():
    # annual Sharpe 1.8 over two years of days
    alone = probabilistic_sharpe(SHARPE, benchmark=0.0, **NORMAL)
    many = [deflated_sharpe(SHARPE, trials=n, **NORMAL) for n in (1, 40, 100)]

    assert alone == pytest.approx(0.993, abs=0.003)
    assert many[0] == pytest.approx(alone)
    assert many[0] > many[1] > many[2]


def test_it_deflates_the_best_of_a_hundred_to_a_coin():
    rng = np.random.default_rng(1)
    found = []
    for _ in range(60):
        returns = rng.standard_normal((100, 504))
        best = (returns.mean(axis=1) / returns.std(axis=1)).max()
        found.append(deflated_sharpe(best, trials=100, **NORMAL))

    assert np.mean(found) == pytest.approx(0.5, abs=0.1)
    assert np.mean(np.array(found) >= 0.95) <= 0.05


def test_it_distrusts_fat_tails_and_short_histories():
    fat = probabilistic_sharpe(SHARPE, benchmark=0.0, count=504, skew=-1.5, kurtosis=12.0)

    assert fat < probabilistic_sharpe(SHARPE, benchmark=0.0, **NORMAL)
    assert deflated_sharpe(SHARPE, trials=5, count=1, skew=0.0, kurtosis=3.0) == 0.0

import numpy as np
import pytest

from mlmodels.domain.contest import (
    Standing,
    compare,
    has_lost_skill,
    must_roll_back,
    stand,
)
from mlmodels.domain.evaluation import OutOfFold


def rows(worth, *, seed=1, bars=1500, stated=0.4):
    """Return calibrated-looking predictions whose signal is worth `worth` (correlation)."""
    rng = np.random.default_rng(seed)
    signal, noise, luck = rng.standard_normal((3, bars))
    outcome = 0.4 * signal + np.sqrt(1 - 0.16) * noise
    heard = worth * signal + np.sqrt(1 - worth**2) * luck
    p_up = 1 / (1 + np.exp(-1.7 * stated * heard))
    return OutOfFold(
        time_ms=np.arange(bars),
        group=np.zeros(bars, int),
        p_up=p_up,
        base_rate=np.full(bars, 0.5),
        forward_return=outcome * 0.01,
        expected_return=(p_up - 0.5) * 0.01,
        horizon_sigma=np.full(bars, 0.01),
        lower=np.full(bars, -0.02),
        upper=np.full(bars, 0.02),
    )


def test_it_lets_a_better_challenger_win_and_a_worse_one_lose():
    good, bad = rows(1.0), rows(-0.3)

    assert stand(compare(good, bad, horizon_bars=1)) is Standing.SUPERIOR
    assert stand(compare(bad, good, horizon_bars=1)) is Standing.INFERIOR
    assert stand(compare(good, good, horizon_bars=1)) is Standing.UNDECIDED
    assert stand(None) is Standing.UNDECIDED


def test_it_waits_for_five_hundred_predictions():
    few = slice(0, 499)
    good, bad = rows(1.0), rows(-1.0)
    mask = np.zeros(1500, bool)
    mask[few] = True

    found = compare(good.where(mask), bad.where(mask), horizon_bars=1)

    assert found.rows == 499
    assert stand(found) is Standing.UNDECIDED


@pytest.mark.parametrize("seed", range(10))
def test_it_hardly_promotes_by_luck(seed):
    found = stand(compare(rows(0.5, seed=seed), rows(0.5, seed=seed + 100), horizon_bars=1))

    assert found is not Standing.SUPERIOR


def test_it_takes_a_champion_back_only_when_it_is_worse_than_both():
    good, bad, none = rows(1.0), rows(-1.0), rows(0.0)

    assert must_roll_back(bad, good, horizon_bars=1)
    assert not must_roll_back(good, bad, horizon_bars=1)
    # worse than the one before, but still better than no model
    assert not must_roll_back(rows(0.7), good, horizon_bars=1)
    assert not must_roll_back(none.where(none.time_ms < 150), good, horizon_bars=1)


@pytest.mark.parametrize(("worth", "expected"), [(1.0, False), (-1.0, True)])
def test_it_knows_lost_skill_from_kept(worth, expected):
    assert has_lost_skill(rows(worth), horizon_bars=1) is expected


def test_it_does_not_believe_again_by_luck():
    wandering = [has_lost_skill(rows(0.0, seed=seed), horizon_bars=1) for seed in range(40)]

    assert wandering.count(False) <= 4
    assert wandering.count(None) > 10


def test_it_does_not_judge_what_it_cannot():
    few = rows(1.0)

    assert has_lost_skill(few.where(few.time_ms < 400), horizon_bars=1) is None

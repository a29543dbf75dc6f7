import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mlmodels.domain.evaluation import OutOfFold, Verdict, evaluate, needed_t_for
from mlmodels.domain.gates import member_gate
from mlmodels.domain.statistics import (
    HacMean,
    area_under_curve,
    calibration_slope,
    mean_per_moment,
    newey_west,
)


def rows_of(*, p_up, forward_return, group=None, time=None, base_rate=0.5):
    n = len(p_up)
    return OutOfFold(
        time_ms=np.arange(n) if time is None else time,
        group=np.zeros(n, np.int64) if group is None else group,
        p_up=p_up,
        base_rate=np.full(n, base_rate),
        forward_return=forward_return,
        expected_return=(p_up - base_rate) * 0.02,
        horizon_sigma=np.full(n, 0.01),
        lower=np.full(n, -0.0164),
        upper=np.full(n, 0.0164),
    )


def test_it_agrees_with_newey_and_west_by_brute_force():
    rng = np.random.default_rng(1)
    series = np.convolve(rng.standard_normal(300), np.ones(5), "valid") + 0.3
    n, lags = len(series), 7
    centred = series - series.mean()
    variance = sum(
        max(0.0, 1 - abs(i - j) / (lags + 1)) * centred[i] * centred[j]
        for i in range(n)
        for j in range(n)
    )

    found = newey_west(series, lags=lags)

    assert found.mean == pytest.approx(series.mean())
    assert found.standard_error == pytest.approx(np.sqrt(variance) / n)
    assert found.t == pytest.approx(series.mean() * n / np.sqrt(variance))


def test_it_has_no_t_without_variation():
    assert newey_west(np.full(10, 3.0), lags=4).t is None
    assert newey_west(np.array([3.0]), lags=4).t is None


def test_it_widens_the_error_of_overlapping_numbers():
    rng = np.random.default_rng(2)
    overlapping = np.convolve(rng.standard_normal(5000), np.ones(12), "valid")

    plain = newey_west(overlapping, lags=0).standard_error
    honest = newey_west(overlapping, lags=36).standard_error

    assert honest / plain == pytest.approx(np.sqrt(12), rel=0.15)


def test_it_counts_symbols_that_move_together_once():
    rng = np.random.default_rng(3)
    series = rng.standard_normal(500)

    twice = mean_per_moment(np.concatenate([series, series]), np.tile(np.arange(500), 2))

    assert newey_west(twice, lags=5) == newey_west(series, lags=5)


def test_it_agrees_with_a_known_auc():
    rng = np.random.default_rng(4)
    is_up = rng.random(500) < 0.5
    score = np.round(is_up * 0.5 + rng.standard_normal(500), 1)

    assert area_under_curve(score, is_up) == pytest.approx(roc_auc_score(is_up, score))
    assert area_under_curve(score, np.ones(500, bool)) is None


def test_it_sees_overconfidence_in_the_slope():
    rng = np.random.default_rng(5)
    log_odds = rng.normal(0, 0.6, 50_000)
    is_up = rng.random(50_000) < 1 / (1 + np.exp(-log_odds))

    assert calibration_slope(1 / (1 + np.exp(-log_odds)), is_up) == pytest.approx(1.0, abs=0.05)
    assert calibration_slope(1 / (1 + np.exp(-2 * log_odds)), is_up) == pytest.approx(0.5, abs=0.03)
    assert calibration_slope(np.full(50_000, 0.6), is_up) is None


def test_it_calls_a_known_signal_skilled():
    rng = np.random.default_rng(6)
    signal = rng.standard_normal(4000)
    returns = (0.15 * signal + rng.standard_normal(4000)) * 0.01

    found = evaluate(
        rows_of(p_up=0.5 + 0.05 * signal.clip(-3, 3), forward_return=returns),
        horizon_bars=1,
        baselines={"luck": rng.standard_normal(4000)},
    )

    assert found.verdict is Verdict.SKILLED
    assert found.ic == pytest.approx(0.15, abs=0.04)
    assert found.brier_skill > 0
    assert found.coverage == pytest.approx(0.9, abs=0.02)
    assert abs(found.baselines["luck"]) < 0.05


def test_it_does_not_call_overconfidence_skilled():
    rng = np.random.default_rng(7)
    signal = rng.standard_normal(4000)
    returns = (0.15 * signal + rng.standard_normal(4000)) * 0.01
    boastful = np.where(signal > 0, 0.9, 0.1)

    found = evaluate(rows_of(p_up=boastful, forward_return=returns), horizon_bars=1, baselines={})

    assert found.ic_t > 2.33
    assert found.brier_skill < 0
    assert found.verdict is Verdict.NO_SKILL


def test_it_calls_a_constant_forecast_unskilled():
    returns = np.random.default_rng(8).normal(0.001, 0.01, 500)

    found = evaluate(
        rows_of(p_up=np.full(500, 0.55), forward_return=returns), horizon_bars=3, baselines={}
    )

    assert found.verdict is Verdict.NO_SKILL
    assert found.ic is None
    assert found.calibration_slope is None
    assert found.effective_rows == 166


def test_it_rarely_calls_luck_skill():
    passed = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        # as in life: a slow forecast against overlapping returns
        forecast = np.convolve(rng.standard_normal(2023), np.ones(24) / 24, "valid")
        returns = np.convolve(rng.standard_normal(2011), np.ones(12), "valid") * 0.003
        found = evaluate(
            rows_of(p_up=0.5 + 0.02 * forecast, forward_return=returns),
            horizon_bars=12,
            baselines={},
        )
        passed += found.verdict is Verdict.SKILLED

    # 1 % is the rule; beyond 6 of 200 it would be broken with 99.5 % certainty
    assert passed <= 6


def test_it_asks_more_of_the_best_of_many():
    assert needed_t_for(50, is_pooled_skilled=True) == 2.33
    assert needed_t_for(1, is_pooled_skilled=False) == 2.33
    assert needed_t_for(50, is_pooled_skilled=False) == pytest.approx(3.54, abs=0.01)


@pytest.mark.parametrize(
    ("gain", "alone", "is_passed"),
    [
        (HacMean(mean=-0.02, standard_error=0.005, t=-4.0), 0.4, True),
        (HacMean(mean=-0.06, standard_error=0.005, t=-12.0), 0.4, False),
        (HacMean(mean=-0.01, standard_error=0.005, t=-2.0), 0.02, False),
        (HacMean(mean=-0.06, standard_error=0.06, t=-1.0), 0.1, True),
        (HacMean(mean=-0.01, standard_error=0.005, t=-2.0), None, False),
        (None, 0.1, True),
    ],
)
def test_an_average_may_lose_a_little_to_its_best_member(gain, alone, is_passed):
    gate = member_gate("logistic", gain, alone=alone)

    assert gate.is_passed is is_passed
    assert len(gate.needed) <= 64

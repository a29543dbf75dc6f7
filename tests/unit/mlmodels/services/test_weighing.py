"""Weights of the technical scores, from candles and what a model said of them unseen."""

import numpy as np
import pytest

from markets.domain.technicals import DIRECTIONS, SCORE_BARS, technical_scores
from mlmodels.domain.evaluation import OutOfFold
from mlmodels.domain.label_spec import LabelSpec
from mlmodels.services.weighing import ClosesOnly, learn_weights
from tests.unit.mlmodels.market import HOUR_MS, generate

HORIZON = 4
LABEL = LabelSpec(horizon_bars=HORIZON)


def judged_by(candles, *, worth, seed=1):
    """Return what a model without an opinion said of candles whose momentum goes on."""
    rng = np.random.default_rng(seed)
    first = SCORE_BARS
    moments = candles.open_time_ms[first:] + HOUR_MS
    momentum = np.array([momentum_at(candles, row) for row in range(first, len(candles.close))])
    chance = 1 / (1 + np.exp(-worth * momentum))
    came = np.where(rng.random(len(moments)) < chance, 0.01, -0.01)
    half = np.full(len(moments), 0.5)
    return OutOfFold(
        time_ms=moments,
        group=np.ones(len(moments), np.int64),
        p_up=half,
        base_rate=half,
        forward_return=came,
        expected_return=0.0 * half,
        horizon_sigma=0.02 * half,
        lower=-half,
        upper=half,
    )


def momentum_at(candles, row):
    found = technical_scores(
        candles.open_time_ms[: row + 1], candles.close[: row + 1], interval_ms=HOUR_MS
    )
    return next(score.score for score in found if score.name == "momentum")


def learn(candles, judged, *, label=LABEL, group=1):
    return learn_weights(judged, {group: candles}, label=label, interval_ms=HOUR_MS)


@pytest.fixture(scope="module")
def candles():
    series = generate(5000, seed=3)
    return ClosesOnly(series.open_time_ms, series.close)


def test_it_finds_the_score_that_says_something(candles):
    found = learn(candles, judged_by(candles, worth=1.0))

    assert found is not None
    assert set(found) == set(DIRECTIONS)
    assert max(found, key=lambda name: found[name]) == "momentum"
    assert found["momentum"] > 0.15


def test_nothing_after_a_close_changes_its_scores(candles):
    judged = judged_by(candles, worth=1.0)
    early = judged.where(judged.time_ms <= candles.open_time_ms[4000])
    later = candles.close.copy()
    later[4001:] *= 2.0

    assert learn(candles, early) == learn(ClosesOnly(candles.open_time_ms, later), early)


def test_it_keeps_the_usual_weights_where_it_cannot_know_better(candles):
    judged = judged_by(candles, worth=1.0)
    few = judged.where(judged.time_ms < judged.time_ms[199 * HORIZON])

    assert learn(candles, few) is None
    rule = LabelSpec(horizon_bars=HORIZON, primary="momentum_24")
    assert learn(candles, judged, label=rule) is None

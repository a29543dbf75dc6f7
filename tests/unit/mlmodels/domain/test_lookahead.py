import os

import numpy as np
import pytest

from mlmodels.domain.features import FeatureSpec, compute
from mlmodels.domain.lookahead import (
    Series,
    audit_features,
    audit_fit,
    audit_lag,
    audit_split,
)
from mlmodels.domain.planted_leaks import catch_planted
from mlmodels.domain.splits import Fold, combinatorial, walk_forward
from tests.unit.mlmodels.market import HOUR_MS, generate

CUTS = int(os.environ.get("LOOKAHEAD_CUTS", "25"))
CANDLES = Series.of(generate(700, seed=3, ic=0.2))
SPEC = FeatureSpec(interval_ms=HOUR_MS, references=("AAA", "BBB"))


def test_it_finds_nothing_in_any_honest_feature():
    references = {
        "AAA": Series.of(generate(700, seed=4)),
        "BBB": Series.of(generate(700, seed=5).without(450)),
    }

    found = audit_features(
        lambda own, others: compute(own, SPEC, references=others),
        candles=CANDLES,
        references=references,
        names=SPEC.names,
        warmup=SPEC.warmup,
        interval_ms=HOUR_MS,
        cuts=CUTS,
        rng=np.random.default_rng(1),
    )

    assert found == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_catches_all_six_planted_leaks(seed):
    caught = catch_planted(CANDLES, interval_ms=HOUR_MS, seed=seed)

    assert len(caught) == 6
    assert all(caught.values()), caught


def test_it_catches_a_warm_up_that_is_too_short():
    spec = FeatureSpec(interval_ms=HOUR_MS, names=("ema_gap_24",))

    def endless(series, references):
        found = compute(series, spec)
        # An average over all history never forgets its first candle.
        mean = np.cumsum(series.close) / np.arange(1, len(series.close) + 1)
        found.values[:, 0] = (series.close / mean - 1.0)[spec.warmup - 1 :]
        return found

    found = audit_features(
        endless,
        candles=CANDLES,
        references={},
        names=spec.names,
        warmup=spec.warmup,
        interval_ms=HOUR_MS,
        cuts=5,
        rng=np.random.default_rng(1),
    )

    assert {finding.check for finding in found} == {"warm-up"}


def test_it_finds_nothing_in_our_own_splits():
    start = np.tile(CANDLES.open_time_ms, 2)
    end = start + 12 * HOUR_MS
    embargo = 12 * HOUR_MS
    walk = walk_forward(start_ms=start, end_ms=end, folds=5, first_fraction=0.3, embargo_ms=embargo)
    research = combinatorial(start_ms=start, end_ms=end, blocks=6, tested=2, embargo_ms=embargo)

    assert len(walk) == 5
    assert len(research) == 15
    for folds in (walk, research):
        assert audit_split(folds, start_ms=start, end_ms=end, embargo_ms=embargo) == []


def test_it_finds_labels_that_reach_into_the_test():
    start = CANDLES.open_time_ms
    fold = Fold(np.arange(300), np.arange(305, 700))

    clean = audit_split([fold], start_ms=start, end_ms=start + 5 * HOUR_MS, embargo_ms=0)
    leaking = audit_split([fold], start_ms=start, end_ms=start + 7 * HOUR_MS, embargo_ms=0)
    embargoed = audit_split(
        [fold], start_ms=start, end_ms=start + 5 * HOUR_MS, embargo_ms=2 * HOUR_MS
    )

    assert clean == []
    assert "1 of 300" in leaking[0].detail or "2 of 300" in leaking[0].detail
    assert len(embargoed) == 1


def test_it_finds_a_scaler_that_saw_the_test_rows():
    rng = np.random.default_rng(2)
    features = rng.normal(size=(200, 3)).astype(np.float32)
    test = np.arange(150, 200)
    given = {"features": features, "test": test, "rng": rng}

    assert audit_fit(lambda x: x[:150].mean(axis=0).tobytes(), **given) == []
    assert len(audit_fit(lambda x: x.mean(axis=0).tobytes(), **given)) == 1


@pytest.mark.parametrize(
    ("ic", "delayed", "expected"),
    [
        (0.05, 0.04, None),
        (0.05, 0.06, None),
        (0.05, 0.20, "better"),
        (0.60, 0.02, "nothing is left"),
        (None, 0.1, None),
    ],
)
def test_it_distrusts_forecasts_that_gain_or_lose_all_by_a_delay(ic, delayed, expected):
    found = audit_lag(ic=ic, delayed_ic=delayed, error=0.01)

    if expected is None:
        assert found == []
    else:
        assert expected in found[0].detail

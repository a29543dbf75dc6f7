"""Training on the way: each model knows what was known when it took over, and no more."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mlmodels.adapters.factory import get_trainers
from mlmodels.domain.features import FeatureSpec, compute
from mlmodels.domain.label_spec import LabelSpec
from mlmodels.services.walk_forward import WalkPlan, train_walk_forward
from tests.unit.mlmodels.market import HOUR_MS, generate

BARS = 2600
PROBE = compute(generate(400, seed=9, ic=0.4), FeatureSpec(interval_ms=HOUR_MS))


def plan(market, **changed):
    given = {
        "spec": FeatureSpec(interval_ms=HOUR_MS),
        "label": LabelSpec(horizon_bars=12),
        "begin_ms": int(market.open_time_ms[1000]),
        "every_bars": 400,
        "train_bars": 2000,
    }
    return WalkPlan(**{**given, **changed})


def walk(market, mapper=map):
    return train_walk_forward(
        {1: market},
        plan=plan(market),
        trainers=get_trainers("logistic"),
        progress=lambda done, total, message: None,
        mapper=mapper,
    )


def answers(model):
    return model.predict(PROBE, np.ones(len(PROBE.values), np.int64)).p_up


@pytest.fixture(scope="module")
def market():
    return generate(BARS, seed=4, ic=0.4)


@pytest.fixture(scope="module")
def walked(market):
    return walk(market)


def test_it_starts_where_there_is_enough_to_learn_from(market, walked):
    moments = [moment for moment, _ in walked]

    # 1500 rows, a warm-up of 216 candles and labels that had ended: not at candles 1000 and 1400.
    assert moments == [int(market.open_time_ms[row]) for row in (1800, 2200)] + [
        int(market.open_time_ms[-1]) + HOUR_MS
    ]
    assert [model.version_id for _, model in walked] == [-1, -2, -3]
    assert not np.array_equal(answers(walked[0][1]), answers(walked[1][1]))


def test_it_learns_nothing_from_what_comes_later(market, walked):
    other = generate(BARS, seed=5)
    cut = 1800
    joined = type(market)(
        **{
            name: np.concatenate([getattr(market, name)[:cut], getattr(other, name)[cut:]])
            for name in market.__slots__
        }
    )

    again = walk(joined)

    assert np.array_equal(answers(again[0][1]), answers(walked[0][1]))
    assert not np.array_equal(answers(again[1][1]), answers(walked[1][1]))


def test_it_gives_the_same_bits_side_by_side(market, walked):
    with ThreadPoolExecutor(2) as pool:
        again = walk(market, mapper=pool.map)

    for (_, one), (_, other) in zip(walked, again, strict=True):
        assert np.array_equal(answers(one), answers(other))

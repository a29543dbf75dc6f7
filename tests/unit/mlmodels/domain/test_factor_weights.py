"""Weights of the technical scores beside a model: found, shrunk, never negative."""

import numpy as np
import pytest

from mlmodels.domain.factor_weights import MIN_MOMENTS, fit_factor_weights, read_weights

NAMES = ("good", "useless", "wrong")


def fit(seed=1, *, rows=4000, worth=0.6, symbols=1):
    rng = np.random.default_rng(seed)
    scores = rng.uniform(-1, 1, (rows, 3))
    model = 0.3 * rng.standard_normal(rows)
    truth = model + worth * (scores[:, 0] - scores[:, 2])
    return fit_factor_weights(
        scores,
        names=NAMES,
        p_up=1 / (1 + np.exp(-model)),
        is_up=rng.random(rows) < 1 / (1 + np.exp(-truth)),
        time_ms=np.arange(rows) // symbols,
    )


def test_it_finds_what_helps_and_gives_nothing_to_what_points_the_wrong_way():
    found = fit()

    assert found is not None
    assert found["good"] == pytest.approx(0.6, abs=0.2)
    assert found["useless"] < 0.1
    assert found["wrong"] == 0.0


def test_noise_earns_hardly_any_weight():
    found = [fit(seed, rows=1000, worth=0.0) for seed in range(20)]

    weights = [weight for one in found if one for weight in one.values()]
    assert np.mean(weights) < 0.05
    assert max(weights) < 0.2


def test_little_evidence_moves_little():
    few, many = fit(3, rows=300), fit(3, rows=6000)

    assert few is not None
    assert many is not None
    assert few["good"] < 0.6 * many["good"]


def test_the_same_rows_give_the_same_bits():
    assert fit(4) == fit(4)


def test_symbols_of_one_moment_count_once():
    assert fit(rows=MIN_MOMENTS - 1) is None
    assert fit(rows=2 * (MIN_MOMENTS - 1), symbols=2) is None
    assert fit(rows=MIN_MOMENTS) is not None


def test_it_reads_what_may_be_a_weight_and_nothing_else():
    assert read_weights(None) is None
    assert read_weights({"trend": 0.25}) == {"trend": 0.25}
    for wrong in (-0.1, float("nan"), float("inf"), 2.1, "heavy"):
        with pytest.raises(ValueError, match=r"trend|heavy"):
            read_weights({"trend": wrong})

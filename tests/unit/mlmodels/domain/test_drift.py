import os

import numpy as np

from mlmodels.domain.drift import DriftReference, fit_drift

SEEDS = int(os.environ.get("HONESTY_SEEDS", "0")) or 12
WEEK = 168


def slow_features(seed, rows=9000):
    """Return a fast, a slow and a very slow feature that never drift."""
    rng = np.random.default_rng(seed)
    memories = (0.0, 0.95, 0.99)
    found = np.empty((rows, 3))
    for column, memory in enumerate(memories):
        shocks = rng.standard_normal(rows) * np.sqrt(1 - memory**2)
        value = 0.0
        for row in range(rows):
            value = memory * value + shocks[row]
            found[row, column] = value
    return found.astype(np.float32)


def reference(features):
    return fit_drift(
        features,
        names=("fast", "slow", "slowest"),
        time_ms=np.arange(len(features)),
        importance=np.array([1.0, 2.0, 3.0]),
        window_bars=WEEK,
        seed=1,
    )


def test_it_seldom_cries_wolf_where_the_usual_threshold_always_does():
    alarms, usual, weeks = 0, 0, 0
    for seed in range(SEEDS):
        features = slow_features(seed)
        known = reference(features[:7000])
        for start in range(7000, 9000 - WEEK, WEEK):
            found = known.measure(features[start : start + WEEK], ("fast", "slow", "slowest"))
            alarms += sum(psi > threshold for psi, threshold in found.values())
            usual += found["slowest"][0] > 0.25
            weeks += 1

    assert alarms <= 0.03 * 3 * weeks
    assert usual > 0.9 * weeks


def test_it_sees_a_feature_that_moved():
    features = slow_features(3)
    known = reference(features[:7000])
    moved = features[-WEEK:].copy()
    moved[:, 0] += 1.5

    found = known.measure(moved, ("fast", "slow", "slowest"))

    assert found["fast"][0] > found["fast"][1]
    assert known.names == ("slowest", "slow", "fast")
    assert DriftReference.from_json(known.to_json()) == known

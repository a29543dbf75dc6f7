import os

from bench.vigilance import SLOW, WEEK, false_drift, reference_of, slow_features
from mlmodels.domain.drift import DriftReference

SEEDS = int(os.environ.get("HONESTY_SEEDS", "0")) or 12


def test_it_seldom_cries_wolf_where_the_usual_threshold_always_does():
    found = [false_drift(seed) for seed in range(SEEDS)]
    weeks = sum(count for *_, count in found)

    assert sum(single for single, *_ in found) <= 0.01 * 3 * weeks
    assert sum(together for _, together, _ in found) == 0
    assert weeks >= 11 * SEEDS
    usual = 0
    for seed in range(SEEDS):
        features = slow_features(seed)
        known = reference_of(features[:7000])
        usual += known.measure(features[7000 : 7000 + WEEK], SLOW)["slowest"][0] > 0.25
    assert usual > 0.9 * SEEDS


def test_it_holds_with_half_a_year_of_training_as_well():
    found = [false_drift(seed, known=4000) for seed in range(SEEDS)]
    weeks = sum(count for *_, count in found)

    assert sum(single for single, *_ in found) <= 0.01 * 3 * weeks


def test_it_sees_a_feature_that_moved():
    features = slow_features(3)
    known = reference_of(features[:7000])
    moved = features[-WEEK:].copy()
    moved[:, 0] += 1.5

    found = known.measure(moved, SLOW)

    assert found["fast"][0] > found["fast"][1]
    assert known.names == ("slowest", "slow", "fast")
    assert DriftReference.from_json(known.to_json()) == known

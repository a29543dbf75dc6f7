"""What the recipe makes of noise and of planted signals; the promises of the README.

A few markets each, within five minutes; `make honesty` takes 200.
"""

import os

import numpy as np
import pytest

from bench.honesty import judged, of_noise, recovered
from mlmodels.domain.lifecycle import Verdict

SEEDS = int(os.environ.get("HONESTY_SEEDS", "0"))


@pytest.mark.slow
def test_it_finds_no_skill_in_noise_and_hardly_ever_acts_on_it():
    seeds = SEEDS or 10
    found = [of_noise(seed) for seed in range(seeds)]
    acted = [count for _, count, _ in found]

    # three in a hundred, as 6 of 200
    assert sum(is_skilled for is_skilled, _, _ in found) <= max(1, 0.03 * seeds)
    assert sum(acted) <= 0.005 * sum(rows for *_, rows in found)
    assert np.median(acted) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ic", "is_linear", "mean", "least"),
    [(0.10, True, 0.85, 0.75), (0.10, False, 0.60, 0.40), (0.05, True, 0.65, 0.40)],
)
def test_it_recovers_most_of_a_planted_signal(ic, is_linear, mean, least):
    shares = [recovered(seed, ic=ic, is_linear=is_linear) for seed in range(SEEDS or 6)]

    assert np.mean(shares) >= mean, shares
    assert min(shares) >= least, shares


@pytest.mark.slow
@pytest.mark.parametrize(("ic", "is_linear"), [(0.10, True), (0.10, False), (0.40, True)])
def test_it_passes_its_own_gates_when_there_is_something_to_find(ic, is_linear):
    passed = [judged(seed, ic=ic, is_linear=is_linear) for seed in range(SEEDS or 2)]

    assert np.mean([found.verdict is Verdict.SKILLED for found in passed]) >= 0.95
    for found in passed:
        assert found.calibration_error <= found.calibration_null * 1.2
        assert 0.88 <= found.coverage <= 0.92

from itertools import combinations

import numpy as np
import pytest

from mlmodels.domain.overfitting import block_sums, probability_of_overfitting


def sums_of(returns, blocks):
    """Return the sums of configurations with returns of shape (configurations, n)."""
    time = np.arange(returns.shape[1], dtype=np.int64)
    return np.array(
        [
            block_sums(row, time, begin_ms=0, end_ms=returns.shape[1], blocks=blocks)
            for row in returns
        ]
    )


def slow(returns, blocks):
    """The definition, number by number, on the returns themselves."""
    parts = np.array_split(np.arange(returns.shape[1]), blocks)
    below, logits = 0.0, []
    for chosen in combinations(range(blocks), blocks // 2):
        own = np.concatenate([parts[block] for block in chosen])
        rest = np.setdiff1d(np.arange(returns.shape[1]), own)
        inside = [row[own].mean() / row[own].std() for row in returns]
        outside = [row[rest].mean() / row[rest].std() for row in returns]
        best = max(range(len(returns)), key=lambda place: inside[place])
        rank = 1 + sum(value < outside[best] for value in outside)
        share = rank / (len(returns) + 1)
        logits.append(np.log(share / (1 - share)))
        below += 1.0 if share < 0.5 else 0.5 if share == 0.5 else 0.0
    return below / len(logits), logits


@pytest.mark.parametrize("seed", range(4))
def test_it_equals_the_definition(seed):
    rng = np.random.default_rng(seed)
    returns = rng.standard_normal((9, 360)) + rng.normal(0, 0.05, (9, 1))

    found = probability_of_overfitting(sums_of(returns, 6))

    expected, logits = slow(returns, 6)
    assert found.probability == pytest.approx(expected)
    assert found.logits == pytest.approx(logits)


def test_the_best_of_noise_is_worth_nothing():
    probabilities = [
        probability_of_overfitting(
            sums_of(np.random.default_rng(seed).standard_normal((20, 1200)), 8)
        ).probability
        for seed in range(30)
    ]

    assert np.mean(probabilities) == pytest.approx(0.5, abs=0.1)


def test_one_that_is_better_is_chosen_for_what_it_is():
    returns = np.random.default_rng(1).standard_normal((20, 1200))
    returns[7] += 0.3

    found = probability_of_overfitting(sums_of(returns, 8))

    assert found.probability < 0.01
    assert found.loss_probability == 0.0


def test_configurations_that_never_act_are_in_the_middle_of_nothing():
    found = probability_of_overfitting(np.zeros((5, 4, 3)))

    assert found.probability == 0.5
    assert found.slope is None


def test_it_needs_two_configurations_and_even_blocks():
    assert probability_of_overfitting(np.zeros((1, 4, 3))) is None
    with pytest.raises(ValueError, match="even"):
        probability_of_overfitting(np.zeros((3, 5, 3)))

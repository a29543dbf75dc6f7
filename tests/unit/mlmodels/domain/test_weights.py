import numpy as np
import pytest

from mlmodels.domain.weights import average_uniqueness, sample_weight


def test_it_gives_a_lonely_label_its_whole_time():
    found = average_uniqueness(
        start_ms=np.array([0, 10]), end_ms=np.array([5, 20]), group=np.array([1, 1])
    )

    assert found.tolist() == [1.0, 1.0]


def test_it_shares_what_overlaps():
    # second label: 5 of its 10 ms are shared with the first, 5 are its own
    found = average_uniqueness(
        start_ms=np.array([0, 5]), end_ms=np.array([10, 15]), group=np.array([1, 1])
    )

    assert found.tolist() == [0.75, 0.75]


def test_it_counts_independent_outcomes():
    start = np.arange(1200)

    found = average_uniqueness(start_ms=start, end_ms=start + 12, group=np.zeros(1200, int))

    assert found[600] == pytest.approx(1 / 12)
    assert found.sum() == pytest.approx(1200 / 12, rel=0.02)


def test_it_lets_symbols_be():
    start = np.zeros(3, int)

    found = average_uniqueness(start_ms=start, end_ms=start + 5, group=np.array([1, 2, 2]))

    assert found.tolist() == [1.0, 0.5, 0.5]


def test_it_agrees_with_counting_bar_by_bar():
    rng = np.random.default_rng(1)
    start = np.sort(rng.integers(0, 300, 80))
    end = start + rng.integers(1, 20, 80)
    alive = [int(((start <= bar) & (end > bar)).sum()) for bar in range(330)]

    found = average_uniqueness(start_ms=start, end_ms=end, group=np.zeros(80, int))

    expected = [
        np.mean([1 / alive[bar] for bar in range(a, b)]) for a, b in zip(start, end, strict=True)
    ]
    assert found == pytest.approx(expected)


def test_half_a_life_halves_what_a_row_weighs_beside_its_uniqueness():
    start = np.arange(5, dtype=np.int64) * 100
    uniqueness = np.array([1.0, 0.5, 0.5, 0.5, 0.5])

    found = sample_weight(uniqueness=uniqueness, start_ms=start, half_life_ms=200.0)

    assert found.mean() == pytest.approx(1.0)
    assert found[2] / found[4] == pytest.approx(0.5)
    assert found[0] / found[4] == pytest.approx(2 * 0.25)


def test_without_a_half_life_all_ages_weigh_the_same():
    start = np.arange(5, dtype=np.int64)

    found = sample_weight(uniqueness=np.full(5, 0.3), start_ms=start, half_life_ms=None)

    assert found.tolist() == pytest.approx([1.0] * 5)
    with pytest.raises(ValueError, match="above 0"):
        sample_weight(uniqueness=np.ones(5), start_ms=start, half_life_ms=0.0)


def test_the_very_old_still_weigh_something():
    start = np.array([0, 10**12], np.int64)

    assert sample_weight(uniqueness=np.ones(2), start_ms=start, half_life_ms=1.0)[0] > 0

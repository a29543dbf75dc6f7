import numpy as np
import pytest

from mlmodels.domain.weights import average_uniqueness


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

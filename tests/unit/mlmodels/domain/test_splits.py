import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmodels.domain.splits import walk_forward


@given(
    bars=st.integers(20, 400),
    symbols=st.integers(1, 4),
    horizon=st.integers(1, 30),
    embargo=st.integers(0, 30),
    folds=st.integers(1, 8),
    first=st.floats(0.1, 0.9),
)
def test_it_never_trains_on_a_label_that_touches_the_test_block(
    bars, symbols, horizon, embargo, folds, first
):
    start = np.repeat(np.arange(bars, dtype=np.int64), symbols)
    end = start + horizon

    found = walk_forward(
        start_ms=start, end_ms=end, folds=folds, first_fraction=first, embargo_ms=embargo
    )

    for fold in found:
        assert end[fold.train].max() + embargo < start[fold.test].min()
        # all symbols of one moment are on the same side
        assert not set(start[fold.train]) & set(start[fold.test])


def test_it_tests_every_later_row_once_and_grows_the_past():
    start = np.arange(1000, dtype=np.int64)

    found = walk_forward(
        start_ms=start, end_ms=start + 10, folds=5, first_fraction=0.5, embargo_ms=10
    )

    assert np.concatenate([fold.test for fold in found]).tolist() == list(range(500, 1000))
    assert [len(fold.train) for fold in found] == [480, 580, 680, 780, 880]


def test_it_leaves_out_blocks_without_a_past():
    start = np.arange(20, dtype=np.int64)

    found = walk_forward(
        start_ms=start, end_ms=start + 50, folds=2, first_fraction=0.5, embargo_ms=0
    )

    assert found == []


@pytest.mark.parametrize(
    ("folds", "first", "embargo"), [(0, 0.5, 0), (1, 0.0, 0), (1, 1.0, 0), (1, 0.5, -1)]
)
def test_it_refuses_splits_that_mean_nothing(folds, first, embargo):
    start = np.arange(20, dtype=np.int64)

    with pytest.raises(ValueError, match="bad split"):
        walk_forward(
            start_ms=start,
            end_ms=start,
            folds=folds,
            first_fraction=first,
            embargo_ms=embargo,
        )

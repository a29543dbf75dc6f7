import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmodels.domain.splits import combinatorial, walk_forward


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


def slow_combinatorial(start, end, *, blocks, tested, embargo):
    """Row by row, by the definition: a training label may meet no moment of a held-out block.

    A block reaches from its first moment to its last, or to the end of its longest label.
    """
    begin, last = start.min(), start.max() + 1
    edges = [begin + (last - begin) * step // blocks for step in range(blocks + 1)]
    found = []
    for chosen in itertools.combinations(range(blocks), tested):
        spans, test = [], []
        for block in chosen:
            own = [
                row for row in range(len(start)) if edges[block] <= start[row] < edges[block + 1]
            ]
            test += own
            spans.append((edges[block], max([edges[block + 1], *(end[row] for row in own)])))
        train = [
            row
            for row in range(len(start))
            if all(
                end[row] + embargo < left or start[row] - embargo > right for left, right in spans
            )
        ]
        if train and test:
            found.append((sorted(train), sorted(test)))
    return found


@settings(deadline=None, max_examples=40)
@given(
    bars=st.integers(6, 60),
    symbols=st.integers(1, 3),
    horizons=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    embargo=st.integers(0, 6),
    blocks=st.integers(2, 6),
    data=st.data(),
)
def test_its_combinations_are_those_of_the_definition(
    bars, symbols, horizons, embargo, blocks, data
):
    tested = data.draw(st.integers(1, blocks - 1))
    start = np.repeat(np.arange(bars, dtype=np.int64), symbols)
    end = start + np.resize(np.array(horizons, np.int64), len(start))

    found = combinatorial(
        start_ms=start, end_ms=end, blocks=blocks, tested=tested, embargo_ms=embargo
    )

    assert [(fold.train.tolist(), fold.test.tolist()) for fold in found] == slow_combinatorial(
        start, end, blocks=blocks, tested=tested, embargo=embargo
    )


def test_each_block_is_held_out_equally_often():
    start = np.arange(600, dtype=np.int64)

    found = combinatorial(start_ms=start, end_ms=start + 3, blocks=6, tested=2, embargo_ms=3)

    times = np.zeros(600)
    for fold in found:
        times[fold.test] += 1
        assert not set(fold.train) & set(fold.test)
    assert len(found) == 15
    assert set(times) == {5.0}


@pytest.mark.parametrize(("blocks", "tested"), [(3, 0), (3, 3), (1, 1)])
def test_it_refuses_combinations_that_mean_nothing(blocks, tested):
    start = np.arange(20, dtype=np.int64)

    with pytest.raises(ValueError, match="bad split"):
        combinatorial(start_ms=start, end_ms=start, blocks=blocks, tested=tested, embargo_ms=0)

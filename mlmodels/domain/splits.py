"""Splits that cannot leak: purged of overlapping labels, then embargoed.

Symbols are pooled, so the split is made on time alone: all rows of one moment lie on one side.
"""

from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Fold:
    """One step forward: positions of the rows to fit on and of the later rows to predict."""

    train: NDArray[np.intp]
    test: NDArray[np.intp]


def walk_forward(
    *, start_ms: IntArray, end_ms: IntArray, folds: int, first_fraction: float, embargo_ms: int
) -> list[Fold]:
    """Split rows into an expanding past and `folds` following blocks of equal time.

    A row may be trained on only when its label ended at least `embargo_ms` before the block's
    first moment.

    Args:
        start_ms: shape (n,), when each row was known; any order, symbols pooled.
        end_ms: shape (n,), when each row's label was known.
        folds: Blocks to predict, at least 1.
        first_fraction: Share of the time kept for the first fit, above 0, below 1.
        embargo_ms: At least 0.

    Returns:
        Folds in order of time; blocks without rows on either side are left out.

    Raises:
        ValueError: An argument is out of bounds, or a label ends before it starts.
    """
    if folds < 1 or not 0.0 < first_fraction < 1.0 or embargo_ms < 0:
        raise ValueError(f"bad split: {folds=}, {first_fraction=}, {embargo_ms=}")
    if len(start_ms) == 0:
        return []
    if (end_ms < start_ms).any():
        raise ValueError("a label must not end before it starts")
    begin, end = int(start_ms.min()), int(start_ms.max()) + 1
    first = begin + int((end - begin) * first_fraction)
    edges = [first + (end - first) * step // folds for step in range(folds + 1)]
    found = []
    for left, right in pairwise(edges):
        train = np.flatnonzero(end_ms + embargo_ms < left)
        test = np.flatnonzero((start_ms >= left) & (start_ms < right))
        if len(train) and len(test):
            found.append(Fold(train, test))
    return found


def combinatorial(
    *, start_ms: IntArray, end_ms: IntArray, blocks: int, tested: int, embargo_ms: int
) -> list[Fold]:
    """Split time into `blocks` and hold out every choice of `tested` of them.

    A row is trained on when its label's interval, widened by the embargo on both sides, meets no
    held-out block. For research: many paths through history instead of one, but with training
    rows from after the test, so never for deciding what serves.
    Source: Lopez de Prado 2018, ch. 12.

    Args:
        start_ms: shape (n,), when each row was known; any order, symbols pooled.
        end_ms: shape (n,), when each row's label was known.
        blocks: Of equal time, at least 2.
        tested: Held out at once, at least 1, fewer than `blocks`.
        embargo_ms: At least 0.

    Returns:
        ``blocks choose tested`` folds, without those that have no rows on one side.

    Raises:
        ValueError: An argument is out of bounds, or a label ends before it starts.
    """
    if not 1 <= tested < blocks or embargo_ms < 0:
        raise ValueError(f"bad split: {blocks=}, {tested=}, {embargo_ms=}")
    if len(start_ms) == 0:
        return []
    if (end_ms < start_ms).any():
        raise ValueError("a label must not end before it starts")
    begin, end = int(start_ms.min()), int(start_ms.max()) + 1
    edges = [begin + (end - begin) * step // blocks for step in range(blocks + 1)]
    inside = [(start_ms >= left) & (start_ms < right) for left, right in pairwise(edges)]
    # The block's labels reach beyond it: what overlaps them leaks as well.
    reach = [
        (left, max(right, int(end_ms[held].max())) if held.any() else right)
        for (left, right), held in zip(pairwise(edges), inside, strict=True)
    ]
    clear = [
        (end_ms + embargo_ms < left) | (start_ms - embargo_ms > right) for left, right in reach
    ]
    found = []
    for chosen in combinations(range(blocks), tested):
        test = np.flatnonzero(np.logical_or.reduce([inside[block] for block in chosen]))
        train = np.flatnonzero(np.logical_and.reduce([clear[block] for block in chosen]))
        if len(train) and len(test):
            found.append(Fold(train, test))
    return found

"""Walk-forward splits that cannot leak: purged of overlapping labels, then embargoed.

Symbols are pooled, so the split is made on time alone: all rows of one moment lie on one side.
"""

from dataclasses import dataclass
from itertools import pairwise

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

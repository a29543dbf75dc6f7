"""What overlapping labels are worth.

Twelve-candle labels of neighbouring closes share eleven candles: a thousand of them hold some
ninety independent outcomes. Source: Lopez de Prado 2018, ch. 4.
"""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def average_uniqueness(*, start_ms: IntArray, end_ms: IntArray, group: IntArray) -> FloatArray:
    """Return, for each label, the mean share of its time that belongs to it alone.

    Args:
        start_ms: shape (n,), exclusive begin of each label's interval.
        end_ms: shape (n,), its inclusive end, after the begin.
        group: shape (n,), the symbol; labels of different symbols do not overlap.

    Returns:
        shape (n,), above 0, at most 1; the sum is the effective number of labels.
    """
    found = np.ones(len(start_ms))
    for key in np.unique(group).tolist():
        mask = group == key
        found[mask] = _uniqueness(start_ms[mask], end_ms[mask])
    return found


def _uniqueness(start_ms: IntArray, end_ms: IntArray) -> FloatArray:
    """Cut time at every begin and end; between two cuts the number of live labels is constant."""
    cuts = np.unique(np.concatenate([start_ms, end_ms]))
    first, last = np.searchsorted(cuts, start_ms), np.searchsorted(cuts, end_ms)
    changes = np.bincount(first, minlength=len(cuts)) - np.bincount(last, minlength=len(cuts))
    alive = np.maximum(np.cumsum(changes)[:-1], 1)
    length = np.diff(cuts).astype(np.float64)
    shared = np.concatenate([[0.0], np.cumsum(length / alive)])
    found: FloatArray = (shared[last] - shared[first]) / (end_ms - start_ms)
    return found

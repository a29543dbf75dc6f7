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


def sample_weight(
    *, uniqueness: FloatArray, start_ms: IntArray, half_life_ms: float | None
) -> FloatArray:
    """Return what each training row counts for: its uniqueness, less the older it is.

    Args:
        uniqueness: shape (n,), of ``average_uniqueness``.
        start_ms: shape (n,), when each row was known.
        half_life_ms: After so long a row weighs half; None: all ages weigh the same.

    Returns:
        shape (n,), above 0, mean 1: the trainers' penalties keep their meaning.

    Raises:
        ValueError: The half-life is not above 0.
    """
    found = uniqueness
    if half_life_ms is not None:
        if half_life_ms <= 0:
            raise ValueError(f"half_life_ms must be above 0, was {half_life_ms}")
        age = (start_ms.max() - start_ms) / half_life_ms
        # Beyond thirty half-lives a billionth: it must stay a number above 0.
        found = uniqueness * np.exp2(-np.minimum(age, 30.0))
    weight: FloatArray = found / found.mean()
    return weight


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

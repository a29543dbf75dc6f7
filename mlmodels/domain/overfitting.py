"""Was the best of many configurations chosen by luck? Combinatorially symmetric cross-validation.

Source: Bailey, Borwein, Lopez de Prado, Zhu 2017, "The Probability of Backtest Overfitting",
J. Computational Finance 20(4).
"""

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Halves of twelve blocks: 924 ways to choose on one half and look at the other.
BLOCKS = 12
# From here on the choice itself is worth nothing: the best in one half is below the middle in the
# other as often as above.
WARN, REFUSE = 0.2, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Overfitting:
    """What choosing the best of some configurations is worth.

    Attributes:
        probability: How often the best of one half is below the median in the other.
        logits: For each way to halve the time, log-odds of the chosen one's rank in the other
            half; below 0 it was worse than the median.
        loss_probability: How often the chosen one's Sharpe ratio is below 0 in the other half.
        slope: Of the Sharpe ratio in the other half on that in the first; None if it does not vary.
    """

    probability: float
    logits: tuple[float, ...]
    loss_probability: float
    slope: float | None

    def to_json(self) -> dict[str, Any]:
        return {
            "probability": self.probability,
            "loss_probability": self.loss_probability,
            "slope": self.slope,
            "logits": [round(logit, 4) for logit in self.logits],
        }


def block_sums(
    series: FloatArray, time_ms: IntArray, *, begin_ms: int, end_ms: int, blocks: int = BLOCKS
) -> list[list[float]]:
    """Return count, sum and sum of squares of a series in blocks of equal time.

    All configurations that are compared share the blocks, whatever closes each could judge.

    Args:
        series: shape (n,), returns.
        time_ms: shape (n,), of each.
        begin_ms: Of the first block.
        end_ms: Of the last, after `begin_ms`.
        blocks: How many.
    """
    place = (time_ms - begin_ms) * blocks // max(1, end_ms - begin_ms)
    place = np.clip(place, 0, blocks - 1)
    columns = [
        np.bincount(place, minlength=blocks).astype(np.float64),
        np.bincount(place, weights=series, minlength=blocks),
        np.bincount(place, weights=series * series, minlength=blocks),
    ]
    return [[float(column[block]) for column in columns] for block in range(blocks)]


def probability_of_overfitting(sums: FloatArray) -> Overfitting | None:
    """Choose the best on every half of the time and rank it in the other.

    Args:
        sums: shape (configurations, blocks, 3): count, sum, sum of squares, see ``block_sums``.

    Returns:
        None with fewer than two configurations.

    Raises:
        ValueError: The number of blocks is odd or below 2.
    """
    configurations, blocks, _ = sums.shape
    if blocks < 2 or blocks % 2:
        raise ValueError(f"blocks must be even and at least 2, was {blocks}")
    if configurations < 2:
        return None
    whole = sums.sum(axis=1)
    logits, inside, outside = [], [], []
    for chosen in combinations(range(blocks), blocks // 2):
        half = sums[:, list(chosen)].sum(axis=1)
        first, other = _sharpe(half), _sharpe(whole - half)
        best = int(np.argmax(first))
        below = float((other < other[best]).sum()) + 0.5 * float((other == other[best]).sum() - 1)
        rank = (below + 1.0) / (configurations + 1.0)
        logits.append(math.log(rank / (1.0 - rank)))
        inside.append(float(first[best]))
        outside.append(float(other[best]))
    x, y = np.array(inside), np.array(outside)
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * (y - y.mean())).sum()) / spread if spread > 0 else None
    found = np.array(logits)
    return Overfitting(
        # In the very middle it is neither: half of it counts.
        probability=float((found < 0).mean() + 0.5 * (found == 0).mean()),
        logits=tuple(logits),
        loss_probability=float((y < 0).mean()),
        slope=slope,
    )


def _sharpe(sums: FloatArray) -> FloatArray:
    """Return mean over deviation of each row of (count, sum, sum of squares); 0 where undefined."""
    count = np.maximum(sums[:, 0], 1.0)
    mean = sums[:, 1] / count
    variance = np.maximum(sums[:, 2] / count - mean * mean, 0.0)
    spread = np.sqrt(variance)
    found: FloatArray = np.where(spread > 1e-15, mean / np.maximum(spread, 1e-15), 0.0)
    return found

"""Have the inputs moved? Measured against how much they move by themselves.

The usual thresholds of the population stability index (0.1, 0.25) assume independent rows. A week
of a slow feature differs from its year by more than that without any drift, so each feature has
its own threshold: what weeks of the training candles showed against the whole of them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

BINS = 10
BLOCKS = 400
NULL_QUANTILE = 0.999
WATCHED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReference:
    """What the most important features looked like in training.

    Attributes:
        window_bars: Closes that are compared with it.
        names: Of the features, the most important first.
        edges: Inner edges of each feature's bins.
        shares: Training share of each bin.
        thresholds: What undrifted blocks of `window_bars` closes stay below.
    """

    window_bars: int
    names: tuple[str, ...]
    edges: tuple[tuple[float, ...], ...]
    shares: tuple[tuple[float, ...], ...]
    thresholds: tuple[float, ...]

    def measure(
        self, features: NDArray[np.float32], names: Sequence[str]
    ) -> dict[str, tuple[float, float]]:
        """Return (psi, threshold) of each watched feature; `features` have columns `names`."""
        found = {}
        for place, name in enumerate(self.names):
            column = features[:, list(names).index(name)].astype(np.float64)
            expected = np.array(self.shares[place])
            seen = np.searchsorted(self.edges[place], column, side="right")
            psi = stability_index(_shares(seen, bins=len(expected)), expected)
            found[name] = (psi, self.thresholds[place])
        return found

    def to_json(self) -> dict[str, Any]:
        return {
            "window_bars": self.window_bars,
            "names": list(self.names),
            "edges": [list(edge) for edge in self.edges],
            "shares": [list(share) for share in self.shares],
            "thresholds": list(self.thresholds),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "DriftReference":
        return cls(
            window_bars=int(data["window_bars"]),
            names=tuple(data["names"]),
            edges=tuple(tuple(edge) for edge in data["edges"]),
            shares=tuple(tuple(share) for share in data["shares"]),
            thresholds=tuple(data["thresholds"]),
        )


def fit_drift(
    features: NDArray[np.float32],
    *,
    names: Sequence[str],
    time_ms: IntArray,
    importance: FloatArray,
    window_bars: int,
    seed: int,
) -> DriftReference:
    """Measure how much the important features move by themselves.

    Args:
        features: shape (n, features), the training rows.
        names: Of the columns.
        time_ms: shape (n,), the close of each row; symbols are pooled.
        importance: shape (features,).
        window_bars: Closes that will be compared.
        seed: Chooses the blocks.
    """
    chosen = np.argsort(-importance, kind="stable")[:WATCHED].tolist()
    moments, index = np.unique(time_ms, return_inverse=True)
    rng = np.random.Generator(np.random.PCG64(seed))
    last = max(1, len(moments) - window_bars + 1)
    starts = rng.integers(0, last, BLOCKS)
    edges, shares, thresholds = [], [], []
    for column in chosen:
        values = features[:, column].astype(np.float64)
        cuts = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
        place = np.searchsorted(cuts, values, side="right")
        counts = np.zeros((len(moments) + 1, len(cuts) + 1))
        np.add.at(counts, (index + 1, place), 1.0)
        counts = counts.cumsum(axis=0)
        edges.append(tuple(cuts.tolist()))
        shares.append(tuple((counts[-1] / counts[-1].sum()).tolist()))
        thresholds.append(_null_threshold(counts, starts, window_bars))
    return DriftReference(
        window_bars=window_bars,
        names=tuple(names[column] for column in chosen),
        edges=tuple(edges),
        shares=tuple(shares),
        thresholds=tuple(thresholds),
    )


def _null_threshold(counts: FloatArray, starts: NDArray[np.int64], window_bars: int) -> float:
    """Return what a block after the training stays below unless the feature has moved.

    Each block of the training is compared with the rest of it, less a block's length on either
    side, as a later block will be: what is compared with itself looks too much alike. The training
    holds a few dozen blocks that do not overlap, so that their `NULL_QUANTILE` is beyond anything
    seen: it is that of predicting one more index from so many, whose cube roots are about normal,
    as those of a chi-square are.

    Args:
        counts: shape (moments + 1, bins), rows before each moment in each bin.
        starts: First moments of the blocks.
        window_bars: Their length.

    Source: Wilson and Hilferty 1931, "The Distribution of Chi-Square" (the cube root).
    """
    from scipy.special import stdtrit  # only trainings need it: processes that serve stay small

    last = len(counts) - 1
    ends = np.minimum(starts + window_bars, last)
    near = (
        counts[np.minimum(ends + window_bars, last)] - counts[np.maximum(starts - window_bars, 0)]
    )
    own, rest = counts[ends] - counts[starts], counts[-1] - near
    null = np.array(
        [
            stability_index(block / block.sum(), others / max(1.0, others.sum()))
            for block, others in zip(own, rest, strict=True)
        ]
    )
    roots = np.cbrt(null)
    blocks = max(2, last // window_bars)
    far = float(stdtrit(blocks - 1, NULL_QUANTILE)) * math.sqrt(1.0 + 1.0 / blocks)
    predicted = float(roots.mean() + far * roots.std()) ** 3
    # A week that lies wholly in an outer bin has moved as far as can be seen on that side.
    whole, edge = counts[-1] / counts[-1].sum(), np.eye(counts.shape[1])
    most = min(stability_index(edge[side], whole) for side in (0, -1))
    return max(min(predicted, 0.999 * most), float(np.quantile(null, NULL_QUANTILE)))


def stability_index(share: FloatArray, expected: FloatArray) -> float:
    """Return the population stability index of two sets of shares; empty bins are half a row."""
    left, right = np.maximum(share, 1e-4), np.maximum(expected, 1e-4)
    return float(np.sum((left - right) * np.log(left / right)))


def _shares(place: NDArray[np.intp], *, bins: int) -> FloatArray:
    counts = np.bincount(place, minlength=bins).astype(np.float64)
    return counts / max(1, len(place))

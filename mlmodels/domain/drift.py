"""Have the inputs moved? Measured against how much they move by themselves.

The usual thresholds of the population stability index (0.1, 0.25) assume independent rows. A week
of a slow feature differs from its year by more than that without any drift, so each feature has
its own threshold: what weeks of the training candles showed against the whole of them.
"""

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
    order = np.argsort(index, kind="stable")
    begins = np.searchsorted(index[order], np.arange(len(moments) + 1))
    rng = np.random.Generator(np.random.PCG64(seed))
    last = max(1, len(moments) - window_bars + 1)
    starts = rng.integers(0, last, BLOCKS)
    edges, shares, thresholds = [], [], []
    for column in chosen:
        values = features[order, column].astype(np.float64)
        cuts = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
        place = np.searchsorted(cuts, values, side="right")
        share = _shares(place, bins=len(cuts) + 1)
        null = [
            stability_index(
                _shares(
                    place[begins[start] : begins[min(start + window_bars, len(moments))]],
                    bins=len(cuts) + 1,
                ),
                share,
            )
            for start in starts.tolist()
        ]
        edges.append(tuple(cuts.tolist()))
        shares.append(tuple(share.tolist()))
        thresholds.append(float(np.quantile(null, NULL_QUANTILE)))
    return DriftReference(
        window_bars=window_bars,
        names=tuple(names[column] for column in chosen),
        edges=tuple(edges),
        shares=tuple(shares),
        thresholds=tuple(thresholds),
    )


def stability_index(share: FloatArray, expected: FloatArray) -> float:
    """Return the population stability index of two sets of shares; empty bins are half a row."""
    left, right = np.maximum(share, 1e-4), np.maximum(expected, 1e-4)
    return float(np.sum((left - right) * np.log(left / right)))


def _shares(place: NDArray[np.intp], *, bins: int) -> FloatArray:
    counts = np.bincount(place, minlength=bins).astype(np.float64)
    return counts / max(1, len(place))

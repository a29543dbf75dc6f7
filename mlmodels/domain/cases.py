"""Past closes that a new one is compared with: how usual it is, and what came of the like."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

KEPT = 512
# Scaled features are cut here: one wild column must not be the whole distance.
CLIP = 4.0
_CHUNK = 2048  # rows at a time: their distances stay in the cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A past close like the present one.

    Attributes:
        close_ms: When.
        group: The instrument.
        distance: In units of the usual distance between a case and its nearest other.
        realized_return: What came of it, fraction.
    """

    close_ms: int
    group: int
    distance: float
    realized_return: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cases:
    """A sample of the training rows, evenly spread over time.

    Attributes:
        centre: shape (features,), medians of the training rows.
        spread: shape (features,), their interquartile ranges, 1 where a column is constant.
        scaled: shape (cases, features), float32.
        close_ms: shape (cases,).
        group: shape (cases,).
        realized_return: shape (cases,), fraction.
        usual: Mean distance of a case to the nearest other, above 0.
    """

    centre: FloatArray
    spread: FloatArray
    scaled: NDArray[np.float32]
    close_ms: IntArray
    group: IntArray
    realized_return: FloatArray
    usual: float

    @classmethod
    def sample(
        cls,
        *,
        features: NDArray[np.float32],
        close_ms: IntArray,
        group: IntArray,
        realized_return: FloatArray,
        kept: int = KEPT,
    ) -> "Cases":
        """Keep some rows, evenly spread; the same rows give the same sample."""
        low, centre, high = np.quantile(features.astype(np.float64), (0.25, 0.5, 0.75), axis=0)
        spread = high - low
        spread[spread < 1e-6] = 1.0
        chosen = np.unique(np.linspace(0, len(group) - 1, min(kept, len(group))).astype(np.intp))
        scaled = _scale(features[chosen], centre, spread)
        gaps = _distances(scaled, scaled)
        np.fill_diagonal(gaps, np.inf)
        usual = float(gaps.min(axis=1).mean()) if len(chosen) > 1 else 1.0
        return cls(
            centre=centre,
            spread=spread,
            scaled=scaled,
            close_ms=close_ms[chosen],
            group=group[chosen],
            realized_return=realized_return[chosen],
            usual=usual if np.isfinite(usual) and usual > 0 else 1.0,
        )

    def dissimilarity(self, features: NDArray[np.float32]) -> FloatArray:
        """Return distance to the nearest case over the usual one, shape (n,); 1 is usual.

        To three decimals, which float32 gives whatever stands beside a row.
        """
        # One product gives |b|^2 - 2ab; |a|^2 is the same for all cases and waits for the nearest.
        squares = (self.scaled * self.scaled).sum(axis=1)
        beside = np.vstack([np.float32(-2.0) * self.scaled.T, squares])
        found = np.empty(len(features))
        for begin in range(0, len(features), _CHUNK):
            part = slice(begin, begin + _CHUNK)
            a = _scale(features[part], self.centre, self.spread)
            gaps = (np.hstack([a, np.ones((len(a), 1), np.float32)]) @ beside).min(axis=1)
            found[part] = gaps + (a * a).sum(axis=1)
        nearest = np.sqrt(np.maximum(found, 0.0) / self.scaled.shape[1])
        rounded: FloatArray = np.round(nearest / self.usual, 3)
        return rounded

    def nearest(self, features: NDArray[np.float32], *, count: int) -> list[Case]:
        """Return the cases nearest to one row of shape (features,), the nearest first."""
        scaled = _scale(features[np.newaxis], self.centre, self.spread)
        gaps = _distances(scaled, self.scaled)[0]
        return [
            Case(
                close_ms=int(self.close_ms[place]),
                group=int(self.group[place]),
                distance=float(gaps[place] / self.usual),
                realized_return=float(self.realized_return[place]),
            )
            for place in np.argsort(gaps, kind="stable")[:count].tolist()
        ]

    def to_json(self) -> dict[str, Any]:
        return {
            "centre": self.centre.tolist(),
            "spread": self.spread.tolist(),
            # Three decimals of a quartile are more than a comparison needs.
            "scaled": np.round(self.scaled.astype(np.float64), 3).tolist(),
            "close_ms": self.close_ms.tolist(),
            "group": self.group.tolist(),
            "realized_return": self.realized_return.tolist(),
            "usual": self.usual,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Cases":
        return cls(
            centre=np.array(data["centre"]),
            spread=np.array(data["spread"]),
            scaled=np.array(data["scaled"], np.float32),
            close_ms=np.array(data["close_ms"], np.int64),
            group=np.array(data["group"], np.int64),
            realized_return=np.array(data["realized_return"]),
            usual=float(data["usual"]),
        )


def _scale(
    features: NDArray[np.float32], centre: FloatArray, spread: FloatArray
) -> NDArray[np.float32]:
    scaled = np.clip((features.astype(np.float64) - centre) / spread, -CLIP, CLIP)
    return scaled.astype(np.float32)


def _distances(left: NDArray[np.float32], right: NDArray[np.float32]) -> FloatArray:
    """Return root mean square distances, shape (left, right)."""
    a, b = left.astype(np.float64), right.astype(np.float64)
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2.0 * a @ b.T
    found: FloatArray = np.sqrt(np.maximum(squares, 0.0) / a.shape[1])
    return found

"""The average of several models, and the linear one's arithmetic.

Serving needs no training library for the linear model: its coefficients are JSON and its sum is
taken column by column, so that one row and a million rows give the same bits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearModel:
    """Log-odds as a weighted sum of standardised features.

    Attributes:
        mean: Per feature, of the training rows.
        scale: Per feature, standard deviation of the training rows; 1 where a feature is constant.
        weights: Per standardised feature.
        intercept: Log-odds at the mean.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float

    def __post_init__(self) -> None:
        if not len(self.mean) == len(self.scale) == len(self.weights):
            raise ValueError("mean, scale and weights must be equally long")
        everything = (*self.mean, *self.scale, *self.weights, self.intercept)
        if not np.isfinite(everything).all() or min(self.scale) <= 0:
            raise ValueError("coefficients must be finite and scales above 0")

    def margins(self, features: NDArray[np.float32]) -> FloatArray:
        """Return log-odds, shape (n,), of `features`, shape (n, len(weights))."""
        if features.shape[1] != len(self.weights):
            raise ValueError(f"needs {len(self.weights)} features, was {features.shape[1]}")
        parts = self.contributions(features)
        total = np.full(len(features), self.intercept)
        # In the order of the columns: one row and a million rows give the same bits.
        for column in range(len(self.weights)):
            total += parts[:, column]
        return total

    def contributions(self, features: NDArray[np.float32]) -> FloatArray:
        """Return what each feature adds to the log-odds of the mean row, shape (n, features)."""
        mean, scale = np.array(self.mean), np.array(self.scale)
        found: FloatArray = (features.astype(np.float64) - mean) / scale * np.array(self.weights)
        return found

    def to_json(self) -> dict[str, Any]:
        return {
            "mean": list(self.mean),
            "scale": list(self.scale),
            "weights": list(self.weights),
            "intercept": self.intercept,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "LinearModel":
        return cls(
            mean=tuple(data["mean"]),
            scale=tuple(data["scale"]),
            weights=tuple(data["weights"]),
            intercept=data["intercept"],
        )


def standardize(features: NDArray[np.float32]) -> tuple[FloatArray, FloatArray]:
    """Return means and scales of training rows, shape (features,) each.

    A constant column (no taker volumes, a daily candle's hour) keeps its scale: 1.
    """
    x = features.astype(np.float64)
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale[scale < 1e-6] = 1.0
    return mean, scale


class NoNumbers(ValueError):
    """A model answers with NaN or infinity; nothing may be made of it."""


def average(margins: Sequence[FloatArray]) -> FloatArray:
    """Return the mean log-odds of the members, shape (n,).

    Raises:
        NoNumbers: A member's answer is not finite.
        ValueError: There is no member.
    """
    if not margins:
        raise ValueError("an ensemble needs at least one member")
    total = margins[0].copy()
    for margin in margins[1:]:
        total += margin
    total /= float(len(margins))
    if not np.isfinite(total).all():
        raise NoNumbers("a member's log-odds are not finite")
    return total

"""Finite-window operations that give the same bits for one row as for a million.

Each works on the last axis, loops over lags in one fixed order and uses only exactly rounded
operations; see ``features.py`` for why.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
ScalarT = TypeVar("ScalarT", bound=np.generic)

# An average of span s is cut after this many spans; what is left out weighs e^-8.
EMA_SPANS = 4


class Lags:
    """Windows that end at each of the last `rows` entries of a series."""

    def __init__(self, *, rows: int) -> None:
        self.rows = rows

    def at(self, series: NDArray[ScalarT], lag: int) -> NDArray[ScalarT]:
        """Return the values `lag` entries before each row: shape (..., rows)."""
        end = series.shape[-1] - lag
        if end < self.rows:
            raise ValueError(f"lag {lag} needs {self.rows + lag} entries, was {series.shape[-1]}")
        return series[..., end - self.rows : end]

    def sums(self, series: FloatArray, lengths: tuple[int, ...]) -> dict[int, FloatArray]:
        """Return sums over the newest k entries for each k in `lengths` (ascending)."""
        total = self.at(series, 0).copy()
        found: dict[int, FloatArray] = {}
        for lag in range(1, max(lengths) + 1):
            if lag in lengths:
                found[lag] = total.copy()
            if lag < max(lengths):
                total += self.at(series, lag)
        return found

    def squared_deviation(self, series: FloatArray, mean: FloatArray, length: int) -> FloatArray:
        """Return the sum over the newest `length` entries of (entry - mean) squared."""
        total = np.zeros_like(mean)
        for lag in range(length):
            gap = self.at(series, lag) - mean
            gap *= gap
            total += gap
        return total

    def maximum(self, series: FloatArray, length: int) -> FloatArray:
        """Return the highest of the newest `length` entries."""
        best = self.at(series, 0).copy()
        for lag in range(1, length):
            np.maximum(best, self.at(series, lag), out=best)
        return best

    def minimum(self, series: FloatArray, length: int) -> FloatArray:
        """Return the lowest of the newest `length` entries."""
        best = self.at(series, 0).copy()
        for lag in range(1, length):
            np.minimum(best, self.at(series, lag), out=best)
        return best

    def ema(self, series: FloatArray, span: int) -> FloatArray:
        """Return the exponential average of `span`, begun ``EMA_SPANS * span`` entries ago."""
        alpha = 2.0 / (span + 1.0)
        first = EMA_SPANS * span - 1
        mean = self.at(series, first).copy()
        step = np.empty_like(mean)
        for lag in range(first - 1, -1, -1):
            np.subtract(self.at(series, lag), mean, out=step)
            step *= alpha
            mean += step
        return mean


def divide(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Return numerator / denominator, and 0 where the denominator is not above 0."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    quotient = np.zeros(shape)
    np.divide(numerator, denominator, out=quotient, where=denominator > 0)
    return quotient


def bounded_ratio(left: FloatArray, right: FloatArray) -> FloatArray:
    """Return (left - right) / (left + right): -1 to 1, the tangent of half the log ratio."""
    return divide(left - right, left + right)


def rsi(gains: FloatArray, losses: FloatArray) -> FloatArray:
    """Return the relative strength index of simple sums: 0-100, 50 where nothing moved.

    Source: Wilder 1978, ch. 6, with simple instead of smoothed means (a finite window).
    """
    both = gains + losses
    strength = np.full_like(both, 50.0)
    np.divide(100.0 * gains, both, out=strength, where=both > 0)
    return strength


def wave(fraction: FloatArray) -> FloatArray:
    """Return one period of two parabolas, a sine to within 6 %, for `fraction` in [0, 1)."""
    half = 2.0 * fraction
    rising = 4.0 * half * (1.0 - half)
    falling = -4.0 * (half - 1.0) * (2.0 - half)
    return np.where(half < 1.0, rising, falling)

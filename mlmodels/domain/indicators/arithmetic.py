"""Operations that give the same bits for one row as for a million; see ``features.py`` for why."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


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


def place(above: FloatArray, height: FloatArray) -> FloatArray:
    """Return where a price lies in its range, -1 (low) to 1 (high), 0 in an empty range."""
    return divide(2.0 * above - height, height)


def wave(fraction: FloatArray) -> FloatArray:
    """Return one period of two parabolas, a sine to within 6 %, for `fraction` in [0, 1)."""
    half = 2.0 * fraction
    rising = 4.0 * half * (1.0 - half)
    falling = -4.0 * (half - 1.0) * (2.0 - half)
    return np.where(half < 1.0, rising, falling)

"""Tests and scores of dependent numbers.

Neighbouring rows share most of their label, so plain standard errors are far too small; every test
here uses Newey and West's, over means per moment, so that symbols that move together do not count
as independent either.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlmodels.domain.calibration import logistic_line

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

BINS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class HacMean:
    """A mean of dependent numbers; `t` is None when it is undefined."""

    mean: float
    standard_error: float
    t: float | None


def hac_lags(horizon_bars: int) -> int:
    """Return the lags for tests on overlapping labels.

    Three horizons: Bartlett's weights fall linearly, so that of fully overlapping labels' variance
    two horizons miss a sixth and three a ninth.
    """
    return max(24, 3 * horizon_bars)


def newey_west(series: FloatArray, *, lags: int) -> HacMean:
    """Return the mean of a dependent series with its standard error.

    Source: Newey and West 1987, Bartlett weights ``1 - k / (lags + 1)``.
    """
    n = len(series)
    if n == 0:
        raise ValueError("newey_west needs at least one number")
    mean = float(series.mean())
    centred = series - mean
    variance = float(np.dot(centred, centred)) / n
    for lag in range(1, min(lags, n - 1) + 1):
        weight = 1.0 - lag / (lags + 1.0)
        variance += 2.0 * weight * float(np.dot(centred[lag:], centred[:-lag])) / n
    error = float(np.sqrt(max(variance, 0.0) / n))
    return HacMean(mean=mean, standard_error=error, t=mean / error if error > 0 else None)


def mean_per_moment(numbers: FloatArray, time_ms: IntArray) -> FloatArray:
    """Return the mean over symbols at each moment, in order of time."""
    _, index, counts = np.unique(time_ms, return_inverse=True, return_counts=True)
    return np.bincount(index, weights=numbers) / counts


def area_under_curve(score: FloatArray, is_up: BoolArray) -> float | None:
    """Return P(score of an up > score of a down), ties half; None when one kind is missing."""
    ups, downs = int(is_up.sum()), int((~is_up).sum())
    if ups == 0 or downs == 0:
        return None
    _, index, counts = np.unique(score, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2.0)[index]
    return float((ranks[is_up].sum() - ups * (ups + 1) / 2.0) / (ups * downs))


def calibration_slope(p_up: FloatArray, is_up: BoolArray) -> float | None:
    """Return the slope of outcomes on the stated log-odds; None for a constant forecast."""
    log_odds = _log_odds(p_up)
    if log_odds.std() <= 1e-9:
        return None
    return logistic_line(log_odds, is_up)[0]


def calibration_slope_test(
    p_up: FloatArray, is_up: BoolArray, time_ms: IntArray, *, lags: int
) -> HacMean | None:
    """Return the calibration slope with the standard error of its distance from 1.

    The error is that of the estimate's influence per moment, so that overlapping labels and
    symbols that move together do not make it small. None for a constant forecast; ``t`` is that
    of (slope - 1).
    """
    slope = calibration_slope(p_up, is_up)
    if slope is None:
        return None
    x = _log_odds(p_up)
    stated, intercept = logistic_line(x, is_up)
    p = 1.0 / (1.0 + np.exp(-(stated * x + intercept)))
    weight = p * (1.0 - p)
    centre = float(np.sum(weight * x) / np.sum(weight))
    curvature = float(np.mean(weight * (x - centre) ** 2))
    if curvature <= 0:
        return None
    influence = (x - centre) * (is_up - p) / curvature
    error = newey_west(mean_per_moment(influence, time_ms), lags=lags).standard_error
    t = (slope - 1.0) / error if error > 0 else None
    return HacMean(mean=slope, standard_error=error, t=t)


def calibration_error(
    p_up: FloatArray, is_up: BoolArray, *, effective_rows: int, seed: int = 1
) -> tuple[float, float]:
    """Return the expected calibration error and what honest probabilities would reach by luck.

    Args:
        p_up: shape (n,), stated probabilities.
        is_up: shape (n,), what happened.
        effective_rows: What the n overlapping rows are worth.
        seed: Of the simulated luck.

    Returns:
        Mean distance of stated and seen frequency over ten bins of equal mass, and the 95 %
        quantile of it when every stated probability is true.
    """
    order = np.argsort(p_up, kind="stable")
    bins = [part for part in np.array_split(order, BINS) if len(part)]
    share = np.array([len(part) / len(p_up) for part in bins])
    stated = np.array([p_up[part].mean() for part in bins])
    seen = np.array([is_up[part].mean() for part in bins])
    draws = np.maximum(1, (share * effective_rows).astype(np.int64))
    # A seeded stream of its own: the figure is part of what a rerun must reproduce.
    luck = np.random.Generator(np.random.PCG64(seed)).binomial(draws, stated, (1000, len(bins)))
    null = np.abs(luck / draws - stated) @ share
    return float(np.abs(seen - stated) @ share), float(np.quantile(null, 0.95))


def reliability(p_up: FloatArray, is_up: BoolArray) -> list[tuple[float, float, int]]:
    """Return stated and seen frequency and rows of ten bins of equal mass, for plots."""
    order = np.argsort(p_up, kind="stable")
    return [
        (float(p_up[part].mean()), float(is_up[part].mean()), len(part))
        for part in np.array_split(order, BINS)
        if len(part)
    ]


def centred_by_group(numbers: FloatArray, group: IntArray) -> FloatArray:
    """Return `numbers` less the mean of their group."""
    _, index, counts = np.unique(group, return_inverse=True, return_counts=True)
    return numbers - (np.bincount(index, weights=numbers) / counts)[index]


def _log_odds(p_up: FloatArray) -> FloatArray:
    clipped = np.clip(p_up, 1e-6, 1 - 1e-6)
    found: FloatArray = np.log(clipped / (1.0 - clipped))
    return found

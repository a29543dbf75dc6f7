"""What the numbers of a model say that asks for training."""

import math
from collections.abc import Callable
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from mlmodels.domain.alarms import Alarm, Trigger
from mlmodels.domain.evaluation import OutOfFold, ic_products
from mlmodels.domain.statistics import (
    HacMean,
    calibration_slope_test,
    hac_lags,
    mean_per_moment,
    newey_west,
)

FloatArray = NDArray[np.float64]

ERROR_OUTCOMES = 48
# Below a day's horizon the mean error measures the market's volatility, not the model.
ERROR_FROM_HORIZON = timedelta(days=1)
ERROR_RATIO = 1.05
ERROR_T = 2.33  # one-sided 1 %
CALIBRATION_ROWS = 300
# The test of the slope needs so many horizons: on fewer its standard error is far too small.
CALIBRATION_HORIZONS = 60
CALIBRATION_SLOPE = (0.5, 1.5)
CALIBRATION_T = 2.58  # two-sided 1 %
DRIFTED_FEATURES = 3


def model_alarm(
    rows: OutOfFold,
    *,
    horizon: timedelta,
    horizon_bars: int,
    threshold: float,
    promised_ic: float | None,
    drift: Callable[[], dict[str, tuple[float, float]]],
) -> Alarm | None:
    """Return the first alarm that a model's outcomes and inputs raise; None: all is well.

    Args:
        rows: Its newest resolved predictions, in order of time.
        horizon: How far it looks ahead.
        horizon_bars: The same in candles.
        threshold: The user's ``retrain_error_threshold``.
        promised_ic: Correlation that walking forward had shown; None: no skill. Such a model is
            not acted on: it has no skill to lose, and no probabilities that anybody relies on.
        drift: Gives (psi, threshold) by feature; asked only when the outcomes raise nothing.
    """
    return (
        error_alarm(rows, horizon=horizon, horizon_bars=horizon_bars, threshold=threshold)
        or skill_alarm(rows, horizon_bars=horizon_bars, promised_ic=promised_ic)
        or (_slope_alarm(rows, horizon_bars=horizon_bars) if promised_ic else None)
        or drift_alarm(drift())
    )


def error_alarm(
    rows: OutOfFold, *, horizon: timedelta, horizon_bars: int, threshold: float
) -> Alarm | None:
    """Compare the newest mean absolute error with the user's threshold and with no forecast.

    The threshold is absolute: below a day's horizon it would measure volatility, so it is left
    out there. The error in volatilities over that of expecting no return measures the model at
    any horizon; outcomes that overlap count once, and luck does not count.
    """
    if len(rows.p_up) < ERROR_OUTCOMES:
        return None
    newest = rows.where(np.arange(len(rows.p_up)) >= len(rows.p_up) - ERROR_OUTCOMES)
    error = float(np.mean(np.abs(newest.expected_return - newest.forward_return)))
    ratio = _error_ratio(rows, horizon_bars=horizon_bars)
    is_absolute = horizon >= ERROR_FROM_HORIZON and error > threshold
    if not is_absolute and ratio is None:
        return None
    return Alarm(
        trigger=Trigger.ERROR,
        evidence={
            "mean_absolute_error": error,
            "threshold": threshold,
            "ratio_to_no_forecast": ratio,
            "ratio_threshold": ERROR_RATIO,
            "outcomes": float(ERROR_OUTCOMES),
        },
    )


def _error_ratio(rows: OutOfFold, *, horizon_bars: int) -> float | None:
    """Return the error over that of no forecast; None: not beyond the bound by more than luck."""
    moments = np.unique(rows.time_ms)
    needed = ERROR_OUTCOMES * horizon_bars
    if len(moments) < needed:
        return None
    newest = rows.where(rows.time_ms >= moments[-needed])
    usual = np.abs(newest.forward_return) / newest.horizon_sigma
    miss = np.abs(newest.expected_return - newest.forward_return) / newest.horizon_sigma
    beyond = mean_per_moment(miss - ERROR_RATIO * usual, newest.time_ms)
    excess = newey_west(beyond, lags=hac_lags(horizon_bars))
    baseline = float(usual.mean())
    if excess.t is None or excess.t <= ERROR_T or baseline <= 0:
        return None
    return float(miss.mean()) / baseline


def skill_alarm(rows: OutOfFold, *, horizon_bars: int, promised_ic: float | None) -> Alarm | None:
    """Weigh the outcomes: do they fit the promised correlation, or rather its opposite?

    The evidence adds up while the correlation is turned and is forgotten while it is as promised,
    so that a champion is neither blamed for a bad week nor excused by good months before. Returns
    count in units of their volatility and at most `SKILL_WINSOR` of them: no storm cries wolf.

    Args:
        rows: Newest resolved predictions, in order of time.
        horizon_bars: Candles ahead.
        promised_ic: What walking forward had shown; None or 0: no skill, and none to lose.
    """
    if not promised_ic or promised_ic < 0 or not len(rows.p_up):
        return None
    product = ic_products(rows, rows.p_up - rows.base_rate, winsor=SKILL_WINSOR)
    if product is None:
        return None
    found = turned_evidence(
        mean_per_moment(product, rows.time_ms), promised=promised_ic, horizon_bars=horizon_bars
    )
    if found is None or found[0] <= found[1]:
        return None
    evidence, threshold = found
    return Alarm(
        trigger=Trigger.SKILL,
        evidence={
            "log_likelihood_ratio": evidence,
            "threshold": threshold,
            "promised_ic": promised_ic,
        },
    )


# Candles between two false alarms of a model that keeps what it promised.
SKILL_BARS = 10_000
# Fat tails hide a small correlation: nearer bounds show it sooner.
SKILL_WINSOR = 2.0
_LEAST_BLOCKS = 30


def turned_evidence(
    product: FloatArray, *, promised: float, horizon_bars: int
) -> tuple[float, float] | None:
    """Return the log-likelihood ratio of a turned correlation and its bound; None: too few.

    The cumulative sum of the ratio, set back to nothing wherever it would be negative, of the
    means over blocks of a horizon: outcomes that overlap would count one surprise many times.

    Args:
        product: shape (n,), per close, whose mean is the correlation.
        promised: The correlation to hold them against, above 0.
        horizon_bars: Candles ahead.

    Source: Page 1954; its average run length after Siegmund 1985, Sequential Analysis, (2.52).
    """
    blocks = len(product) // horizon_bars
    if blocks < _LEAST_BLOCKS:
        return None
    newest = product[len(product) - blocks * horizon_bars :]
    means = newest.reshape(blocks, horizon_bars).mean(axis=1)
    variance = float(means.var())
    if variance == 0.0:
        return None
    climb = np.cumsum(-2.0 * promised * means / variance)
    lowest = min(0.0, float(climb.min()))
    return float(climb[-1]) - lowest, _run_length_bound(promised**2 / variance, horizon_bars)


def _run_length_bound(power: float, horizon_bars: int) -> float:
    """Solve exp(h) - 1 - h = 2 * power * blocks for the bound h."""
    wanted = 2.0 * power * SKILL_BARS / horizon_bars
    bound = math.sqrt(2.0 * wanted)  # above the solution, from where the steps converge
    for _ in range(100):
        bound -= (math.expm1(bound) - bound - wanted) / math.expm1(bound)
    return bound


def _slope_alarm(rows: OutOfFold, *, horizon_bars: int) -> Alarm | None:
    """Test the calibration where there are outcomes enough that do not overlap."""
    moments = len(np.unique(rows.time_ms))
    if len(rows.p_up) < CALIBRATION_ROWS or moments < CALIBRATION_HORIZONS * horizon_bars:
        return None
    lags = hac_lags(horizon_bars)
    is_up = rows.forward_return > 0
    return calibration_alarm(calibration_slope_test(rows.p_up, is_up, rows.time_ms, lags=lags))


def calibration_alarm(slope: HacMean | None) -> Alarm | None:
    """Ask whether the slope of outcomes on stated log-odds is out of bounds beyond luck.

    It is held against the bounds and not against 1: the calibration was itself learned from a
    sample, and what is somewhat off by that has not changed since.

    Args:
        slope: Of ``calibration_slope_test``: outcomes that overlap count once.
    """
    if slope is None:
        return None
    low, high = CALIBRATION_SLOPE
    slack = CALIBRATION_T * slope.standard_error
    if low <= slope.mean + slack and slope.mean - slack <= high:
        return None
    return Alarm(
        trigger=Trigger.CALIBRATION,
        evidence={
            "slope": slope.mean,
            "standard_error": slope.standard_error,
            "lowest": low,
            "highest": high,
        },
    )


def drift_alarm(psi: dict[str, tuple[float, float]]) -> Alarm | None:
    """Count the important features that moved beyond their own threshold: (psi, threshold)."""
    moved = {name: found for name, (found, threshold) in psi.items() if found > threshold}
    if len(moved) < DRIFTED_FEATURES:
        return None
    return Alarm(trigger=Trigger.DRIFT, evidence={"features": len(moved), **moved})

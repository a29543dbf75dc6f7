"""What the numbers of a model say that asks for training."""

from collections.abc import Callable
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from mlmodels.domain.alarms import Alarm, Trigger
from mlmodels.domain.evaluation import OutOfFold
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
CALIBRATION_SLOPE = (0.5, 1.5)
CALIBRATION_T = 2.58  # two-sided 1 %
DRIFTED_FEATURES = 3


def model_alarm(
    rows: OutOfFold,
    *,
    horizon: timedelta,
    horizon_bars: int,
    threshold: float,
    drift: Callable[[], dict[str, tuple[float, float]]],
) -> Alarm | None:
    """Return the first alarm that a model's outcomes and inputs raise; None: all is well.

    Args:
        rows: Its newest resolved predictions, in order of time.
        horizon: How far it looks ahead.
        horizon_bars: The same in candles.
        threshold: The user's ``retrain_error_threshold``.
        drift: Gives (psi, threshold) by feature; asked only when the outcomes raise nothing.
    """
    slope = None
    if len(rows.p_up) >= CALIBRATION_ROWS:
        lags = hac_lags(horizon_bars)
        slope = calibration_slope_test(rows.p_up, rows.forward_return > 0, rows.time_ms, lags=lags)
    return (
        error_alarm(rows, horizon=horizon, horizon_bars=horizon_bars, threshold=threshold)
        or skill_alarm(rows, horizon_bars=horizon_bars)
        or calibration_alarm(slope, rows=len(rows.p_up))
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
    if not is_absolute and (ratio is None or ratio <= ERROR_RATIO):
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
    """Return the error over that of no forecast; None: too few to tell, or it may be luck."""
    moments = np.unique(rows.time_ms)
    needed = ERROR_OUTCOMES * horizon_bars
    if len(moments) < needed:
        return None
    newest = rows.where(rows.time_ms >= moments[-needed])
    usual = np.abs(newest.forward_return) / newest.horizon_sigma
    miss = np.abs(newest.expected_return - newest.forward_return) / newest.horizon_sigma
    excess = newey_west(mean_per_moment(miss - usual, newest.time_ms), lags=hac_lags(horizon_bars))
    baseline = float(usual.mean())
    if excess.t is None or excess.t <= ERROR_T or baseline <= 0:
        return None
    return float(miss.mean()) / baseline


def skill_alarm(rows: OutOfFold, *, horizon_bars: int) -> Alarm | None:
    """Watch the loss against the base rate: it must not climb for long.

    The Brier loss is bounded and so is its difference to the base rate's, whatever volatility
    does; raw errors would cry wolf in every storm.
    """
    if not len(rows.p_up):
        return None
    is_up = rows.forward_return > 0
    loss = (rows.p_up - is_up) ** 2 - (rows.base_rate - is_up) ** 2
    statistic = page_hinkley(mean_per_moment(loss, rows.time_ms), horizon_bars=horizon_bars)
    if statistic is None or statistic <= PAGE_HINKLEY_THRESHOLD:
        return None
    return Alarm(
        trigger=Trigger.SKILL,
        evidence={"page_hinkley": statistic, "threshold": PAGE_HINKLEY_THRESHOLD},
    )


# In standard deviations of one independent outcome.
PAGE_HINKLEY_SLACK = 0.1
PAGE_HINKLEY_THRESHOLD = 12.0
_REFERENCE_ROWS = 100


def page_hinkley(loss: FloatArray, *, horizon_bars: int) -> float | None:
    """Return the highest climb of the cumulated excess loss; None with too few outcomes.

    The loss is averaged over blocks of a horizon, since overlapping outcomes would count one
    surprise many times, and measured in standard deviations of a first stretch.

    Source: Page 1954; Hinkley 1971.
    """
    blocks = len(loss) // horizon_bars
    if blocks * horizon_bars < _REFERENCE_ROWS or blocks < 8:
        return None
    means = loss[: blocks * horizon_bars].reshape(blocks, horizon_bars).mean(axis=1)
    spread = float(means.std())
    if spread == 0.0:
        return 0.0
    # Worse than the base rate is what counts: the reference is a difference of zero.
    climb = np.cumsum(means / spread - PAGE_HINKLEY_SLACK)
    lowest = np.minimum.accumulate(np.concatenate([[0.0], climb[:-1]]))
    return float(np.max(climb - lowest))


def calibration_alarm(slope: HacMean | None, *, rows: int) -> Alarm | None:
    """Compare the slope of outcomes on stated log-odds with 1.

    Args:
        slope: Of ``calibration_slope_test``: outcomes that overlap count once.
        rows: How many there are.
    """
    low, high = CALIBRATION_SLOPE
    if slope is None or slope.t is None or rows < CALIBRATION_ROWS or low <= slope.mean <= high:
        return None
    if abs(slope.t) < CALIBRATION_T:
        return None
    return Alarm(
        trigger=Trigger.CALIBRATION,
        evidence={
            "slope": slope.mean,
            "t": slope.t,
            "lowest": low,
            "highest": high,
            "rows": float(rows),
        },
    )


def drift_alarm(psi: dict[str, tuple[float, float]]) -> Alarm | None:
    """Count the important features that moved beyond their own threshold: (psi, threshold)."""
    moved = {name: found for name, (found, threshold) in psi.items() if found > threshold}
    if len(moved) < DRIFTED_FEATURES:
        return None
    return Alarm(trigger=Trigger.DRIFT, evidence={"features": len(moved), **moved})

"""When a model should be trained again: alarms with their evidence, and what holds them back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from mlmodels.domain.evaluation import OutOfFold
from mlmodels.domain.statistics import mean_per_moment

FloatArray = NDArray[np.float64]

COOL_DOWN = timedelta(hours=6)
MOST_PER_DAY = 4
# So many trainings for the same alarm without relief: stop, and let somebody look.
MOST_IN_VAIN = 3
ERROR_OUTCOMES = 48
# Below a day's horizon the mean error measures the market's volatility, not the model.
ERROR_FROM_HORIZON = timedelta(days=1)
ERROR_RATIO = 1.05
CALIBRATION_ROWS = 300
CALIBRATION_SLOPE = (0.5, 1.5)
DRIFTED_FEATURES = 3


class Trigger(StrEnum):
    """Why a training is asked for; the first that applies is named."""

    FIRST = "first"
    RETRY = "retry"
    DATA = "data"
    INTERVAL = "interval"
    ERROR = "error"
    SKILL = "skill"
    CALIBRATION = "calibration"
    DRIFT = "drift"
    MANUAL = "manual"


# Alarms about the model; the others are appointments and repairs.
ALARMS = frozenset({Trigger.ERROR, Trigger.SKILL, Trigger.CALIBRATION, Trigger.DRIFT})


class EventOutcome(StrEnum):
    """What became of an alarm."""

    STARTED = "STARTED"
    # It had not cleared since the last training for it, or the day's trainings are used up.
    HELD_BACK = "HELD_BACK"
    # Training did not help again and again: an operator must look.
    STOPPED = "STOPPED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A reason to train, with the numbers behind it."""

    trigger: Trigger
    evidence: dict[str, float | str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastEvent:
    """An earlier alarm of the scope, newest first in lists."""

    trigger: Trigger
    outcome: EventOutcome
    at: datetime


def error_alarm(rows: OutOfFold, *, horizon: timedelta, threshold: float) -> Alarm | None:
    """Compare the newest mean absolute error with the user's threshold and with no forecast.

    The threshold is absolute: below a day's horizon it would measure volatility, so it is left
    out there. The ratio to the error of expecting no return measures the model at any horizon.
    """
    if len(rows.p_up) < ERROR_OUTCOMES:
        return None
    newest = rows.where(np.arange(len(rows.p_up)) >= len(rows.p_up) - ERROR_OUTCOMES)
    miss = np.abs(newest.expected_return - newest.forward_return)
    error = float(miss.mean())
    baseline = float(np.mean(np.abs(newest.forward_return) / newest.horizon_sigma))
    ratio = float(np.mean(miss / newest.horizon_sigma)) / baseline if baseline > 0 else None
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


def calibration_alarm(slope: float | None, *, rows: int) -> Alarm | None:
    """Compare the slope of outcomes on stated log-odds with 1."""
    low, high = CALIBRATION_SLOPE
    if slope is None or rows < CALIBRATION_ROWS or low <= slope <= high:
        return None
    return Alarm(
        trigger=Trigger.CALIBRATION,
        evidence={"slope": slope, "lowest": low, "highest": high, "rows": float(rows)},
    )


def drift_alarm(psi: dict[str, tuple[float, float]]) -> Alarm | None:
    """Count the important features that moved beyond their own threshold: (psi, threshold)."""
    moved = {name: found for name, (found, threshold) in psi.items() if found > threshold}
    if len(moved) < DRIFTED_FEATURES:
        return None
    return Alarm(trigger=Trigger.DRIFT, evidence={"features": len(moved), **moved})


def what_to_do(
    alarm: Alarm, *, past: Sequence[PastEvent], last_trained_at: datetime | None, now: datetime
) -> EventOutcome | None:
    """Hold an alarm back, stop, or start; None: nothing to note, the cool-down is running.

    Args:
        alarm: What asks for training.
        past: Earlier events of the scope, newest first.
        last_trained_at: When the newest training began.
        now: Time of the market.
    """
    if alarm.trigger not in ALARMS:
        return EventOutcome.STARTED
    if last_trained_at is not None and now - last_trained_at < COOL_DOWN:
        return None
    started = [event for event in past if event.outcome is EventOutcome.STARTED]
    in_vain = 0
    for event in started:
        if event.trigger is not alarm.trigger:
            break
        in_vain += 1
    if in_vain >= MOST_IN_VAIN:
        return EventOutcome.STOPPED
    today = [event for event in started if now - event.at < timedelta(days=1)]
    if len(today) >= MOST_PER_DAY:
        return EventOutcome.HELD_BACK
    return EventOutcome.STARTED

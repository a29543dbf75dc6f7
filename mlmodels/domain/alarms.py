"""Alarms that ask for training, and what holds them back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

COOL_DOWN = timedelta(hours=6)
MOST_PER_DAY = 4
# So many trainings for the same alarm without relief: stop, and let somebody look.
MOST_IN_VAIN = 3
# A training that did not replace the champion did not help; the same alarm about it waits so long.
HELD_FOR = timedelta(days=7)


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
    """An earlier alarm of the scope, newest first in lists; `version_id` is whom it was about."""

    trigger: Trigger
    outcome: EventOutcome
    at: datetime
    version_id: int | None = None


def is_repeated(past: Sequence[PastEvent], alarm: Alarm, outcome: EventOutcome) -> bool:
    """Tell whether the newest event says the same of the same alarm."""
    return bool(past) and (past[0].trigger, past[0].outcome) == (alarm.trigger, outcome)


def what_to_do(
    alarm: Alarm,
    *,
    past: Sequence[PastEvent],
    version_id: int | None,
    last_trained_at: datetime | None,
    now: datetime,
) -> EventOutcome | None:
    """Hold an alarm back, stop, or start; None: nothing to note, the cool-down is running.

    Args:
        alarm: What asks for training.
        past: Earlier events of the scope, newest first.
        version_id: The champion that it is about.
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
    if any(
        event.trigger is alarm.trigger
        and event.version_id == version_id
        and now - event.at < HELD_FOR
        for event in started
    ):
        return EventOutcome.HELD_BACK
    today = [event for event in started if now - event.at < timedelta(days=1)]
    if len(today) >= MOST_PER_DAY:
        return EventOutcome.HELD_BACK
    return EventOutcome.STARTED

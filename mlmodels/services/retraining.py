"""When to train again: after an interval, or when predictions miss by too much."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from markets.domain.timeframe import Timeframe
from markets.selectors import list_subscriptions
from mlmodels.domain.lifecycle import RunStatus
from mlmodels.models import MLSettings
from mlmodels.selectors import (
    ChampionView,
    get_champion,
    get_newest_run,
    get_settings,
    mean_absolute_error,
)

# However urgent it looks: a training changes little within hours, and failing ones must not loop.
COOL_DOWN = timedelta(hours=6)
OUTCOMES = 48
# Below a day's horizon the mean error measures the market's volatility, not the model.
ERROR_FROM_HORIZON = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DueTraining:
    """A training that should run now."""

    timeframe: str
    instrument_ids: tuple[int, ...]
    horizon_bars: int
    trigger: str


def list_due(*, now: datetime) -> list[DueTraining]:
    """Return the trainings that are due, one per subscribed timeframe at most."""
    settings = get_settings()
    instruments: dict[Timeframe, list[int]] = defaultdict(list)
    for subscription in list_subscriptions():
        instruments[subscription.timeframe].append(subscription.instrument_id)
    due = []
    for timeframe, instrument_ids in instruments.items():
        champion = get_champion(timeframe.value)
        trigger = _trigger(timeframe, champion, settings, now=now)
        if trigger:
            due.append(
                DueTraining(
                    timeframe=timeframe.value,
                    instrument_ids=tuple(instrument_ids),
                    horizon_bars=champion.horizon_bars if champion else settings.horizon_bars,
                    trigger=trigger,
                )
            )
    return due


def _trigger(
    timeframe: Timeframe, champion: ChampionView | None, settings: MLSettings, *, now: datetime
) -> str:
    """Return why the timeframe should be trained; empty when it should not."""
    run = get_newest_run(timeframe.value)
    if run is None:
        return "first"
    age = now - run.started_at
    interval = timedelta(hours=settings.retrain_interval_hours)
    if run.status == RunStatus.RUNNING and run.lease_until > now:
        return ""
    if age >= interval:
        return "interval"
    if age < COOL_DOWN:
        return ""
    if run.status == RunStatus.FAILED:
        return "retry"
    if champion is None or timeframe.delta * champion.horizon_bars < ERROR_FROM_HORIZON:
        return ""
    error = mean_absolute_error(version_id=champion.version_id, outcomes=OUTCOMES)
    is_off = error is not None and error > settings.retrain_error_threshold
    return "error" if is_off else ""

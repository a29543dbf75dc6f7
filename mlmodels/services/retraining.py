"""When to train again: by appointment, and when the numbers ask for it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markets.domain.timeframe import Timeframe
from markets.selectors import count_revisions, list_subscriptions
from mlmodels.domain.alarms import (
    COOL_DOWN,
    Alarm,
    EventOutcome,
    PastEvent,
    Trigger,
    is_repeated,
    what_to_do,
)
from mlmodels.domain.feature_spec import FeatureSpec
from mlmodels.domain.lifecycle import RunStatus
from mlmodels.domain.triggers import model_alarm
from mlmodels.models import DriftMetric, MLSettings, ModelVersion, RetrainEvent, TrainingRun
from mlmodels.selectors import ChampionView, get_champion, get_newest_run, get_settings
from mlmodels.services.announcements import announce_stopped
from mlmodels.services.resolved import load_resolved
from mlmodels.services.runs import bury_lost, is_worth_resuming

_ROWS = 3000
_EVENTS = 20
LOST_AFTER = timedelta(hours=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class DueTraining:
    """A training that should run now."""

    timeframe: str
    instrument_ids: tuple[int, ...]
    horizon_bars: int
    trigger: str


def list_due(*, now: datetime) -> list[DueTraining]:
    """Return the trainings that are due, one per subscribed timeframe at most.

    Each alarm is stored with its evidence and with what was done about it.
    """
    settings = get_settings()
    instruments: dict[Timeframe, list[int]] = defaultdict(list)
    for subscription in list_subscriptions():
        instruments[subscription.timeframe].append(subscription.instrument_id)
    due = []
    for timeframe, instrument_ids in instruments.items():
        champion = get_champion(timeframe.value)
        bury_lost(timeframe.value, now=now)
        run = get_newest_run(timeframe.value)
        if run is not None and run.status == RunStatus.RUNNING and run.lease_until > now:
            continue
        alarm = _alarm(timeframe, champion, run, settings, now=now)
        if alarm is None or not _is_heard(timeframe.value, alarm, champion, run, now=now):
            continue
        due.append(
            DueTraining(
                timeframe=timeframe.value,
                instrument_ids=tuple(instrument_ids),
                horizon_bars=champion.horizon_bars if champion else settings.horizon_bars,
                trigger=alarm.trigger.value,
            )
        )
    return due


def _alarm(
    timeframe: Timeframe,
    champion: ChampionView | None,
    run: TrainingRun | None,
    settings: MLSettings,
    *,
    now: datetime,
) -> Alarm | None:
    """Return why the timeframe should be trained; None: it should not."""
    if run is None:
        return Alarm(trigger=Trigger.FIRST)
    if is_worth_resuming(run):
        return Alarm(trigger=Trigger.RETRY, evidence={"error": run.error})
    age = now - run.started_at
    hours = age / timedelta(hours=1)
    if age >= timedelta(hours=settings.retrain_interval_hours):
        return Alarm(trigger=Trigger.INTERVAL, evidence={"hours": hours})
    if age < COOL_DOWN:
        return None
    if run.status == RunStatus.FAILED:
        return Alarm(trigger=Trigger.RETRY, evidence={"error": run.error[:200]})
    if champion is None:
        return None
    return (
        _stale(champion)
        or _revised(timeframe, champion)
        or _model_alarm(timeframe, champion, settings, now=now)
    )


def _stale(champion: ChampionView) -> Alarm | None:
    """Ask for training when the champion's features are of code that this program has not."""
    stored = ModelVersion.objects.values_list("feature_spec", flat=True).get(pk=champion.version_id)
    if stored and FeatureSpec.from_json(stored).is_current:
        return None
    return Alarm(trigger=Trigger.DATA, evidence={"spec_hash": champion.spec_hash})


def _revised(timeframe: Timeframe, champion: ChampionView) -> Alarm | None:
    """Ask for training when the exchange changed candles that the champion was trained on."""
    run = ModelVersion.objects.select_related("run").get(pk=champion.version_id).run
    if run.revisions is None or run.data_from is None:
        return None
    revisions = count_revisions(
        instrument_ids=run.instrument_ids,
        timeframe=timeframe,
        start=run.data_from,
        end=champion.trained_until,
    )
    if revisions <= run.revisions:
        return None
    evidence: dict[str, float | str | None] = {
        "revised": float(revisions - run.revisions),
        "from": run.data_from.isoformat(),
        "until": champion.trained_until.isoformat(),
    }
    return Alarm(trigger=Trigger.DATA, evidence=evidence)


def _model_alarm(
    timeframe: Timeframe, champion: ChampionView, settings: MLSettings, *, now: datetime
) -> Alarm | None:
    return model_alarm(
        load_resolved(champion.version_id, newest=_ROWS),
        horizon=timeframe.delta * champion.horizon_bars,
        horizon_bars=champion.horizon_bars,
        threshold=settings.retrain_error_threshold,
        promised_ic=champion.promised_ic,
        drift=lambda: _newest_drift(champion, now=now),
    )


def _newest_drift(champion: ChampionView, *, now: datetime) -> dict[str, tuple[float, float]]:
    """Return (psi, threshold) by feature as last measured, if within a day."""
    rows = DriftMetric.objects.filter(
        version_id=champion.version_id, at__gt=now - timedelta(days=1)
    ).order_by("at", "id")
    return {row.feature: (row.psi, row.threshold) for row in rows}


def _is_heard(
    scope: str,
    alarm: Alarm,
    champion: ChampionView | None,
    run: TrainingRun | None,
    *,
    now: datetime,
) -> bool:
    """Decide whether an alarm is followed, and store it unless nothing is new about it."""
    past = _list_past(scope)
    if _is_asked_for(past, run, now=now):
        return False
    outcome = what_to_do(
        alarm,
        past=past,
        version_id=champion.version_id if champion else None,
        last_trained_at=run.started_at if run else None,
        now=now,
    )
    if outcome is None:
        return False
    if outcome is not EventOutcome.STARTED and is_repeated(past, alarm, outcome):
        return False
    RetrainEvent.objects.create(
        scope=scope,
        trigger=alarm.trigger.value,
        outcome=outcome.value,
        evidence=alarm.evidence,
        version_id=champion.version_id if champion else None,
        created_at=now,
    )
    if outcome is EventOutcome.STOPPED:
        announce_stopped(scope=scope, trigger=alarm.trigger.value, now=now)
    return outcome is EventOutcome.STARTED


def _is_asked_for(past: Sequence[PastEvent], run: TrainingRun | None, *, now: datetime) -> bool:
    """Tell whether a training was asked for that has not begun: its worker may be busy.

    After `LOST_AFTER` its message counts as lost, and it is asked for again.
    """
    if not past or past[0].outcome is not EventOutcome.STARTED or run is None:
        return False
    return run.started_at < past[0].at and now - past[0].at < LOST_AFTER


def _list_past(scope: str) -> list[PastEvent]:
    rows = RetrainEvent.objects.filter(scope=scope).order_by("-created_at", "-id")[:_EVENTS]
    return [
        PastEvent(
            trigger=Trigger(row.trigger),
            outcome=EventOutcome(row.outcome),
            at=row.created_at,
            version_id=row.version_id,
        )
        for row in rows
    ]

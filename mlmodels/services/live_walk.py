"""Models over time as live training would have made them: triggers, gates, trials and rollback.

What ``retraining``, ``training`` and ``watching`` do with rows of the database, by the same rules
and in the same order, on arrays. Knows no database. The models are looked at every six hours of
market time, the cool-down of alarms; a training is done the moment it is asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from core.clock import from_ms
from mlmodels.domain.alarms import (
    COOL_DOWN,
    Alarm,
    EventOutcome,
    PastEvent,
    Trigger,
    is_repeated,
    what_to_do,
)
from mlmodels.domain.contest import has_lost_skill, must_roll_back
from mlmodels.domain.dataset import Dataset
from mlmodels.domain.features import Candles
from mlmodels.domain.surroundings import Surroundings
from mlmodels.domain.triggers import model_alarm
from mlmodels.ports import ArtifactError, Progress, Trainer, silent
from mlmodels.services.fitting import FittedEnsemble, fit_ensemble
from mlmodels.services.live_service import Service
from mlmodels.services.packing import pack_model
from mlmodels.services.refresh import check_sanity, may_replace
from mlmodels.services.resolved import pair
from mlmodels.services.serving import ServedModel, read_model
from mlmodels.services.walk_forward import (
    WalkPlan,
    known_rows,
    moments_to_walk,
    rows_to_walk,
)
from mlmodels.services.walking import Lesson, TooFewCandles
from mlmodels.services.watching import BESIDE

_ROWS = 3000
_PAST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """From this close on this model serves, its intervals so many times as wide by symbol."""

    from_ms: int
    model: ServedModel
    scales: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkEvent:
    """Something that happened to the models: why, and what became of it."""

    at_ms: int
    trigger: str
    outcome: str
    reason: str
    evidence: Mapping[str, float | str | None] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class LiveWalk:
    """What served when, and what happened."""

    stretches: list[Stretch] = field(default_factory=list)
    events: list[WalkEvent] = field(default_factory=list)


def walk_live(
    candles: Mapping[int, Candles],
    *,
    plan: WalkPlan,
    error_threshold: float,
    trainers: Sequence[Trainer],
    progress: Progress,
    around: Surroundings | None = None,
) -> LiveWalk:
    """Walk through history and train whenever live training would have.

    Args:
        candles: By instrument id, ascending.
        plan: Columns, label, the longest time between two trainings, and on how much.
        error_threshold: The user's ``retrain_error_threshold``.
        trainers: The members of the ensemble.
        progress: Hears of the time that has passed.
        around: What ``plan.spec`` needs besides.
    """
    rows = rows_to_walk(candles, plan=plan, around=around)
    look_ms = max(plan.spec.interval_ms, COOL_DOWN // timedelta(milliseconds=1))
    moments = moments_to_walk(candles, plan=plan, every_ms=look_ms)
    walk = _Walk(
        candles=candles,
        rows=rows,
        plan=plan,
        threshold=error_threshold,
        trainers=tuple(trainers),
    )
    for step, moment in enumerate(moments):
        progress(step, len(moments), "living through the trainings")
        walk.look(moment)
    progress(len(moments), len(moments), "living through the trainings")
    return walk.found


@dataclass(slots=True, kw_only=True)
class _Walk:
    candles: Mapping[int, Candles]
    rows: Dataset
    plan: WalkPlan
    threshold: float
    trainers: tuple[Trainer, ...]
    found: LiveWalk = field(default_factory=LiveWalk)
    champion: Service | None = None
    previous: Service | None = None
    superseded_ms: int = 0
    is_suspended: bool = False
    trained_ms: int | None = None
    has_failed: bool = False
    trainings: int = 0
    past: list[PastEvent] = field(default_factory=list)

    def look(self, now_ms: int) -> None:
        """Do what the schedule does: judge what serves, then train if something asks for it."""
        if self.champion is not None:
            self._watch(self.champion, now_ms)
        alarm = self._alarm(now_ms)
        if alarm is not None and self._is_heard(alarm, now_ms):
            self._train(alarm, now_ms)

    # --- judging ----------------------------------------------------------------------------

    def _watch(self, champion: Service, now_ms: int) -> None:
        is_new = champion.follow_misses(now_ms)
        is_new |= self._judge_skill(champion, now_ms)
        if self.previous is not None and self._is_worse(champion, self.previous, now_ms):
            self._roll_back(champion, self.previous, now_ms)
        elif is_new:
            self._serve(champion, now_ms)

    def _judge_skill(self, champion: Service, now_ms: int) -> bool:
        rows = champion.resolved(now_ms, newest=_ROWS)
        has_lost = has_lost_skill(rows, horizon_bars=self.plan.label.horizon_bars)
        if has_lost is None or has_lost is self.is_suspended:
            return False
        self.is_suspended = has_lost
        word = "SUSPENDED" if has_lost else "RESUMED"
        shown = "no skill" if has_lost else "skill again"
        self._note(now_ms, "watching", word, f"the newest 500 outcomes show {shown}")
        return True

    def _is_worse(self, champion: Service, previous: Service, now_ms: int) -> bool:
        if from_ms(now_ms) - from_ms(self.superseded_ms) > BESIDE:
            return False
        own, shared = pair(
            champion.resolved(now_ms, newest=_ROWS), previous.resolved(now_ms, newest=_ROWS)
        )
        return must_roll_back(own, shared, horizon_bars=self.plan.label.horizon_bars)

    def _roll_back(self, champion: Service, previous: Service, now_ms: int) -> None:
        reason = f"{champion.model.version_id} is worse than the one before it and than no model"
        self._note(now_ms, "watching", "ROLLED_BACK", reason)
        self._enthrone(replace_begin(previous, now_ms), now_ms)
        self.previous = None

    # --- training ---------------------------------------------------------------------------

    def _alarm(self, now_ms: int) -> Alarm | None:
        if self.trained_ms is None:
            return Alarm(trigger=Trigger.FIRST)
        age_ms = now_ms - self.trained_ms
        if age_ms >= self.plan.every_bars * self.plan.spec.interval_ms:
            return Alarm(trigger=Trigger.INTERVAL, evidence={"hours": age_ms / 3_600_000})
        if timedelta(milliseconds=age_ms) < COOL_DOWN or self.has_failed or self.champion is None:
            return None  # a training that failed for want of history waits for its next date
        return model_alarm(
            self.champion.resolved(now_ms, newest=_ROWS),
            horizon=timedelta(milliseconds=self.champion.horizon_ms),
            horizon_bars=self.plan.label.horizon_bars,
            threshold=self.threshold,
            promised_ic=self.champion.model.bundle.promised_ic,
            drift=partial(self._drift, self.champion, now_ms),
        )

    def _drift(self, champion: Service, now_ms: int) -> dict[str, tuple[float, float]]:
        reference = champion.model.bundle.drift()
        vectors = champion.features(now_ms, moments=reference.window_bars)
        return {} if vectors is None else reference.measure(vectors, self.plan.spec.names)

    def _is_heard(self, alarm: Alarm, now_ms: int) -> bool:
        trained = None if self.trained_ms is None else from_ms(self.trained_ms)
        now = from_ms(now_ms)
        about = None if self.champion is None else self.champion.model.version_id
        outcome = what_to_do(
            alarm, past=self.past, version_id=about, last_trained_at=trained, now=now
        )
        if outcome is None or (
            outcome is not EventOutcome.STARTED and is_repeated(self.past, alarm, outcome)
        ):
            return False
        self.past.insert(
            0, PastEvent(trigger=alarm.trigger, outcome=outcome, at=now, version_id=about)
        )
        del self.past[_PAST:]
        if outcome is not EventOutcome.STARTED:
            self._note(now_ms, alarm.trigger.value, outcome.value, "", alarm)
        return outcome is EventOutcome.STARTED

    def _train(self, alarm: Alarm, now_ms: int) -> None:
        self.trained_ms = now_ms
        rows = known_rows(self.rows, now_ms, self.plan)
        try:
            outcome, reason = self._replace(rows, now_ms)
            self.has_failed = False
        except (TooFewCandles, ArtifactError) as error:
            self.has_failed = True
            outcome, reason = "FAILED", error.message
        self._note(now_ms, alarm.trigger.value, outcome, reason, alarm)

    def _replace(self, rows: Dataset, now_ms: int) -> tuple[str, str]:
        """Train, judge and let the new version serve if it may; return what became of it."""
        plan, by_name = self.plan, {trainer.name: trainer for trainer in self.trainers}
        fitted = fit_ensemble(
            rows,
            trainers=self.trainers,
            horizon_bars=plan.label.horizon_bars,
            interval_ms=plan.spec.interval_ms,
            seed=plan.seed,
            progress=silent,
            lesson=Lesson(names=plan.spec.names, half_life_ms=plan.half_life_ms),
        )
        files = self._pack(fitted, rows)
        failed = [
            gate.name
            for gate in check_sanity(files, fitted=fitted, dataset=rows, trainers=by_name)
            if not gate.is_passed
        ]
        if failed:
            return "REJECTED", f"failed {', '.join(failed)}"
        bundle, members = read_model(files, trainers=by_name)
        self.trainings += 1
        model = ServedModel(
            version_id=-self.trainings, name="live-walk", bundle=bundle, members=members
        )
        reason = "the first model"
        if self.champion is not None:
            decision = may_replace(
                fitted,
                dataset=rows,
                served=self.champion.model,
                trained_until_ms=self.champion.trained_until_ms,
            )
            reason = decision.reason
            if not decision.is_promoted:
                return "REJECTED", reason
        self.previous, self.superseded_ms = self.champion, now_ms
        service = Service(
            model=model,
            rows=self.rows,
            horizon_ms=plan.label.horizon_bars * plan.spec.interval_ms,
            begin_ms=now_ms,
            trained_until_ms=now_ms,
        )
        self._enthrone(service, now_ms)
        return "PROMOTED", reason

    def _pack(self, fitted: FittedEnsemble, rows: Dataset) -> dict[str, bytes]:
        return pack_model(
            fitted,
            dataset=rows,
            candles=self.candles,
            spec=self.plan.spec,
            label=self.plan.label,
            seed=self.plan.seed,
        )

    def _enthrone(self, service: Service, now_ms: int) -> None:
        self.champion, self.is_suspended = service, False
        self._serve(service, now_ms)

    def _serve(self, service: Service, now_ms: int) -> None:
        model = replace(service.model, is_suspended=self.is_suspended)
        scales = service.newest_scales()
        stretch = Stretch(from_ms=now_ms, model=model, scales=scales)
        if self.found.stretches and self.found.stretches[-1].from_ms == now_ms:
            self.found.stretches.pop()
        self.found.stretches.append(stretch)

    def _note(
        self, now_ms: int, trigger: str, outcome: str, reason: str, alarm: Alarm | None = None
    ) -> None:
        evidence = {} if alarm is None else alarm.evidence
        self.found.events.append(
            WalkEvent(
                at_ms=now_ms, trigger=trigger, outcome=outcome, reason=reason, evidence=evidence
            )
        )


def replace_begin(service: Service, now_ms: int) -> Service:
    """Return a service of the same model that begins anew, its intervals as trained."""
    return Service(
        model=service.model,
        rows=service.rows,
        horizon_ms=service.horizon_ms,
        begin_ms=now_ms,
        trained_until_ms=service.trained_until_ms,
    )

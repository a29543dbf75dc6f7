"""Train a model for a timeframe, judge it, keep it and decide whether it predicts."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from core.memory import memory_cap
from markets.domain.timeframe import Timeframe
from mlmodels.domain.label_spec import LabelSpec
from mlmodels.models import MLSettings, ModelVersion, TrainingRun
from mlmodels.ports import ArtifactStore, Progress, StoredArtifact, Trainer
from mlmodels.selectors import get_champion, get_settings
from mlmodels.services.announcements import announce_version
from mlmodels.services.fitting import FittedEnsemble, fit_ensemble
from mlmodels.services.leaks import check_leaks
from mlmodels.services.materials import (
    Material,
    columns_of,
    half_life_of,
    label_of,
    load_material,
)
from mlmodels.services.packing import pack_model
from mlmodels.services.promotion import challenge, promote, reject
from mlmodels.services.recording import record_version
from mlmodels.services.refresh import Candidate, Decision, check_sanity, is_fit_to_serve
from mlmodels.services.runs import begin_run, fail_run
from mlmodels.services.walking import Lesson

logger = logging.getLogger(__name__)

LEASE = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    run: TrainingRun
    timeframe: Timeframe
    settings: MLSettings
    label: LabelSpec
    trainers: tuple[Trainer, ...]
    store: ArtifactStore
    progress: Progress
    now: datetime
    started: float


def train_model(  # noqa: PLR0913 - what a training needs, by name
    *,
    timeframe: Timeframe,
    instrument_ids: Sequence[int],
    horizon_bars: int,
    trigger: str,
    seed: int,
    trainers: Sequence[Trainer],
    store: ArtifactStore,
    now: datetime,
    progress: Progress,
    lease: timedelta = LEASE,
) -> int:
    """Train on all stored candles up to `now`; return the id of the new version.

    The first version of a timeframe predicts whatever its verdict: one without skill says so in
    every prediction. A later one replaces it when it is sound and not worse on rows that neither
    has seen. The files are written before the rows, so that a row never points to nothing.

    Args:
        timeframe: What is predicted, and the scope of the version.
        instrument_ids: Whose candles are pooled.
        horizon_bars: Candles ahead.
        trigger: Why: "manual", "interval", "error".
        seed: Same data, same seed: same bits.
        trainers: The members of the ensemble.
        store: Where the files go.
        now: Time of the market.
        progress: Hears how far it is.
        lease: For how long of market time nobody else may train this timeframe.

    Raises:
        Conflict: The timeframe is being trained already.
        TooFewCandles: There is not enough history.
    """
    settings = get_settings()
    label = label_of(settings, horizon_bars=horizon_bars)
    job = _Job(
        run=begin_run(
            scope=timeframe.value,
            instrument_ids=instrument_ids,
            horizon_bars=horizon_bars,
            trigger=trigger,
            seed=seed,
            recipe="+".join(trainer.name for trainer in trainers),
            now=now,
            lease=lease,
        ),
        timeframe=timeframe,
        settings=settings,
        label=label,
        trainers=tuple(trainers),
        store=store,
        progress=progress,
        now=now,
        started=time.monotonic(),
    )
    return _run(job).pk


def _run(job: _Job) -> ModelVersion:
    """Train; a failure is noted and frees the timeframe."""
    try:
        with memory_cap(job.settings.memory_limit_mb):
            version = _train(job)
    except BaseException as error:
        fail_run(job.run, error, duration_s=time.monotonic() - job.started, now=job.now)
        raise
    announce_version(version, now=job.now)
    logger.info(
        "training.succeeded run_id=%s model_version_id=%s scope=%s verdict=%s state=%s rows=%d",
        job.run.pk,
        version.pk,
        version.scope,
        version.verdict,
        version.state,
        job.run.rows,
    )
    return version


def _train(job: _Job) -> ModelVersion:
    run = job.run
    material = load_material(
        timeframe=job.timeframe,
        instrument_ids=run.instrument_ids,
        label=job.label,
        settings=job.settings,
        now=job.now,
        progress=job.progress,
        wanted=columns_of(job.trainers),
    )
    fitted = fit_ensemble(
        material.dataset,
        trainers=job.trainers,
        horizon_bars=run.horizon_bars,
        interval_ms=job.timeframe.ms,
        seed=run.seed,
        progress=job.progress,
        lesson=Lesson(
            names=material.spec.names,
            half_life_ms=half_life_of(job.settings, job.timeframe),
            memory=job.store.memory(),
        ),
    )
    artifact = job.store.save(_pack(job, material, fitted))
    trainers = {trainer.name: trainer for trainer in job.trainers}
    gates = check_sanity(
        job.store.load(artifact), fitted=fitted, dataset=material.dataset, trainers=trainers
    )
    job.progress(0, 1, "looking for leaks")
    gates += check_leaks(material, fitted, seed=run.seed)
    candidate = Candidate(
        must_challenge=any(trainer.must_challenge for trainer in job.trainers),
        fitted=fitted,
        gates=gates,
        recipe=run.recipe,
        label=job.label,
        spec_hash=material.spec.spec_hash,
        dataset=material.dataset,
    )
    decision = is_fit_to_serve(
        candidate, champion=get_champion(run.scope), store=job.store, trainers=trainers
    )
    return _keep(job, material, candidate, artifact, decision)


def _pack(job: _Job, material: Material, fitted: FittedEnsemble) -> dict[str, bytes]:
    return pack_model(
        fitted,
        dataset=material.dataset,
        candles=material.candles,
        spec=material.spec,
        label=job.label,
        seed=job.run.seed,
    )


def _keep(
    job: _Job,
    material: Material,
    candidate: Candidate,
    artifact: StoredArtifact,
    decision: Decision,
) -> ModelVersion:
    """Write the version and what becomes of it, all or nothing."""
    with transaction.atomic():
        version = record_version(
            job.run,
            material=material,
            candidate=candidate,
            trainers=job.trainers,
            artifact=artifact,
            duration_s=time.monotonic() - job.started,
            now=job.now,
        )
        if decision.is_promoted:
            return promote(
                version_id=version.pk, reason=decision.reason, actor="training", now=job.now
            )
        if decision.is_rejected:
            reject(version=version, reason=decision.reason)
        else:
            challenge(version=version, reason=decision.reason, now=job.now)
    return version

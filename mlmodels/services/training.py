"""Train a model for a timeframe, judge it, keep it and decide whether it predicts."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from core.clock import from_ms
from core.errors import Conflict
from markets.domain.timeframe import Timeframe
from markets.selectors import load_window
from mlmodels.domain.bundle import bundle_files
from mlmodels.domain.dataset import Dataset, build_dataset
from mlmodels.domain.features import FeatureSpec
from mlmodels.domain.lifecycle import ModelState, RunStatus
from mlmodels.models import ModelVersion, TrainingRun
from mlmodels.ports import ArtifactStore, Progress, StoredArtifact, Trainer
from mlmodels.selectors import get_champion, get_settings
from mlmodels.services.announcements import announce_failure, announce_version
from mlmodels.services.fitting import FittedEnsemble, TooFewCandles, fit_ensemble
from mlmodels.services.promotion import note, promote, reject
from mlmodels.services.refresh import check_sanity, is_fit_to_serve

logger = logging.getLogger(__name__)

LEASE = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    run: TrainingRun
    instrument_ids: tuple[int, ...]
    spec: FeatureSpec
    trainers: tuple[Trainer, ...]
    store: ArtifactStore
    progress: Progress
    now: datetime


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
    job = _Job(
        run=_begin(
            scope=timeframe.value,
            instrument_ids=instrument_ids,
            horizon_bars=horizon_bars,
            trigger=trigger,
            seed=seed,
            recipe="+".join(trainer.name for trainer in trainers),
            now=now,
            lease=lease,
        ),
        instrument_ids=tuple(instrument_ids),
        spec=FeatureSpec(interval_ms=timeframe.ms),
        trainers=tuple(trainers),
        store=store,
        progress=progress,
        now=now,
    )
    started = time.monotonic()
    try:
        version = _train(job, started=started)
    except BaseException as error:
        _fail(job.run, error, duration_s=time.monotonic() - started, now=now)
        raise
    announce_version(version, now=now)
    logger.info(
        "training.succeeded run_id=%s model_version_id=%s scope=%s verdict=%s state=%s rows=%d",
        job.run.pk,
        version.pk,
        version.scope,
        version.verdict,
        version.state,
        job.run.rows,
    )
    return version.pk


def _begin(
    *,
    scope: str,
    instrument_ids: Sequence[int],
    horizon_bars: int,
    trigger: str,
    seed: int,
    recipe: str,
    now: datetime,
    lease: timedelta,
) -> TrainingRun:
    """Take the timeframe; a run whose lease is over was killed and is noted as failed."""
    TrainingRun.objects.filter(scope=scope, status=RunStatus.RUNNING, lease_until__lte=now).update(
        status=RunStatus.FAILED, error="the worker was lost", finished_at=now
    )
    try:
        with transaction.atomic():
            return TrainingRun.objects.create(
                scope=scope,
                recipe=recipe,
                horizon_bars=horizon_bars,
                instrument_ids=list(instrument_ids),
                trigger=trigger,
                seed=seed,
                status=RunStatus.RUNNING,
                started_at=now,
                lease_until=now + lease,
            )
    except IntegrityError as error:
        raise Conflict(f"a model of {scope} is being trained already", scope=scope) from error


def _train(job: _Job, *, started: float) -> ModelVersion:
    run = job.run
    dataset = _load(job)
    fitted = fit_ensemble(
        dataset,
        trainers=job.trainers,
        horizon_bars=run.horizon_bars,
        interval_ms=job.spec.interval_ms,
        seed=run.seed,
        progress=job.progress,
    )
    files = bundle_files(
        members=tuple(member.name for member in fitted.members),
        horizon_bars=run.horizon_bars,
        spec=job.spec,
        calibrations=fitted.calibrations,
        pooled=fitted.pooled,
        by_group=fitted.by_group,
    )
    for member in fitted.members:
        files.update(member.to_files())
    artifact = job.store.save(files)
    by_name = {trainer.name: trainer for trainer in job.trainers}
    check_sanity(job.store.load(artifact), fitted=fitted, dataset=dataset, trainers=by_name)
    champion = get_champion(run.scope)
    decision = is_fit_to_serve(
        fitted,
        recipe=run.recipe,
        horizon_bars=run.horizon_bars,
        dataset=dataset,
        champion=champion,
        store=job.store,
        trainers=by_name,
    )
    with transaction.atomic():
        version = _record(job, dataset=dataset, fitted=fitted, artifact=artifact, started=started)
        if decision.is_promoted:
            version = promote(
                version_id=version.pk, reason=decision.reason, actor="training", now=job.now
            )
        elif decision.is_rejected:
            reject(version=version, reason=decision.reason)
        else:
            note(version=version, reason=decision.reason)
    return version


def _load(job: _Job) -> Dataset:
    """Load the candles of all symbols and build the rows to train on."""
    limit = get_settings().train_bars
    candles = {}
    for step, instrument_id in enumerate(job.instrument_ids):
        job.progress(step, len(job.instrument_ids), "loading candles")
        candles[instrument_id] = load_window(
            instrument_id=instrument_id,
            timeframe=Timeframe(job.run.scope),
            end=job.now,
            limit=limit,
        )
    if not candles:
        raise TooFewCandles(
            "Model predictions unavailable: no symbol to train on. Subscribe to one first.",
            scope=job.run.scope,
        )
    return build_dataset(candles, spec=job.spec, horizon_bars=job.run.horizon_bars)


def _record(
    job: _Job,
    *,
    dataset: Dataset,
    fitted: FittedEnsemble,
    artifact: StoredArtifact,
    started: float,
) -> ModelVersion:
    """Close the run and store its version as a candidate."""
    run = job.run
    libraries: dict[str, str] = {}
    for trainer in job.trainers:
        libraries.update(trainer.libraries())
    TrainingRun.objects.filter(pk=run.pk).update(
        status=RunStatus.SUCCEEDED,
        data_sha256=dataset.sha256(),
        spec_hash=job.spec.spec_hash,
        libraries=libraries,
        rows=len(dataset),
        duration_s=time.monotonic() - started,
        finished_at=job.now,
    )
    run.rows = len(dataset)
    return ModelVersion.objects.create(
        run=run,
        name=f"{run.recipe} {run.scope} h{run.horizon_bars}",
        scope=run.scope,
        recipe=run.recipe,
        horizon_bars=run.horizon_bars,
        state=ModelState.CANDIDATE,
        verdict=fitted.pooled.verdict,
        metrics=fitted.pooled.to_json(),
        symbol_metrics={str(key): found.to_json() for key, found in fitted.by_group.items()},
        spec_hash=job.spec.spec_hash,
        trained_until=from_ms(int(dataset.end_ms.max())),
        artifact_id=artifact.artifact_id,
        manifest_sha256=artifact.manifest_sha256,
        created_at=job.now,
    )


def _fail(run: TrainingRun, error: BaseException, *, duration_s: float, now: datetime) -> None:
    """Free the timeframe and note why."""
    TrainingRun.objects.filter(pk=run.pk, status=RunStatus.RUNNING).update(
        status=RunStatus.FAILED,
        error=f"{type(error).__name__}: {error}"[:2000],
        duration_s=duration_s,
        finished_at=now,
    )
    announce_failure(run_id=run.pk, scope=run.scope, error=error, now=now)
    logger.warning("training.failed run_id=%s scope=%s error=%s", run.pk, run.scope, error)

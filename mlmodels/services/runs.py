"""Training runs: taking a timeframe, and giving it back when a training failed."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from core.errors import Conflict
from core.processes import is_gone, own_identity
from mlmodels.domain.lifecycle import RunStatus
from mlmodels.models import TrainingRun
from mlmodels.services.announcements import announce_failure

logger = logging.getLogger(__name__)

LOST = "the worker was lost"
# A training that kills its worker each time must not do so for ever.
MOST_RESUMED = 3


def begin_run(
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
    """Take the timeframe; a run that was killed is noted as failed first."""
    bury_lost(scope, now=now)
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
                worker=own_identity(),
            )
    except IntegrityError as error:
        raise Conflict(f"a model of {scope} is being trained already", scope=scope) from error


def bury_lost(scope: str, *, now: datetime) -> None:
    """Note a run as failed whose process is gone, or whose lease is over."""
    for run in TrainingRun.objects.filter(scope=scope, status=RunStatus.RUNNING):
        if run.lease_until <= now or is_gone(run.worker):
            TrainingRun.objects.filter(pk=run.pk, status=RunStatus.RUNNING).update(
                status=RunStatus.FAILED, error=LOST, finished_at=now
            )
            logger.warning("training.lost run_id=%s scope=%s worker=%s", run.pk, scope, run.worker)


def is_worth_resuming(run: TrainingRun) -> bool:
    """Tell whether a lost run is taken up at once: not when its like was killed again and again."""
    newest = TrainingRun.objects.filter(scope=run.scope).order_by("-started_at", "-id")
    errors = list(newest.values_list("error", flat=True)[:MOST_RESUMED])
    return run.error == LOST and errors != [LOST] * MOST_RESUMED


def fail_run(run: TrainingRun, error: BaseException, *, duration_s: float, now: datetime) -> None:
    """Free the timeframe and note why."""
    TrainingRun.objects.filter(pk=run.pk, status=RunStatus.RUNNING).update(
        status=RunStatus.FAILED,
        error=f"{type(error).__name__}: {error}"[:2000],
        duration_s=duration_s,
        finished_at=now,
    )
    announce_failure(run_id=run.pk, scope=run.scope, error=error, now=now)
    logger.warning("training.failed run_id=%s scope=%s error=%s", run.pk, run.scope, error)

"""Training runs: taking a timeframe, and giving it back when a training failed."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from core.errors import Conflict
from mlmodels.domain.lifecycle import RunStatus
from mlmodels.models import TrainingRun
from mlmodels.services.announcements import announce_failure

logger = logging.getLogger(__name__)


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

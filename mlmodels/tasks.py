"""Trainings, their timing, and the outcomes of predictions.

Every worker knows these tasks, few run them: numpy and what stands on it are imported there.
"""

import logging
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from celery import Task, shared_task

from core.clock import from_ms, get_clock
from core.errors import Conflict
from markets.domain.timeframe import Timeframe
from mlmodels.selectors import list_scopes

if TYPE_CHECKING:
    from mlmodels.domain.features import Candles
    from mlmodels.domain.surroundings import Surroundings
    from mlmodels.ports import Progress
    from mlmodels.services.live_walk import LiveWalk
    from mlmodels.services.serving import ModelCache, ServedModel
    from mlmodels.services.walk_forward import Mapper, WalkPlan

logger = logging.getLogger(__name__)

# Longer than any training takes on the wall.
LEASE = timedelta(minutes=30)
SEED = 1


@lru_cache(maxsize=1)
def get_model_cache() -> "ModelCache":
    """Return the process's champions, for ``predict_close``."""
    from mlmodels.adapters.factory import get_all_trainers, get_artifact_store
    from mlmodels.services.serving import ModelCache

    return ModelCache(store=get_artifact_store(), trainers=get_all_trainers())


def load_ahead() -> None:
    """Import what predicting needs: a second that the first close must not wait."""
    from mlmodels.adapters.lean_xgboost import load_xgboost

    load_xgboost()


def list_past_models(scope: str) -> "list[tuple[int, ServedModel]]":
    """Return the registry's versions and the moments (ms) from which each could serve."""
    from mlmodels.adapters.factory import get_all_trainers, get_artifact_store
    from mlmodels.services.time_travel import list_servings

    return list_servings(scope, store=get_artifact_store(), trainers=get_all_trainers())


def load_past_models(version_ids: Iterable[int]) -> "dict[int, ServedModel]":
    """Return versions by id, as far as their files can be used."""
    from mlmodels.adapters.factory import get_all_trainers, get_artifact_store
    from mlmodels.services.time_travel import load_versions

    return load_versions(version_ids, store=get_artifact_store(), trainers=get_all_trainers())


def train_past_models(
    candles: "Mapping[int, Candles]",
    *,
    plan: "WalkPlan",
    progress: "Progress",
    around: "Surroundings | None" = None,
    mapper: "Mapper" = map,
) -> "list[tuple[int, ServedModel]]":
    """Train the default recipe on the way through history; see ``train_walk_forward``."""
    from mlmodels.adapters.factory import get_trainers
    from mlmodels.services.walk_forward import train_walk_forward

    return train_walk_forward(
        candles,
        plan=plan,
        trainers=get_trainers(),
        progress=progress,
        around=around,
        mapper=mapper,
    )


def live_past_models(
    candles: "Mapping[int, Candles]",
    *,
    plan: "WalkPlan",
    error_threshold: float,
    progress: "Progress",
    around: "Surroundings | None" = None,
) -> "LiveWalk":
    """Train the default recipe whenever live training would have; see ``walk_live``."""
    from mlmodels.adapters.factory import get_trainers
    from mlmodels.services.live_walk import walk_live

    return walk_live(
        candles,
        plan=plan,
        error_threshold=error_threshold,
        trainers=get_trainers(),
        progress=progress,
        around=around,
    )


@shared_task(
    bind=True,
    name="mlmodels.train",
    queue="train",
    ignore_result=True,
    soft_time_limit=int(LEASE.total_seconds()) - 120,
    time_limit=int(LEASE.total_seconds()) - 60,
)
def train(
    self: Task,
    *,
    timeframe: str,
    instrument_ids: list[int],
    horizon_bars: int,
    trigger: str,
    recipe: str | None = None,
    **_: Any,
) -> None:
    """Train one timeframe; somebody else doing so already is no error."""
    from mlmodels.adapters.factory import DEFAULT_RECIPE, get_artifact_store, get_trainers
    from mlmodels.services.announcements import announce_training
    from mlmodels.services.training import train_model

    recipe = recipe or DEFAULT_RECIPE
    clock = get_clock()
    now = clock.now()

    def tell(done: int, total: int, message: str) -> None:
        announce_training(
            scope=timeframe, model_name=recipe, done=done, total=total, stage=message, at=now
        )

    try:
        train_model(
            timeframe=Timeframe(timeframe),
            instrument_ids=instrument_ids,
            horizon_bars=horizon_bars,
            trigger=trigger,
            seed=SEED,
            trainers=get_trainers(recipe),
            store=get_artifact_store(),
            now=now,
            progress=tell,
            lease=clock.protocol(LEASE),
        )
    except Conflict as error:
        logger.info("training.skipped timeframe=%s reason=%s", timeframe, error.message)


@shared_task(bind=True, name="mlmodels.retrain_due", queue="default", ignore_result=True)
def retrain_due(self: Task, **_: Any) -> None:
    """Enqueue the trainings that are due."""
    from mlmodels.services.retraining import list_due
    from mlmodels.services.search_orders import list_stalled

    now = get_clock().now()
    for search_id in list_stalled(now=now):
        search_step.delay(search_id=search_id)
    for due in list_due(now=now):
        train.delay(
            timeframe=due.timeframe,
            instrument_ids=list(due.instrument_ids),
            horizon_bars=due.horizon_bars,
            trigger=due.trigger,
        )


@shared_task(
    bind=True,
    name="mlmodels.search_step",
    queue="train",
    ignore_result=True,
    soft_time_limit=int(LEASE.total_seconds()) - 120,
    time_limit=int(LEASE.total_seconds()) - 60,
)
def search_step(self: Task, *, search_id: int, **_: Any) -> None:
    """Judge one configuration and ask for the next: trainings in between find their turn."""
    from mlmodels.adapters.factory import get_changed_trainers
    from mlmodels.services.searching import run_trial

    now = get_clock().now()
    if run_trial(search_id=search_id, make_trainers=get_changed_trainers, now=now):
        search_step.delay(search_id=search_id)


@shared_task(bind=True, name="mlmodels.after_close", queue="train", ignore_result=True)
def after_close(
    self: Task, *, timeframe: str, close_time_ms: int, instrument_ids: list[int], **_: Any
) -> None:
    """Predict beside the champion and explain, once the orders are on their way."""
    from markets.services.windows import get_window_store
    from mlmodels.services.after_close import explain_predictions, shadow_close

    arguments = (Timeframe(timeframe), from_ms(close_time_ms), instrument_ids)
    models, now = get_model_cache(), get_clock().now()
    shadow_close(*arguments, windows=get_window_store(), models=models, now=now)
    explain_predictions(arguments[0], models=models, now=now)


@shared_task(bind=True, name="mlmodels.verify_features", queue="train", ignore_result=True)
def verify_features(self: Task, **_: Any) -> None:
    """Recompute yesterday's features from the stored candles."""
    from mlmodels.services.feature_parity import verify_features

    for scope in list_scopes():
        verify_features(scope=scope, now=get_clock().now())


@shared_task(bind=True, name="mlmodels.watch_models", queue="train", ignore_result=True)
def watch_models(self: Task, **_: Any) -> None:
    """Measure what predicts, and act where the numbers ask for it."""
    from mlmodels.services.watching import watch_models

    watch_models(models=get_model_cache(), now=get_clock().now())


@shared_task(bind=True, name="mlmodels.score_outcomes", queue="default", ignore_result=True)
def score_outcomes(self: Task, **_: Any) -> None:
    """Join predictions with what happened."""
    from mlmodels.services.outcomes import score_outcomes

    score_outcomes(now=get_clock().now())

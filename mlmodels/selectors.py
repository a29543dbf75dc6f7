"""What others may know about models and predictions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from mlmodels.domain.lifecycle import ModelState, RunStatus, promised_ic
from mlmodels.models import (
    MLSettings,
    ModelAlias,
    ModelVersion,
    Prediction,
    PredictionExplanation,
    Search,
    TrainingRun,
)

CHAMPION = "champion"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChampionView:
    """The version that predicts in a scope, and where its files lie."""

    scope: str
    version_id: int
    epoch: int
    name: str
    recipe: str
    horizon_bars: int
    label: Mapping[str, Any]
    spec_hash: str
    verdict: str
    trained_until: datetime
    artifact_id: UUID
    manifest_sha256: str
    is_suspended: bool = False
    interval_scales: Mapping[int, float] = field(default_factory=dict)
    promised_ic: float | None = None


def get_champion(scope: str) -> ChampionView | None:
    """Return the champion of `scope`, or None before the first training. One query."""
    alias = ModelAlias.objects.filter(scope=scope, alias=CHAMPION).select_related("version").first()
    if alias is None:
        return None
    return view_version(
        alias.version,
        epoch=alias.epoch,
        scales={int(key): float(found) for key, found in alias.interval_scales.items()},
    )


def list_scopes() -> list[str]:
    """Return the timeframes that have a champion."""
    return list(
        ModelAlias.objects.filter(alias=CHAMPION)
        .order_by("scope", "id")
        .values_list("scope", flat=True)
    )


def list_beside(scope: str, *, since: datetime) -> list[ChampionView]:
    """Return who predicts beside the champion: the challenger, and the one before the champion.

    Args:
        scope: Which timeframe.
        since: The one before is compared for a while only: leave it out when it was superseded
            before this.
    """
    previous = ModelVersion.objects.filter(scope=scope, state=ModelState.PREVIOUS)
    is_recent = ModelAlias.objects.filter(scope=scope, alias=CHAMPION, updated_at__gt=since)
    rows = [
        *ModelVersion.objects.filter(scope=scope, state=ModelState.SHADOW).order_by("-id"),
        *(previous.order_by("-id")[:1] if is_recent.exists() else []),
    ]
    return [view_version(version) for version in rows]


def view_version(
    version: ModelVersion, *, epoch: int = 0, scales: Mapping[int, float] | None = None
) -> ChampionView:
    """Return what loading a version needs; `epoch` and `scales` are those of a champion's alias."""
    return ChampionView(
        scope=version.scope,
        version_id=version.pk,
        epoch=epoch,
        name=version.name,
        recipe=version.recipe,
        horizon_bars=version.horizon_bars,
        label=version.label,
        spec_hash=version.spec_hash,
        verdict=version.verdict,
        trained_until=version.trained_until,
        artifact_id=version.artifact_id,
        manifest_sha256=version.manifest_sha256,
        is_suspended=version.suspended_at is not None,
        interval_scales=scales or {},
        promised_ic=promised_ic(version.metrics, version.symbol_metrics),
    )


def get_settings() -> MLSettings:
    """Return the training settings; the defaults as long as nobody changed one."""
    return MLSettings.objects.first() or MLSettings()


def get_version(version_id: int) -> ModelVersion:
    """Return one version with its run.

    Raises:
        ModelVersion.DoesNotExist: There is none.
    """
    return ModelVersion.objects.select_related("run").get(pk=version_id)


def list_versions() -> QuerySet[ModelVersion]:
    """Return all versions, newest first."""
    return ModelVersion.objects.select_related("run").order_by("-created_at", "-id")


def list_searches() -> QuerySet[Search]:
    """Return all searches, newest first."""
    return Search.objects.order_by("-created_at", "-id")


def list_predictions() -> QuerySet[Prediction]:
    """Return all predictions, newest first."""
    return Prediction.objects.select_related("instrument").order_by("-timestamp", "-id")


def get_explanation(prediction_id: int) -> dict[str, Any] | None:
    """Return why a prediction came out as it did; None until it was explained, or if it was not."""
    found = (
        PredictionExplanation.objects.filter(prediction_id=prediction_id)
        .values("top_features", "nearest_cases", "dissimilarity")
        .first()
    )
    return dict(found) if found else None


def get_newest_run(scope: str) -> TrainingRun | None:
    """Return the last training of `scope` however it ended."""
    return TrainingRun.objects.filter(scope=scope).order_by("-started_at", "-id").first()


def list_running() -> list[str]:
    """Return the scopes that are being trained."""
    return list(
        TrainingRun.objects.filter(status=RunStatus.RUNNING)
        .order_by("scope", "id")
        .values_list("scope", flat=True)
    )

"""The registry as it was: which version could serve at which time."""

import logging
from collections.abc import Iterable, Mapping

from core.clock import to_ms
from mlmodels.domain.lifecycle import ModelState
from mlmodels.models import ModelVersion
from mlmodels.ports import ArtifactError, ArtifactStore, Trainer
from mlmodels.selectors import ChampionView, list_versions
from mlmodels.services.serving import ServedModel, load_model

logger = logging.getLogger(__name__)

# A candidate or a rejected version never served.
_SERVED = (ModelState.CHAMPION, ModelState.PREVIOUS, ModelState.RETIRED)


def list_servings(
    scope: str, *, store: ArtifactStore, trainers: Mapping[str, Trainer]
) -> list[tuple[int, ServedModel]]:
    """Return the versions of `scope` that served, each from the moment it was made, ascending.

    None of them serves before it was made, so none knows what came after its training.

    Raises:
        ArtifactError: The files of a version are not what was stored.
    """
    found: dict[int, ServedModel] = {}
    rows = list_versions().filter(scope=scope, state__in=[state.value for state in _SERVED])
    for version in rows.order_by("created_at", "id"):
        moment = max(version.created_at, version.trained_until)
        found[to_ms(moment)] = load_model(_view(version), store=store, trainers=trainers)
    return sorted(found.items())


def load_versions(
    version_ids: Iterable[int], *, store: ArtifactStore, trainers: Mapping[str, Trainer]
) -> dict[int, ServedModel]:
    """Return versions by id; one whose files cannot be used is left out and logged."""
    found = {}
    for version in list_versions().filter(pk__in=list(version_ids)):
        try:
            found[version.pk] = load_model(_view(version), store=store, trainers=trainers)
        except ArtifactError as error:
            logger.warning("model.unusable model_version_id=%s error=%s", version.pk, error)
    return found


def _view(version: ModelVersion) -> ChampionView:
    return ChampionView(
        scope=version.scope,
        version_id=version.pk,
        epoch=0,
        name=version.name,
        recipe=version.recipe,
        horizon_bars=version.horizon_bars,
        verdict=version.verdict,
        trained_until=version.trained_until,
        artifact_id=version.artifact_id,
        manifest_sha256=version.manifest_sha256,
    )

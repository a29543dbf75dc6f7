"""The registry as it was: which version could serve at which time."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace

from django.db.models import Count, Min, Q

from core.clock import to_ms
from mlmodels.domain.lifecycle import ModelState
from mlmodels.models import ModelVersion
from mlmodels.ports import ArtifactError, ArtifactStore, Trainer
from mlmodels.selectors import list_versions, view_version
from mlmodels.services.serving import ServedModel, load_model

logger = logging.getLogger(__name__)

# A candidate, a rejected version or one on trial never served.
_SERVED = (ModelState.CHAMPION, ModelState.PREVIOUS, ModelState.RETIRED)


def list_servings(
    scope: str, *, store: ArtifactStore, trainers: Mapping[str, Trainer]
) -> list[tuple[int, ServedModel]]:
    """Return the versions of `scope` that served, each from the moment it was made, ascending.

    None of them serves before it was made, so none knows what came after its training. One that
    was on trial first serves from its first prediction that counted. A version that is suspended
    is so from its suspension on. Intervals are as trained: how they were widened is not recorded.

    Raises:
        ArtifactError: The files of a version are not what was stored.
    """
    rows = list_versions().filter(scope=scope, state__in=[state.value for state in _SERVED])
    rows = rows.annotate(
        trials=Count("predictions", filter=Q(predictions__is_shadow=True)),
        first_served=Min("predictions__close_time", filter=Q(predictions__is_shadow=False)),
    )
    begun = []
    for version in rows:
        made = max(version.created_at, version.trained_until)
        if version.trials and version.first_served is None:
            continue
        begun.append((max(made, version.first_served) if version.trials else made, version))
    begun.sort(key=lambda item: (item[0], item[1].pk))
    found: dict[int, ServedModel] = {}
    for place, (moment, version) in enumerate(begun):
        model = _load(version, store=store, trainers=trainers)
        found[to_ms(moment)] = model
        at, later = version.suspended_at, begun[place + 1 : place + 2]
        if at is not None and at > moment and not (later and later[0][0] <= at):
            found[to_ms(at)] = replace(model, is_suspended=True)
    return sorted(found.items())


def load_versions(
    version_ids: Iterable[int], *, store: ArtifactStore, trainers: Mapping[str, Trainer]
) -> dict[int, ServedModel]:
    """Return versions by id, as trained: not suspended, no interval widened.

    One whose files cannot be used is left out and logged.
    """
    found = {}
    for version in list_versions().filter(pk__in=list(version_ids)):
        try:
            found[version.pk] = _load(version, store=store, trainers=trainers)
        except ArtifactError as error:
            logger.warning("model.unusable model_version_id=%s error=%s", version.pk, error)
    return found


def _load(
    version: ModelVersion, *, store: ArtifactStore, trainers: Mapping[str, Trainer]
) -> ServedModel:
    model = load_model(view_version(version), store=store, trainers=trainers)
    return replace(model, is_suspended=False)

"""What may wait until the orders are out: predictions beside the champion, and explanations."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from django.db.models import QuerySet

from core.clock import from_ms, to_ms
from markets.domain.timeframe import Timeframe
from mlmodels.models import ModelVersion, Prediction, PredictionExplanation
from mlmodels.ports import ArtifactError, WindowSource
from mlmodels.selectors import list_beside, view_version
from mlmodels.services.announcements import announce_unusable
from mlmodels.services.inference import read_features, store_predictions
from mlmodels.services.serving import ModelSource, ServedModel
from mlmodels.services.watching import BESIDE

logger = logging.getLogger(__name__)

TOP = 8
NEAREST = 3
# How far back predictions without an explanation are looked for, and how many are done at once.
MADE_UP = timedelta(days=7)
MOST_AT_ONCE = 500


def shadow_close(
    timeframe: Timeframe,
    close_time: datetime,
    instrument_ids: Sequence[int],
    *,
    windows: WindowSource,
    models: ModelSource,
    now: datetime,
) -> int:
    """Predict with every version beside the champion, and store; nobody acts on it.

    Returns:
        How many predictions are stored of this close.
    """
    stored = 0
    for view in list_beside(timeframe.value, since=now - BESIDE):
        try:
            model = models.beside(view)
        except ArtifactError as error:
            logger.warning("shadow.refused model_version_id=%s error=%s", view.version_id, error)
            continue
        ready, features = read_features(
            model.bundle.spec,
            timeframe=timeframe,
            instrument_ids=instrument_ids,
            windows=windows,
            close_ms=to_ms(close_time),
        )
        views = store_predictions(
            model,
            ready,
            features,
            timeframe=timeframe,
            close_time=close_time,
            now=now,
            is_shadow=True,
        )
        stored += len(views)
    return stored


def explain_predictions(timeframe: Timeframe, *, models: ModelSource, now: datetime) -> int:
    """Store why the newest predictions that were served came out as they did.

    All that nobody explained yet: messages that were lost, or whose worker was busy with a
    training, are made up for by the next one, and so is a champion that was replaced before its
    last word was explained. A second call writes nothing.

    Returns:
        How many explanations were written.
    """
    try:
        model = models.champion(timeframe.value)
    except ArtifactError as error:
        announce_unusable(scope=timeframe.value, error=error, now=now)
        model = None
    written = 0 if model is None else _explain_all(model, timeframe, now=now)
    for version in _list_replaced(timeframe, model, now=now):
        try:
            replaced = models.beside(view_version(version))
        except ArtifactError as error:
            logger.warning("explain.refused model_version_id=%s error=%s", version.pk, error)
            continue
        written += _explain_all(replaced, timeframe, now=now)
    return written


def _list_replaced(
    timeframe: Timeframe, champion: ServedModel | None, *, now: datetime
) -> list[ModelVersion]:
    """Return versions that served within `MADE_UP`, serve no more, and left something to tell."""
    serving = None if champion is None else champion.version_id
    waiting = _unexplained(timeframe, now=now).filter(timestamp__gt=now - MADE_UP, is_shadow=False)
    return list(
        ModelVersion.objects.filter(
            pk__in=waiting.exclude(model_version_id=serving).values("model_version_id")
        ).order_by("pk")
    )


def _unexplained(timeframe: Timeframe, *, now: datetime) -> QuerySet[Prediction]:
    return Prediction.objects.filter(
        timeframe=timeframe.value,
        close_time__gt=now - MADE_UP,
        features__isnull=False,
        explanation__isnull=True,
    )


def _explain_all(model: ServedModel, timeframe: Timeframe, *, now: datetime) -> int:
    rows = _unexplained(timeframe, now=now).filter(model_version_id=model.version_id)
    newest = list(rows.order_by("-close_time", "instrument_id")[:MOST_AT_ONCE])
    if not newest:
        return 0
    explained = _explain(model, newest, now=now)
    PredictionExplanation.objects.bulk_create(explained, ignore_conflicts=True)
    return len(explained)


def _explain(
    model: ServedModel, rows: Sequence[Prediction], *, now: datetime
) -> list[PredictionExplanation]:
    names, cases = model.bundle.spec.names, model.bundle.cases()
    features = np.stack([np.frombuffer(bytes(row.features or b""), "<f4") for row in rows])
    added = model.contributions(features)
    found = []
    for place, row in enumerate(rows):
        order = np.argsort(-np.abs(added[place]), kind="stable")[:TOP].tolist()
        found.append(
            PredictionExplanation(
                prediction=row,
                top_features=[
                    {
                        "feature": names[index],
                        "reads": float(features[place, index]),
                        "adds": float(added[place, index]),
                    }
                    for index in order
                ],
                nearest_cases=[
                    {
                        "at": from_ms(case.close_ms).isoformat(),
                        "instrument_id": case.group,
                        "distance": case.distance,
                        "realized_return": case.realized_return,
                    }
                    for case in cases.nearest(features[place], count=NEAREST)
                ],
                dissimilarity=row.dissimilarity,
                created_at=now,
            )
        )
    return found

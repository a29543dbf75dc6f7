"""What may wait until the orders are out: predictions beside the champion, and explanations."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from core.clock import from_ms, to_ms
from markets.domain.timeframe import Timeframe
from mlmodels.models import Prediction, PredictionExplanation
from mlmodels.ports import ArtifactError, WindowSource
from mlmodels.selectors import list_beside
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
    """Store why the champion's newest predictions came out as they did.

    All that nobody explained yet: messages that were lost, or whose worker was busy with a
    training, are made up for by the next one. A second call writes nothing.

    Returns:
        How many explanations were written.
    """
    try:
        model = models.champion(timeframe.value)
    except ArtifactError as error:
        announce_unusable(scope=timeframe.value, error=error, now=now)
        return 0
    if model is None:
        return 0
    rows = list(
        Prediction.objects.filter(
            model_version_id=model.version_id,
            timeframe=timeframe.value,
            close_time__gt=now - MADE_UP,
            features__isnull=False,
            explanation__isnull=True,
        ).order_by("-close_time", "instrument_id")[:MOST_AT_ONCE]
    )
    if not rows:
        return 0
    explained = _explain(model, rows, now=now)
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

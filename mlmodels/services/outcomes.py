"""Join predictions with what happened."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np
from django.db import transaction

from core.clock import to_ms
from markets.domain.timeframe import Timeframe
from markets.domain.windows import FLOAT_FIELDS, Window, window_of
from markets.selectors import load_window
from mlmodels.domain.conformal import track_scale
from mlmodels.domain.label_spec import LabelSpec
from mlmodels.domain.labels import realized
from mlmodels.domain.primary import sides_of
from mlmodels.models import ModelAlias, Prediction
from mlmodels.selectors import CHAMPION

CHUNK = 2000
# A candle that is missing for a month will not come any more; the outcome stays unknown.
LOOK_BACK = timedelta(days=30)


def score_outcomes(*, now: datetime) -> int:
    """Fill in the realised return of every prediction whose horizon has passed.

    A prediction whose candles are missing stays without an outcome and is looked at again next
    time. A second run changes nothing.

    Returns:
        How many were resolved.
    """
    resolved = 0
    for (instrument_id, timeframe), predictions in _due(now):
        resolved += _resolve(instrument_id, Timeframe(timeframe), predictions, now=now)
    return resolved


def _due(now: datetime) -> Iterator[tuple[tuple[int, str], list[Prediction]]]:
    """Yield unresolved predictions of one symbol and timeframe, at most `CHUNK` at a time."""
    rows = Prediction.objects.filter(
        resolved_at__isnull=True, resolves_at__lte=now, resolves_at__gt=now - LOOK_BACK
    ).select_related("model_version")
    groups: dict[tuple[int, str], list[Prediction]] = defaultdict(list)
    for prediction in rows.order_by("resolves_at", "id").iterator(chunk_size=CHUNK):
        key = (prediction.instrument_id, prediction.timeframe)
        groups[key].append(prediction)
        if len(groups[key]) == CHUNK:
            yield key, groups.pop(key)
    yield from groups.items()


def _resolve(
    instrument_id: int, timeframe: Timeframe, predictions: list[Prediction], *, now: datetime
) -> int:
    window = load_window(
        instrument_id=instrument_id,
        timeframe=timeframe,
        start=min(prediction.close_time for prediction in predictions) - timeframe.delta,
        end=max(prediction.resolves_at for prediction in predictions),
    )
    known = []
    for prediction in predictions:
        found = _outcome(window, prediction, timeframe)
        if found is None:
            continue
        prediction.realized_return = found
        prediction.error = prediction.expected_return - prediction.realized_return
        prediction.resolved_at = now
        known.append(prediction)
    with transaction.atomic():
        Prediction.objects.bulk_update(
            known, ["realized_return", "error", "resolved_at"], batch_size=500
        )
    _adapt_intervals(known)
    return len(known)


def _outcome(window: Window, prediction: Prediction, timeframe: Timeframe) -> float | None:
    """Return what came of a prediction by its model's own label; None: not known yet."""
    first = int(np.searchsorted(window.open_time_ms, to_ms(prediction.close_time) - timeframe.ms))
    last = int(np.searchsorted(window.open_time_ms, to_ms(prediction.resolves_at) - timeframe.ms))
    if last - first != prediction.horizon_bars or last >= len(window):
        return None
    stretch = window_of(
        window.open_time_ms[first : last + 1],
        np.stack([getattr(window, name)[first : last + 1] for name in FLOAT_FIELDS]),
    )
    if to_ms(prediction.close_time) - timeframe.ms != int(stretch.open_time_ms[0]):
        return None
    stored = prediction.model_version.label
    label = (
        LabelSpec.from_json(stored) if stored else LabelSpec(horizon_bars=prediction.horizon_bars)
    )
    return realized(
        stretch,
        label,
        interval_ms=timeframe.ms,
        horizon_sigma=prediction.horizon_sigma,
        side=_side(prediction, label),
    )


def _side(prediction: Prediction, label: LabelSpec) -> float:
    """Return where the label's primary rule stood at the close."""
    if not label.primary or prediction.features is None:
        return 1.0
    features = np.frombuffer(bytes(prediction.features), "<f4")[np.newaxis]
    sides = sides_of(label, features, prediction.model_version.feature_spec["names"])
    return 1.0 if sides is None else float(sides[0])


def _adapt_intervals(resolved: list[Prediction]) -> None:
    """Let the champion's intervals of this symbol follow how often they missed."""
    serving = {row.model_version_id for row in resolved if not row.is_shadow}
    for alias in ModelAlias.objects.filter(alias=CHAMPION, version_id__in=serving).order_by("id"):
        rows = sorted(
            (row for row in resolved if row.model_version_id == alias.version_id),
            key=lambda row: row.close_time,
        )
        key = str(rows[0].instrument_id)
        scale = track_scale(
            float(alias.interval_scales.get(key, 1.0)),
            [
                row.realized_return is not None and row.lower <= row.realized_return <= row.upper
                for row in rows
            ],
        )
        # A champion that was replaced meanwhile keeps its own widths.
        ModelAlias.objects.filter(pk=alias.pk, version_id=alias.version_id).update(
            interval_scales={**alias.interval_scales, key: scale}
        )

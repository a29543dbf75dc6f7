"""Predict all symbols of one candle close: one model call, four queries however many symbols."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from django.db import transaction

from core.clock import to_ms
from markets.domain.timeframe import Timeframe
from mlmodels.domain.calibration import Calibrated
from mlmodels.domain.ensemble import NoNumbers
from mlmodels.domain.features import Candles, FeatureMatrix, FeatureSpec, compute_last
from mlmodels.domain.prediction import PredictionState, PredictionView
from mlmodels.models import Prediction
from mlmodels.ports import ArtifactError, WindowSource
from mlmodels.services.announcements import (
    announce_no_numbers,
    announce_predictions,
    announce_unusable,
)
from mlmodels.services.inputs import ids_of, read_live_references, read_live_series
from mlmodels.services.serving import ModelSource, ServedModel

logger = logging.getLogger(__name__)

_VIEW_FIELDS = (
    "instrument_id",
    "state",
    "id",
    "model_version_id",
    "model_name",
    "horizon_bars",
    "p_up",
    "expected_return",
    "lower",
    "upper",
    "sigma",
    "dissimilarity",
    "interval_scale",
)


def predict_close(
    *,
    timeframe: str,
    close_time: datetime,
    instrument_ids: Sequence[int],
    windows: WindowSource,
    models: ModelSource,
    now: datetime,
) -> list[PredictionView]:
    """Predict and store; a second call for the same close returns what the first one stored.

    Args:
        timeframe: Of the candles, a ``Timeframe`` or its text.
        close_time: The close that has just happened.
        instrument_ids: Who closed.
        windows: Their newest closed candles.
        models: Where the champion comes from.
        now: Time of the market.

    Returns:
        One view per instrument, in the order given. A champion whose files cannot be trusted
        raises an alert and counts as no model, so that exits are still decided on.
    """
    frame = Timeframe(timeframe)
    model = _champion(models, frame.value, now=now)
    if model is None:
        return [
            PredictionView(instrument_id=instrument_id, state=PredictionState.NO_MODEL)
            for instrument_id in instrument_ids
        ]
    spec = model.bundle.spec
    close_ms = to_ms(close_time)
    ready, features = read_features(
        spec, timeframe=frame, instrument_ids=instrument_ids, windows=windows, close_ms=close_ms
    )
    stored = store_predictions(
        model, ready, features, timeframe=frame, close_time=close_time, now=now
    )
    mute = {key for key in ready if key not in stored}
    if mute:
        announce_no_numbers(
            version_id=model.version_id, count=len(mute), scope=frame.value, now=now
        )
    views = [
        stored.get(instrument_id)
        or _without_numbers(
            instrument_id,
            model,
            PredictionState.NO_SKILL if instrument_id in mute else PredictionState.TOO_FEW_CANDLES,
        )
        for instrument_id in instrument_ids
    ]
    announce_predictions(views, timeframe=frame.value, close_time=close_time)
    logger.info(
        "predictions.stored timeframe=%s close_time=%s model_version_id=%s stored=%d symbols=%d",
        frame.value,
        close_time.isoformat(),
        model.version_id,
        len(stored),
        len(views),
    )
    return views


def _champion(models: ModelSource, scope: str, *, now: datetime) -> ServedModel | None:
    try:
        return models.champion(scope)
    except ArtifactError as error:
        announce_unusable(scope=scope, error=error, now=now)
        return None


def is_ready(window: Candles, *, spec: FeatureSpec, close_time_ms: int) -> bool:
    """Tell whether `window` ends at the close and has its whole warm-up, without a gap."""
    if len(window.close) < spec.warmup:
        return False
    opens = window.open_time_ms[-spec.warmup :]
    is_newest = int(opens[-1]) + spec.interval_ms == close_time_ms
    return is_newest and int(opens[-1] - opens[0]) == (spec.warmup - 1) * spec.interval_ms


def read_features(
    spec: FeatureSpec,
    *,
    timeframe: Timeframe,
    instrument_ids: Sequence[int],
    windows: WindowSource,
    close_ms: int,
) -> tuple[list[int], FeatureMatrix]:
    """Return who has its whole warm-up at the close, and the features, one row each."""
    others = ids_of(spec.symbols).values()
    windows.ensure(
        timeframe=timeframe,
        instrument_ids=list(dict.fromkeys((*instrument_ids, *others))),
        close_time_ms=close_ms,
    )
    ready: dict[int, Candles] = {}
    for instrument_id in instrument_ids:
        window = windows.window(
            timeframe=timeframe,
            instrument_id=instrument_id,
            length=spec.warmup,
            close_time_ms=close_ms,
        )
        if is_ready(window, spec=spec, close_time_ms=close_ms):
            ready[instrument_id] = window
    references = read_live_references(
        spec, timeframe=timeframe, windows=windows, close_time_ms=close_ms
    )
    series = read_live_series(spec, instrument_ids=ready, close_time_ms=close_ms)
    features = compute_last(list(ready.values()), spec, references=references, series=series)
    return list(ready), features


def store_predictions(
    model: ServedModel,
    instrument_ids: list[int],
    features: FeatureMatrix,
    *,
    timeframe: Timeframe,
    close_time: datetime,
    now: datetime,
    is_shadow: bool = False,
) -> dict[int, PredictionView]:
    """Predict and store, one row per symbol; what was stored before is returned instead.

    Where the model answers with anything but numbers nothing is stored and nothing returned.
    """
    if not instrument_ids:
        return {}
    bundle = model.bundle
    group = np.array(instrument_ids, np.int64)
    try:
        found = model.predict(features, group)
    except NoNumbers:
        return {}  # whoever asked tells of it
    unusual = model.bundle.cases().dissimilarity(features.values)
    horizon_sigma = features.sigma * np.sqrt(float(bundle.horizon_bars))
    horizon = timedelta(milliseconds=bundle.horizon_bars * bundle.spec.interval_ms)
    rows = [
        Prediction(
            model_version_id=model.version_id,
            # People average errors by name: what serves and what is on trial must not mix.
            model_name=f"{model.name} shadow" if is_shadow else model.name,
            instrument_id=instrument_id,
            timeframe=timeframe.value,
            timestamp=close_time,
            close_time=close_time,
            horizon_bars=bundle.horizon_bars,
            resolves_at=close_time + horizon,
            state=model.state_of(instrument_id),
            **{name: float(getattr(found, name)[row]) for name in Calibrated.__slots__},
            horizon_sigma=float(horizon_sigma[row]),
            interval_scale=model.interval_scales.get(instrument_id, 1.0),
            dissimilarity=float(unusual[row]),
            features=features.values[row].astype("<f4").tobytes(),
            is_shadow=is_shadow,
            created_at=now,
        )
        for row, instrument_id in enumerate(instrument_ids)
        if _is_finite(found, row)
    ]
    with transaction.atomic():
        Prediction.objects.bulk_create(rows, ignore_conflicts=True)
        return _stored(model, instrument_ids, timeframe=timeframe, close_time=close_time)


def _stored(
    model: ServedModel, instrument_ids: list[int], *, timeframe: Timeframe, close_time: datetime
) -> dict[int, PredictionView]:
    """Read back what is stored: after a redelivery the first answer is the one that counts."""
    rows = Prediction.objects.filter(
        model_version_id=model.version_id,
        instrument_id__in=instrument_ids,
        timeframe=timeframe.value,
        close_time=close_time,
    ).values(*_VIEW_FIELDS)
    views = {}
    for row in rows:
        prediction_id = row.pop("id")
        state = PredictionState(row.pop("state"))
        views[row["instrument_id"]] = PredictionView(
            prediction_id=prediction_id,
            state=state,
            factor_weights=model.bundle.factor_weights,
            **row,
        )
    return views


def _is_finite(found: Calibrated, row: int) -> bool:
    told = (found.p_up, found.expected_return, found.lower, found.upper, found.sigma)
    return all(bool(np.isfinite(values[row])) for values in told)


def _without_numbers(
    instrument_id: int, model: ServedModel, state: PredictionState
) -> PredictionView:
    return PredictionView(
        instrument_id=instrument_id,
        state=state,
        model_version_id=model.version_id,
        model_name=model.name,
        horizon_bars=model.bundle.horizon_bars,
        factor_weights=model.bundle.factor_weights,
    )

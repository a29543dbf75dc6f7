"""Join predictions with what happened."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction

from core.clock import to_ms
from markets.domain.timeframe import Timeframe
from markets.selectors import load_window
from mlmodels.models import Prediction

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
    ).only("id", "instrument_id", "timeframe", "close_time", "resolves_at", "expected_return")
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
    closes = dict(
        zip((window.open_time_ms + timeframe.ms).tolist(), window.close.tolist(), strict=True)
    )
    known = []
    for prediction in predictions:
        entry = closes.get(to_ms(prediction.close_time))
        last = closes.get(to_ms(prediction.resolves_at))
        if entry is None or last is None:
            continue
        prediction.realized_return = last / entry - 1.0
        prediction.error = prediction.expected_return - prediction.realized_return
        prediction.resolved_at = now
        known.append(prediction)
    with transaction.atomic():
        Prediction.objects.bulk_update(
            known, ["realized_return", "error", "resolved_at"], batch_size=500
        )
    return len(known)

"""Were the features that served the ones that the stored candles give? Recomputed, bit by bit."""

import logging
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from core.clock import from_ms, to_ms
from markets.domain.timeframe import Timeframe
from markets.selectors import load_window
from mlmodels.domain.feature_spec import FeatureSpec
from mlmodels.domain.features import compute
from mlmodels.models import ModelVersion, Prediction
from mlmodels.selectors import get_champion
from mlmodels.services.announcements import announce_change
from mlmodels.services.inputs import ids_of, load_series

logger = logging.getLogger(__name__)

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How many stored feature vectors were compared, and which columns differed how often."""

    compared: int
    differing: int
    columns: dict[str, int]


def verify_features(*, scope: str, now: datetime, since: datetime | None = None) -> Parity:
    """Recompute the features of the champion's predictions of the last day from stored candles.

    A difference means that a candle was revised after it had been used, that a reference came
    late, or that live and training compute differently; an alert names the columns.
    """
    champion = get_champion(scope)
    if champion is None:
        return Parity(compared=0, differing=0, columns={})
    stored = ModelVersion.objects.values_list("feature_spec", flat=True).get(pk=champion.version_id)
    spec = FeatureSpec.from_json(stored)
    if not spec.is_current:
        return Parity(compared=0, differing=0, columns={})
    by_symbol = _read(champion.version_id, since=since or now - _DAY, now=now)
    compared, differing = 0, 0
    columns: dict[str, int] = defaultdict(int)
    for instrument_id, vectors in by_symbol.items():
        for names in _differences(spec, Timeframe(scope), instrument_id, vectors):
            compared += 1
            differing += bool(names)
            for name in names:
                columns[name] += 1
    found = Parity(compared=compared, differing=differing, columns=dict(columns))
    _tell(scope, champion.version_id, found, now=now)
    return found


def _read(version_id: int, *, since: datetime, now: datetime) -> dict[int, list[tuple[int, bytes]]]:
    """Return (close, vector) by instrument, ascending."""
    by_symbol: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
    rows = Prediction.objects.filter(
        model_version_id=version_id,
        features__isnull=False,
        close_time__gt=since,
        close_time__lte=now,
    ).order_by("instrument_id", "close_time", "id")
    for instrument_id, close_time, vector in rows.values_list(
        "instrument_id", "close_time", "features"
    ):
        by_symbol[instrument_id].append((to_ms(close_time), bytes(vector or b"")))
    return by_symbol


def _differences(
    spec: FeatureSpec, timeframe: Timeframe, instrument_id: int, vectors: list[tuple[int, bytes]]
) -> list[list[str]]:
    """Return the differing columns of each vector that can be recomputed."""
    first, last = vectors[0][0], vectors[-1][0]
    start, end = from_ms(first - spec.warmup * timeframe.ms), from_ms(last)

    references = {
        symbol: load_window(instrument_id=key, timeframe=timeframe, start=start, end=end)
        for symbol, key in ids_of(spec.symbols).items()
    }
    own = load_window(instrument_id=instrument_id, timeframe=timeframe, start=start, end=end)
    series = load_series(spec, instrument_ids=[instrument_id], start=start - _DAY, end=end)
    matrix = compute(own, spec, references=references, series=series.get(instrument_id))
    place = {at: row for row, at in enumerate(matrix.close_time_ms.tolist())}
    found = []
    for close_ms, vector in vectors:
        row = place.get(close_ms)
        if row is None or not matrix.is_complete[row]:
            found.append(["*"])
            continue
        served = np.frombuffer(vector, "<f4").view(np.uint32)
        again = matrix.values[row].astype("<f4").view(np.uint32)
        found.append([spec.names[index] for index in np.flatnonzero(served != again).tolist()])
    return found


def _tell(scope: str, version_id: int, found: Parity, *, now: datetime) -> None:
    logger.info(
        "features.verified scope=%s compared=%d differing=%d",
        scope,
        found.compared,
        found.differing,
    )
    if not found.differing:
        return
    names = sorted(found.columns, key=lambda name: -found.columns[name])[:5]
    announce_change(
        code="FEATURES_DIFFER",
        severity="WARNING",
        scope=scope,
        version_id=version_id,
        message=f"{found.differing} of {found.compared} feature vectors that served {scope} in the "
        f"last day are not what the stored candles give ({', '.join(names)}): a candle was "
        "revised or came late.",
        now=now,
    )

"""The resolved predictions of a version as arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.clock import to_ms
from mlmodels.domain.evaluation import OutOfFold
from mlmodels.models import Prediction

_FIELDS = (
    "p_up",
    "base_rate",
    "realized_return",
    "expected_return",
    "horizon_sigma",
    "lower",
    "upper",
)


def load_resolved(version_id: int, *, newest: int) -> OutOfFold:
    """Return the newest resolved predictions in order of time, then of instrument. One query."""
    found = list(
        Prediction.objects.filter(
            model_version_id=version_id,
            realized_return__isnull=False,
            base_rate__isnull=False,
            horizon_sigma__gt=0,
        )
        .order_by("-close_time", "instrument_id")
        .values_list("close_time", "instrument_id", *_FIELDS)[:newest]
    )
    return _arrays(found)


def pair(left: OutOfFold, right: OutOfFold) -> tuple[OutOfFold, OutOfFold]:
    """Return the rows that both predicted, in the same order."""
    ours = {key: place for place, key in enumerate(_keys(left))}
    common = [(ours[key], place) for place, key in enumerate(_keys(right)) if key in ours]
    at = np.array([place for place, _ in common], np.intp)
    other = np.array([place for _, place in common], np.intp)
    return _take(left, at), _take(right, other)


def _keys(rows: OutOfFold) -> list[tuple[int, int]]:
    return list(zip(rows.time_ms.tolist(), rows.group.tolist(), strict=True))


def _take(rows: OutOfFold, places: NDArray[np.intp]) -> OutOfFold:
    return OutOfFold(**{name: getattr(rows, name)[places] for name in OutOfFold.__slots__})


def _arrays(found: Sequence[tuple[Any, ...]]) -> OutOfFold:
    ordered = sorted(found, key=lambda row: (row[0], row[1]))
    columns = {
        name: np.array([row[place] for row in ordered], np.float64)
        for place, name in enumerate(_FIELDS, start=2)
    }
    columns["forward_return"] = columns.pop("realized_return")
    return OutOfFold(
        time_ms=np.array([to_ms(row[0]) for row in ordered], np.int64),
        group=np.array([row[1] for row in ordered], np.int64),
        **columns,
    )

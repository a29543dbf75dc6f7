"""How models did in a period, by name."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from mlmodels.models import Prediction

_FEWEST = 3  # a correlation of fewer says nothing


def measure_models(*, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Return each model's figures over its predictions of closes in the period, by name.

    A figure that is not defined yet is None: nothing resolved, or no spread.
    """
    rows = Prediction.objects.filter(close_time__gte=since, close_time__lt=until).values_list(
        "model_name", "expected_return", "realized_return", "lower", "upper"
    )
    named: dict[str, list[tuple[float, float | None, float, float]]] = {}
    for name, expected, realized, lower, upper in rows.order_by("model_name", "pk").iterator():
        named.setdefault(name, []).append((expected, realized, lower, upper))
    return [_figures(name, own) for name, own in named.items()]


def _figures(name: str, rows: Sequence[tuple[float, float | None, float, float]]) -> dict[str, Any]:
    known = np.array([row for row in rows if row[1] is not None], np.float64).reshape(-1, 4)
    figures: dict[str, Any] = {
        "name": name,
        "predictions": len(rows),
        "resolved": len(known),
        **dict.fromkeys(("mean_abs_error", "direction_right", "coverage", "ic")),
    }
    if not len(known):
        return figures
    expected, realized, lower, upper = known.T
    moved = realized != 0
    figures["mean_abs_error"] = float(np.mean(np.abs(expected - realized)))
    if moved.any():
        right = np.sign(expected[moved]) == np.sign(realized[moved])
        figures["direction_right"] = float(np.mean(right))
    figures["coverage"] = float(np.mean((lower <= realized) & (realized <= upper)))
    if len(known) >= _FEWEST and expected.std() > 0 and realized.std() > 0:
        figures["ic"] = float(np.corrcoef(expected, realized)[0, 1])
    return figures

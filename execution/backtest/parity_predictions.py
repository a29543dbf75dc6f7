"""Stored predictions against what their models say of today's candles."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from execution.backtest.findings import Findings, Kind, Stage
from execution.backtest.forecasts import Forecaster, Forecasts, Serving, forecast
from execution.backtest.series import Series
from mlmodels.domain.conformal import NARROWEST, WIDEST
from mlmodels.domain.prediction import PredictionState, PredictionView
from mlmodels.domain.surroundings import Surroundings

_POINT = ("p_up", "expected_return", "sigma")
_INTERVAL = ("lower", "upper")


def compare_predictions(
    series: Series,
    recorded: Sequence[PredictionView],
    closes_ms: Sequence[int],
    models: Mapping[int, Forecaster],
    around: Surroundings,
    revised_ms: Sequence[int],
    findings: Findings,
) -> None:
    """Hold stored predictions of one symbol against what their models say of today's candles.

    Args:
        series: The symbol's candles, with the warm-up of the first prediction.
        recorded: As stored.
        closes_ms: The close of each.
        models: By version id, as trained; a version that is not there cannot be asked.
        around: What their features need besides the symbol's candles.
        revised_ms: Closes of candles, the references' too, that were changed after they were first
            stored.
        findings: Where the results go.
    """
    made: dict[int, Forecasts] = {}
    for view, close_ms in zip(recorded, closes_ms, strict=True):
        version = view.model_version_id
        live = _said(view)
        again: dict[str, Any] = {}
        model = None if version is None else models.get(version)
        if model is None or version is None:
            kind = Kind.MODEL_MISSING
        else:
            if version not in made:
                made[version] = forecast(series, [Serving(from_ms=0, model=model, around=around)])
            row = int(series.close_ms.searchsorted(close_ms))
            kind = Kind.CANDLES_MISSING
            if row < len(series) and int(series.close_ms[row]) == close_ms:
                found = made[version].view(row)
                again = _widened(_said(found), view.interval_scale)
                reach_ms = model.bundle.spec.warmup * series.timeframe.ms
                is_known = view.interval_scale is not None
                if found.state is not PredictionState.TOO_FEW_CANDLES:
                    kind = _kind_of_prediction(
                        live, again, close_ms, reach_ms, revised_ms, is_scale_known=is_known
                    )
        findings.add(
            Stage.PREDICTION,
            kind,
            symbol=series.rules.symbol,
            close_ms=close_ms,
            live=live,
            replayed=again,
        )


def _kind_of_prediction(
    live: Mapping[str, Any],
    again: Mapping[str, Any],
    close_ms: int,
    reach_ms: int,
    revised_ms: Sequence[int],
    *,
    is_scale_known: bool,
) -> Kind:
    """Name the cause; what changes while a version serves is told apart from what may not."""
    if live == again:
        return Kind.EQUAL
    is_same = all(live[name] == again[name] for name in _POINT)
    is_scaled = any(live[name] != again[name] for name in _INTERVAL)
    is_suspended = (live["state"], again["state"]) == (PredictionState.NO_SKILL, PredictionState.OK)
    is_tracked = not is_scaled or (not is_scale_known and _is_tracked(live, again))
    if is_same and is_tracked:
        if is_suspended:
            return Kind.SUSPENDED
        if live["state"] == again["state"]:
            return Kind.INTERVAL_SCALED
    return Kind.DATA_REVISED if is_touched(close_ms, reach_ms, revised_ms) else Kind.UNEXPLAINED


def _said(view: PredictionView) -> dict[str, Any]:
    return {"state": view.state, **{name: getattr(view, name) for name in (*_POINT, *_INTERVAL)}}


def _widened(said: dict[str, Any], scale: float | None) -> dict[str, Any]:
    """Return what was said with the interval as wide as it was served, where that is recorded."""
    middle = said["expected_return"]
    if scale is None or scale == 1.0 or middle is None:
        return said
    # As ``Calibrated.widened`` has it, to the bit.
    return said | {name: middle + (said[name] - middle) * scale for name in _INTERVAL}


def _is_tracked(live: Mapping[str, Any], again: Mapping[str, Any]) -> bool:
    """Tell whether one factor, of those that can serve, makes the trained interval the live one."""
    middle = again["expected_return"]
    trained = [again[name] - middle for name in _INTERVAL]
    served = [live[name] - middle for name in _INTERVAL]
    if not all(trained):
        return False
    low, high = (mine / other for mine, other in zip(served, trained, strict=True))
    return NARROWEST <= low <= WIDEST and math.isclose(low, high, rel_tol=1e-9)


def is_touched(close_ms: int, reach_ms: int, revised_ms: Sequence[int]) -> bool:
    """Tell whether a candle that a close looks back at was changed."""
    return any(close_ms - reach_ms < moment <= close_ms for moment in revised_ms)

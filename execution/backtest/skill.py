"""How good the forecasts of a replay were, beside what they earned. Float64 statistics."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from execution.backtest.forecasts import STATES, Forecasts
from execution.backtest.measures import Floats
from execution.backtest.outcome import Times
from execution.backtest.series import Series
from mlmodels.domain.prediction import PredictionState

_BINS = 10
_Z = 1.96
_LEAST = 200  # forecasts; with fewer a table says nothing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resolved:
    """Forecasts whose horizon has passed, joined with what happened; each shape (n,)."""

    close_ms: Times
    p_up: Floats
    expected: Floats
    realized: Floats
    is_inside: npt.NDArray[np.bool_]
    horizon_bars: int


def resolve(series: Series, forecasts: Forecasts, *, start_ms: int) -> Resolved | None:
    """Join a symbol's forecasts from `start_ms` on with their outcomes; None without any."""
    horizons = {item.model.bundle.horizon_bars for item in forecasts.serving}
    if len(horizons) != 1:
        return None
    bars = horizons.pop()
    close, opens = series.candles.close, series.candles.open_time_ms
    count = len(close) - bars
    if count <= 0:
        return None
    wanted = {STATES.index(PredictionState.OK), STATES.index(PredictionState.NO_SKILL)}
    usable = np.isin(forecasts.state[:count], list(wanted))
    usable &= opens[bars:] - opens[:count] == bars * series.timeframe.ms
    usable &= series.close_ms[:count] >= start_ms
    realized = close[bars:] / close[:count] - 1.0
    lower, upper = forecasts.lower[:count], forecasts.upper[:count]
    return Resolved(
        close_ms=series.close_ms[:count][usable],
        p_up=forecasts.p_up[:count][usable],
        expected=forecasts.expected_return[:count][usable],
        realized=realized[usable],
        is_inside=((realized >= lower) & (realized <= upper))[usable],
        horizon_bars=bars,
    )


def describe(resolved: Sequence[Resolved]) -> dict[str, Any] | None:
    """Return calibration, coverage and IC by month of all symbols; None with too few forecasts."""
    parts = [part for part in resolved if len(part.p_up)]
    if sum(len(part.p_up) for part in parts) < _LEAST:
        return None
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("close_ms", "p_up", "expected", "realized", "is_inside")
    }
    up = joined["realized"] > 0
    bars = parts[0].horizon_bars
    brier = float(np.mean((joined["p_up"] - up) ** 2))
    chance = float(np.mean((up.mean() - up) ** 2))
    return {
        "forecasts": len(up),
        "horizon_bars": bars,
        "ic": correlation(joined["expected"], joined["realized"]),
        "accuracy": float(np.mean((joined["p_up"] > 0.5) == up)),
        "brier_skill": 1.0 - brier / chance if chance > 0 else None,
        "coverage": float(joined["is_inside"].mean()),
        "calibration": calibration_table(joined["p_up"], up, horizon_bars=bars),
        "ic_by_month": _by_month(joined["close_ms"], joined["expected"], joined["realized"]),
    }


def calibration_table(
    p_up: Floats, is_up: npt.NDArray[np.bool_], *, horizon_bars: int
) -> list[dict[str, float]]:
    """Return ten bins of equal mass: what was said, what happened, and the band of chance.

    The band is where the frequency would lie with 95 % if the probabilities were exact. Forecasts
    over h candles overlap, so that only every h-th counts as independent.
    """
    order = np.argsort(p_up, kind="stable")
    rows = []
    for part in np.array_split(order, _BINS):
        said = float(p_up[part].mean())
        independent = max(1.0, len(part) / horizon_bars)
        band = _Z * float(np.sqrt(said * (1.0 - said) / independent))
        rows.append(
            {
                "said": said,
                "happened": float(is_up[part].mean()),
                "low": max(0.0, said - band),
                "high": min(1.0, said + band),
                "count": len(part),
            }
        )
    return rows


def correlation(left: Floats, right: Floats) -> float | None:
    """Return Pearson's correlation; None where one side does not vary."""
    if len(left) < 2 or float(left.std()) <= 1e-15 or float(right.std()) <= 1e-15:
        return None
    return float(np.corrcoef(left, right)[0, 1])


def months_of(time_ms: Times) -> list[str]:
    """Return the UTC month of each close, such as 2024-03; a midnight ends the day before."""
    stamps = (time_ms - 1).astype("datetime64[ms]").astype("datetime64[M]")
    return [str(month) for month in stamps.astype(str)]


def day_text(time_ms: int) -> str:
    """Return a moment as people write it, UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _by_month(close_ms: Times, expected: Floats, realized: Floats) -> list[dict[str, Any]]:
    months = np.array(months_of(close_ms))
    rows = []
    for month in sorted(set(months.tolist())):
        mask = months == month
        is_enough = int(mask.sum()) >= _LEAST
        ic = correlation(expected[mask], realized[mask]) if is_enough else None
        rows.append({"month": month, "ic": ic, "forecasts": int(mask.sum())})
    return rows

"""Curves to hold a strategy against, over the same closes and with the same costs. Float64."""

from collections.abc import Sequence

import numpy as np

from execution.backtest.measures import Floats
from execution.backtest.outcome import Times
from execution.backtest.series import Series

_MOMENTUM_BARS = 24


def buy_and_hold(series: Sequence[Series], timeline: Times, *, cash: float, cost: float) -> Floats:
    """Return the equity of `cash` spread evenly over the symbols at the first close.

    Args:
        series: The symbols.
        timeline: Closes, ascending.
        cash: Quote units.
        cost: One way, fraction.
    """
    growth = [_closes(item, timeline) for item in series]
    return np.asarray(cash * (1.0 - cost) * np.mean([g / g[0] for g in growth], axis=0))


def follow_momentum(
    series: Sequence[Series], timeline: Times, *, cash: float, cost: float
) -> Floats:
    """Return the equity of holding each symbol while it stands above its price 24 candles ago.

    Evenly spread over the symbols; a change of mind costs one way each.
    """
    parts = []
    for item in series:
        closes = _closes(item, timeline)
        before = np.concatenate([np.full(_MOMENTUM_BARS, np.inf), closes[:-_MOMENTUM_BARS]])
        is_in = closes > before[: len(closes)]
        held = np.concatenate([[False], is_in[:-1]])
        change = np.concatenate([[0.0], closes[1:] / closes[:-1] - 1.0])
        turns = np.concatenate([[0.0], np.abs(np.diff(held.astype(np.float64)))])
        parts.append(np.cumprod((1.0 + held * change) * (1.0 - cost * turns)))
    return np.asarray(cash * np.mean(parts, axis=0))


def _closes(series: Series, timeline: Times) -> Floats:
    """Return the last close at each moment; the first one before it."""
    places = series.close_ms.searchsorted(timeline, side="right") - 1
    return np.asarray(series.candles.close[np.maximum(places, 0)])

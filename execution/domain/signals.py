"""Technical factors of the newest candle. Float64 throughout; nothing here is money.

Every factor looks at the last `LOOKBACK` candles only, so that a longer window, a backtest and
the live ring give the same bits.
"""

import math

import numpy as np
import numpy.typing as npt

from execution.domain.factors import Factor
from markets.domain.windows import Window

Floats = npt.NDArray[np.float64]

LOOKBACK = 97  # closes: 96 returns
_FAST, _SLOW, _SWING, _RSI = 12, 48, 24, 14
# A lone indicator has shown little: at most 2.5 percentage points each around 50 %.
_WEIGHT = 0.1


def technical_factors(window: Window) -> tuple[Factor, ...]:
    """Return trend, momentum, mean reversion and volatility regime at the newest candle.

    Args:
        window: Closed candles, ascending.

    Returns:
        Always four factors in this order. With fewer than `LOOKBACK` candles, a price that is no
        number above zero, or a market that did not move, the score is 0.
    """
    close = window.tail(LOOKBACK).close.copy()  # one alignment: the same bits everywhere
    if not _is_usable(close):
        names = ("trend", "momentum", "mean_reversion", "volatility")
        return tuple(Factor(name=name, score=0.0, weight=0.0) for name in names)
    log_close = np.log(close)
    returns = np.diff(log_close)
    sigma = float(np.std(returns))
    return (
        _trend(log_close, sigma),
        _momentum(log_close, sigma),
        _mean_reversion(log_close, returns),
        _volatility(returns, sigma),
    )


def bar_sigma(window: Window) -> float | None:
    """Return the standard deviation of one candle's log return; None: not measurable."""
    close = window.tail(LOOKBACK).close.copy()  # one alignment: the same bits everywhere
    if not _is_usable(close):
        return None
    return float(np.std(np.diff(np.log(close))))


def _is_usable(close: Floats) -> bool:
    if close.shape[0] < LOOKBACK or not bool(np.all(np.isfinite(close) & (close > 0.0))):
        return False
    return bool(np.ptp(close) > 0.0)


def _trend(log_close: Floats, sigma: float) -> Factor:
    """Distance of a fast from a slow average, worth as much as the path was straight.

    Source: Kaufman 1995, Smarter Trading, ch. 8 (efficiency ratio).
    """
    gap = _weighted_mean(log_close, _FAST) - _weighted_mean(log_close, _SLOW)
    z = gap / (sigma * math.sqrt(_SLOW / 2))
    path = float(np.sum(np.abs(np.diff(log_close[-_SLOW - 1 :]))))
    straight = abs(float(log_close[-1] - log_close[-_SLOW - 1])) / path if path > 0 else 0.0
    score = math.tanh(z) * math.sqrt(straight)
    return _factor("trend", score, _WEIGHT, z=z, efficiency=straight)


def _momentum(log_close: Floats, sigma: float) -> Factor:
    """Return of the last day of candles in units of its own standard deviation."""
    move = float(log_close[-1] - log_close[-_SWING - 1])
    z = move / (sigma * math.sqrt(_SWING))
    return _factor("momentum", math.tanh(z / 2.0), _WEIGHT, z=z)


def _mean_reversion(log_close: Floats, returns: Floats) -> Factor:
    """Against the stretch: distance from the mean and relative strength, half each.

    Source: Wilder 1978, New Concepts in Technical Trading Systems, ch. 6 (RSI, simple means).
    """
    recent = log_close[-_SWING:]
    spread = float(np.std(recent))
    z = float(recent[-1] - np.mean(recent)) / spread if spread > 0 else 0.0
    gains = float(np.sum(np.clip(returns[-_RSI:], 0.0, None)))
    losses = float(-np.sum(np.clip(returns[-_RSI:], None, 0.0)))
    moved = gains + losses
    rsi = 100.0 * gains / moved if moved > 0 else 50.0
    stretch = 0.5 * min(max(z / 3.0, -1.0), 1.0) + 0.5 * (rsi - 50.0) / 50.0
    return _factor("mean_reversion", -stretch, _WEIGHT / 2, z=z, rsi=rsi)


def _volatility(returns: Floats, sigma: float) -> Factor:
    """Recent against usual volatility; calm is positive. Says nothing of direction: weight 0."""
    recent = float(np.std(returns[-_FAST:]))
    ratio = recent / sigma
    score = -math.tanh(math.log(ratio)) if ratio > 0 else 1.0
    return _factor("volatility", score, 0.0, ratio=ratio, sigma=sigma)


def _weighted_mean(log_close: Floats, span: int) -> float:
    """Exponential mean over the lookback, weights cut off there and made to sum to 1."""
    decay = 1.0 - 2.0 / (span + 1.0)
    weights = decay ** np.arange(log_close.shape[0] - 1, -1, -1, dtype=np.float64)
    return float(np.dot(weights, log_close) / np.sum(weights))


def _factor(name: str, score: float, weight: float, **detail: float) -> Factor:
    bounded = min(max(score, -1.0), 1.0) if math.isfinite(score) else 0.0
    return Factor(name=name, score=bounded, weight=weight, detail=detail)

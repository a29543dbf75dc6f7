"""Technical scores of the newest candle. Float64 throughout; nothing here is money.

Every score looks at the last `SCORE_BARS` candles only, so that a longer window, a backtest, a
training and the live ring give the same bits.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]

LOOKBACK = 97  # closes: 96 returns
_FAST, _SLOW, _SWING, _RSI = 12, 48, 24, 14

_MINUTE_MS = 60_000
_LADDER_MS = tuple(minutes * _MINUTE_MS for minutes in (5, 15, 60, 240, 1440))
_LONGER_CLOSES = 8  # 7 returns
# A day of hours is the longest step on the ladder: 24 candles.
SCORE_BARS = 24 * _LONGER_CLOSES


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One opinion on the next return.

    Attributes:
        name: What it measures.
        score: -1 (falls) to 1 (rises); 0 also when it could not be measured.
        is_measured: It could be.
        detail: The measured numbers behind the score.
    """

    name: str
    score: float = 0.0
    is_measured: bool = False
    detail: Mapping[str, float] = field(default_factory=dict)


# Those that say where the price goes, and one that says how wildly.
DIRECTIONS = ("trend", "momentum", "mean_reversion", "agreement")
NAMES = ("trend", "momentum", "mean_reversion", "volatility", "agreement")


def technical_scores(open_time_ms: Times, close: Floats, *, interval_ms: int) -> tuple[Score, ...]:
    """Return trend, momentum, mean reversion, volatility and agreement at the newest candle.

    Args:
        open_time_ms: shape (n,), of closed candles, ascending.
        close: shape (n,), quote per base.
        interval_ms: Length of the candles.

    Returns:
        Always the five `NAMES` in this order. With fewer than `LOOKBACK` candles, a price that is
        no number above zero, or a market that did not move, nothing is measured.
    """
    window = close[-LOOKBACK:].copy()  # one alignment: the same bits everywhere
    if not _is_usable(window):
        return tuple(Score(name=name) for name in NAMES)
    log_close = np.log(window)
    returns = np.diff(log_close)
    sigma = _deviation(returns)
    momentum = _momentum(log_close, sigma)
    return (
        _trend(log_close, sigma),
        momentum,
        _mean_reversion(log_close, returns),
        _volatility(returns, sigma),
        _agreement(
            open_time_ms[-SCORE_BARS:] + interval_ms,
            close[-SCORE_BARS:],
            interval_ms=interval_ms,
            own=momentum.score,
        ),
    )


def bar_sigma(close: Floats) -> float | None:
    """Return the standard deviation of one candle's log return; None: not measurable.

    Args:
        close: shape (n,), quote per base, ascending in time.
    """
    window = close[-LOOKBACK:].copy()  # one alignment: the same bits everywhere
    if not _is_usable(window):
        return None
    return _deviation(np.diff(np.log(window)))


def _is_usable(close: Floats) -> bool:
    if close.shape[0] < LOOKBACK or not bool(np.all(np.isfinite(close) & (close > 0.0))):
        return False
    return bool(np.ptp(close) > 0.0)


def _trend(log_close: Floats, sigma: float) -> Score:
    """Distance of a fast from a slow average, worth as much as the path was straight.

    Source: Kaufman 1995, Smarter Trading, ch. 8 (efficiency ratio).
    """
    gap = _weighted_mean(log_close, _FAST) - _weighted_mean(log_close, _SLOW)
    z = gap / (sigma * math.sqrt(_SLOW / 2))
    path = float(np.sum(np.abs(np.diff(log_close[-_SLOW - 1 :]))))
    straight = abs(float(log_close[-1] - log_close[-_SLOW - 1])) / path if path > 0 else 0.0
    score = math.tanh(z) * math.sqrt(straight)
    return _score("trend", score, z=z, efficiency=straight)


def _momentum(log_close: Floats, sigma: float) -> Score:
    """Return of the last day of candles in units of its own standard deviation."""
    move = float(log_close[-1] - log_close[-_SWING - 1])
    z = move / (sigma * math.sqrt(_SWING))
    return _score("momentum", math.tanh(z / 2.0), z=z)


def _mean_reversion(log_close: Floats, returns: Floats) -> Score:
    """Against the stretch: distance from the mean and relative strength, half each.

    Source: Wilder 1978, New Concepts in Technical Trading Systems, ch. 6 (RSI, simple means).
    """
    recent = log_close[-_SWING:]
    spread = _deviation(recent)
    z = float(recent[-1] - np.mean(recent)) / spread if spread > 0 else 0.0
    gains = float(np.sum(np.clip(returns[-_RSI:], 0.0, None)))
    losses = float(-np.sum(np.clip(returns[-_RSI:], None, 0.0)))
    moved = gains + losses
    rsi = 100.0 * gains / moved if moved > 0 else 50.0
    stretch = 0.5 * min(max(z / 3.0, -1.0), 1.0) + 0.5 * (rsi - 50.0) / 50.0
    return _score("mean_reversion", -stretch, z=z, rsi=rsi)


def _volatility(returns: Floats, sigma: float) -> Score:
    """Recent against usual volatility; calm is positive. Says nothing of direction."""
    recent = _deviation(returns[-_FAST:])
    ratio = recent / sigma
    score = -math.tanh(math.log(ratio)) if ratio > 0 else 1.0
    return _score("volatility", score, ratio=ratio, sigma=sigma)


def _agreement(close_ms: Times, close: Floats, *, interval_ms: int, own: float) -> Score:
    """Return what the candles and two longer ones agree on: the weakest of their leanings.

    Longer candles count as of their close, as resampling would have them; only their closes are
    looked at. 0 where they disagree, or one has too little history or a gap.
    """
    leanings = [own]
    detail = {}
    for longer_ms in _longer(interval_ms):
        leaning = _leaning(close_ms, close, longer_ms)
        if leaning is None:
            return Score(name="agreement")
        leanings.append(leaning)
        detail[f"minutes_{longer_ms // _MINUTE_MS}"] = leaning
    if not detail:
        return Score(name="agreement")
    weakest = min(leanings, key=abs)
    is_common = all(leaning * weakest > 0 for leaning in leanings)
    return _score("agreement", weakest if is_common else 0.0, **detail)


def _longer(interval_ms: int) -> list[int]:
    """Return the next two lengths of the ladder that are whole candles."""
    whole = [ms for ms in _LADDER_MS if ms > interval_ms and ms % interval_ms == 0]
    return [ms for ms in whole if ms // interval_ms <= SCORE_BARS // _LONGER_CLOSES][:2]


def _leaning(close_ms: Times, close: Floats, longer_ms: int) -> float | None:
    """Return the move over the last longer candles in its own deviations, -1 to 1; None: a gap."""
    at = np.flatnonzero(close_ms % longer_ms == 0)[-_LONGER_CLOSES:]
    if len(at) < _LONGER_CLOSES or int(close_ms[-1] - close_ms[at[-1]]) >= longer_ms:
        return None
    if int(close_ms[at[-1]] - close_ms[at[0]]) != (_LONGER_CLOSES - 1) * longer_ms:
        return None
    closes = close[at]
    if not bool(np.all(np.isfinite(closes) & (closes > 0.0))):
        return None
    returns = np.diff(np.log(closes))
    spread = _deviation(returns)
    z = float(np.sum(returns)) / (spread * math.sqrt(len(returns))) if spread > 0 else 0.0
    return math.tanh(z / 2.0)


def _weighted_mean(log_close: Floats, span: int) -> float:
    """Exponential mean over the lookback, weights cut off there and made to sum to 1."""
    weights, total = _weights(span, log_close.shape[0])
    return float(np.dot(weights, log_close) / total)


@lru_cache(maxsize=8)
def _weights(span: int, count: int) -> tuple[Floats, float]:
    decay = 1.0 - 2.0 / (span + 1.0)
    weights = decay ** np.arange(count - 1, -1, -1, dtype=np.float64)
    return weights, float(np.sum(weights))


def _deviation(values: Floats) -> float:
    """Return the standard deviation: the bits of `numpy.std`, in a third of its time."""
    centred = values - np.add.reduce(values) / len(values)
    return math.sqrt(float(np.add.reduce(centred * centred)) / len(values))


def _score(name: str, score: float, **detail: float) -> Score:
    bounded = min(max(score, -1.0), 1.0) if math.isfinite(score) else 0.0
    return Score(name=name, score=bounded, is_measured=True, detail=detail)

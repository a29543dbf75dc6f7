"""Closes whose answer is known beforehand, found for all candles at once.

Asking the decision engine costs a third of a millisecond, and nine closes in ten are closed by
the state of the model or by an edge that is too small. These are told apart here with whole
columns. Whatever a rounding could turn either way is left to the engine, so that a screened replay
and one that asks at every close decide the same, for the same reasons.
"""

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from execution.backtest.forecasts import STATES, Forecasts
from execution.backtest.plans import ASK, CODE_OF, Codes
from execution.domain.decision import Reason, StrategyConfig
from execution.domain.odds import needed_confidence
from execution.domain.signals import most_pull
from execution.domain.vetoes import (
    CONFIDENCE_VETOES,
    INTERVAL_SIGMAS,
    MAX_INTERVAL_RATIO,
    MAX_VOLATILITY_RATIO,
    STATE_VETOES,
)
from markets.domain.technicals import LOOKBACK
from markets.domain.windows import Window
from mlmodels.domain.prediction import TAIL, PredictionState

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_RECENT = 12  # returns that the volatility factor calls recent
_MARGIN = 1e-6  # relative; sums in another order differ by far less
_BPS = 10_000.0
_NORMAL = NormalDist()


def unscreened(count: int) -> tuple[Codes, Codes]:
    """Return codes that ask everywhere."""
    return np.full(count, ASK, np.uint8), np.full(count, ASK, np.uint8)


def screen(candles: Window, forecasts: Forecasts, config: StrategyConfig) -> tuple[Codes, Codes]:
    """Return the codes of a plan while nothing is held and while something is, shape (n,)."""
    is_ok = forecasts.state == STATES.index(PredictionState.OK)
    with np.errstate(invalid="ignore"):
        edge = (forecasts.expected_return - config.cost) * _BPS
        flat = _flat(candles, forecasts, config, is_ok, edge)
        if config.is_scaled:
            # Parts follow the price, not the forecast: every close must be looked at.
            return flat, np.full(len(candles), ASK, np.uint8)
        return flat, _held(config, is_ok, edge)


def _held(config: StrategyConfig, is_ok: Bools, edge: Floats) -> Codes:
    """Ask where the signal may have turned; the engine's clock adds where time is up."""
    turns = edge + config.cost_bps <= -config.min_edge_bps + _slack(config)
    keep = CODE_OF[Reason.KEEP_POSITION.value]
    return np.where(is_ok & ~(turns | np.isnan(edge)), keep, np.where(is_ok, ASK, keep)).astype(
        np.uint8
    )


def _flat(
    candles: Window, forecasts: Forecasts, config: StrategyConfig, is_ok: Bools, edge: Floats
) -> Codes:
    codes = np.full(len(candles), ASK, np.uint8)
    is_open = is_ok & np.isfinite(edge) & (forecasts.sigma > 0)
    # From the last reason to the first, so that the first one stays.
    is_small = edge < config.min_edge_bps - _slack(config)
    codes[is_open & is_small] = CODE_OF[Reason.MIN_EDGE.value]
    rest = np.flatnonzero(is_open & ~is_small & (edge >= config.min_edge_bps + _slack(config)))
    unsure = rest[_is_unsure(forecasts, rest, config)]
    codes[unsure] = CODE_OF[CONFIDENCE_VETOES[config.confidence_mode].value]
    usual, recent = _volatilities(candles.close)
    codes = _mark_wide(codes, forecasts, usual, is_open)
    ratio = recent / usual
    wild = ratio > MAX_VOLATILITY_RATIO * (1.0 + _MARGIN)
    near = np.abs(ratio - MAX_VOLATILITY_RATIO) <= MAX_VOLATILITY_RATIO * _MARGIN
    # A market that stood still has no ratio that can be trusted here.
    near |= ~np.isfinite(ratio)
    codes[wild] = CODE_OF[Reason.VOLATILITY_REGIME.value]
    codes[near] = ASK
    for state, reason in STATE_VETOES.items():
        codes[forecasts.state == STATES.index(state)] = CODE_OF[reason.value]
    return codes


def _mark_wide(codes: Codes, forecasts: Forecasts, usual: Floats, is_open: Bools) -> Codes:
    """Mark intervals that are too wide, and ask where that is not clear."""
    width = forecasts.upper - forecasts.lower
    most = MAX_INTERVAL_RATIO * INTERVAL_SIGMAS * usual * np.sqrt(forecasts.horizon_bars())
    codes[is_open & (width > most * (1.0 + _MARGIN))] = CODE_OF[Reason.INTERVAL_TOO_WIDE.value]
    codes[is_open & ~(np.abs(width - most) > most * _MARGIN)] = ASK
    return codes


def _is_unsure(forecasts: Forecasts, rows: npt.NDArray[np.intp], config: StrategyConfig) -> Bools:
    """Tell which rows cannot reach the confidence, whatever the indicators say."""
    pull = max(most_pull(item.model.bundle.factor_weights) for item in forecasts.serving)
    sigma = forecasts.sigma[rows].tolist()
    # P(net > 0) is 1 - cdf(score): below what is needed where the score is above this.
    bounds = [_highest_score(needed_confidence(config, one), pull) for one in sigma]
    return _scores(forecasts, rows, config.cost) > np.array(bounds)


@lru_cache(maxsize=4096)
def _highest_score(needed: float, pull: float) -> float:
    """Return the score above which the factors cannot lift a chance to what is needed."""
    if needed >= 1.0:
        return math.nan  # pooled log-odds are bounded short of it: let the engine say so
    odds = math.log(needed / (1.0 - needed)) - pull
    least = 1.0 / (1.0 + math.exp(-odds))
    return _NORMAL.inv_cdf(1.0 - least * (1.0 - _MARGIN))


def _scores(forecasts: Forecasts, rows: npt.NDArray[np.intp], cost: float) -> Floats:
    """Return the normal score of `cost` in each prediction's distribution; NaN: ask.

    The same three points as ``mlmodels.domain.prediction.probability_above``.
    """
    lower, upper = forecasts.lower[rows], forecasts.upper[rows]
    down = 1.0 - np.clip(forecasts.p_up[rows], 1e-9, 1.0 - 1e-9)
    middle = np.fromiter(map(_NORMAL.inv_cdf, down.tolist()), np.float64, len(rows))
    low, high = _NORMAL.inv_cdf(TAIL), _NORMAL.inv_cdf(1.0 - TAIL)
    has_middle = (lower < 0.0) & (upper > 0.0) & (down > TAIL) & (down < 1.0 - TAIL)
    with np.errstate(divide="ignore", invalid="ignore"):
        right = middle + cost * (high - middle) / upper
        straight = low + (cost - lower) * (high - low) / (upper - lower)
    scores = np.where(has_middle, right, straight)
    return np.where((upper > lower) & (cost > 0.0), scores, np.nan)


def _volatilities(close: Floats) -> tuple[Floats, Floats]:
    """Return the deviation of the last 96 and the last 12 log returns, NaN before; (n,)."""
    returns = np.diff(np.log(close), prepend=np.nan)[1:]
    return (
        _rolling_deviation(returns, LOOKBACK - 1, len(close)),
        _rolling_deviation(returns, _RECENT, len(close)),
    )


def _rolling_deviation(returns: Floats, length: int, count: int) -> Floats:
    found = np.full(count, np.nan)
    if len(returns) < length:
        return found
    centred = returns - returns.mean()
    sums = np.concatenate(([0.0], np.cumsum(centred)))
    squares = np.concatenate(([0.0], np.cumsum(centred * centred)))
    mean = (sums[length:] - sums[:-length]) / length
    variance = (squares[length:] - squares[:-length]) / length - mean * mean
    found[count - len(variance) :] = np.sqrt(np.maximum(variance, 0.0))
    return found


def _slack(config: StrategyConfig) -> float:
    return _MARGIN * (1.0 + abs(config.min_edge_bps) + abs(config.cost_bps))

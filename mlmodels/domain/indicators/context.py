"""Features of the moment, and of how a symbol stands in its market."""

import numpy as np
from numpy.typing import NDArray

from mlmodels.domain.indicators.arithmetic import FloatArray, divide, wave
from mlmodels.domain.indicators.price import past_return
from mlmodels.domain.indicators.registry import Market, Sees, feature

IntArray = NDArray[np.int64]
DAY_MS = 86_400_000
# Monday 1970-01-05, so that weeks begin as people's do.
_FIRST_MONDAY_MS = 4 * DAY_MS


@feature("day_sine", sees=Sees.MOMENT, is_periodic=False)
def day_sine(close_time_ms: IntArray) -> FloatArray:
    """Time of day as a wave."""
    return wave((close_time_ms % DAY_MS) / float(DAY_MS))


@feature("day_cosine", sees=Sees.MOMENT, is_periodic=False)
def day_cosine(close_time_ms: IntArray) -> FloatArray:
    """Time of day as a wave, a quarter of a day ahead."""
    return wave(((close_time_ms % DAY_MS) / float(DAY_MS) + 0.25) % 1.0)


@feature("week_sine", sees=Sees.MOMENT, is_periodic=False)
def week_sine(close_time_ms: IntArray) -> FloatArray:
    """Time of week as a wave that begins on Monday."""
    return wave(((close_time_ms - _FIRST_MONDAY_MS) % (7 * DAY_MS)) / (7.0 * DAY_MS))


@feature("is_weekend", sees=Sees.MOMENT, is_periodic=False)
def is_weekend(close_time_ms: IntArray) -> FloatArray:
    """1 on Saturday and Sunday; the candle that closes at midnight belongs to the day it ends."""
    # 1970-01-01 was a Thursday.
    weekday = ((close_time_ms - 1) // DAY_MS + 3) % 7
    return (weekday >= 5).astype(np.float64)


@feature("market", bars=lambda k: k + 1, sees=Sees.MARKET)
def market_return(market: Market, period: int) -> FloatArray:
    """Mean return of the reference symbols, in sigmas; 0 where none of them is known."""
    return _mean_return(market, period)


@feature("relative", bars=lambda k: k + 1, sees=Sees.MARKET)
def relative_return(market: Market, period: int) -> FloatArray:
    """Return of the symbol less that of the references; 0 where none of them is known."""
    is_any = market.is_known.any(axis=0)
    return np.where(is_any, past_return(market.own, period) - _mean_return(market, period), 0.0)


@feature("market_taker", bars=lambda k: k, sees=Sees.MARKET)
def market_taker(market: Market, period: int) -> FloatArray:
    """Mean imbalance of takers over the references."""
    return _mean_known(market.others.mean("imbalance", period), market)


@feature("market_corr", bars=lambda k: k + 1, sees=Sees.MARKET)
def market_correlation(market: Market, period: int) -> FloatArray:
    """Correlation with the first reference around zero mean; 0 where it is not known."""
    own, other = market.own["return"], market.others["return"][:1]
    size = min(own.shape[-1], other.shape[-1])
    product = own[..., size * -1 :] * other[..., size * -1 :]
    rows = market.own.rows
    total = np.zeros((own.shape[0], rows))
    for lag in range(period):
        end = size - lag
        total += product[..., end - rows : end]
    spread = market.own.total("return_square", period)
    spread = spread * market.others.total("return_square", period)[:1]
    return np.where(market.is_known[:1], divide(total, np.sqrt(spread)), 0.0)


def _mean_return(market: Market, period: int) -> FloatArray:
    return _mean_known(np.clip(past_return(market.others, period), -10.0, 10.0), market)


def _mean_known(values: FloatArray, market: Market) -> FloatArray:
    """Return the mean over known references, shape (1, rows), added up in their order."""
    total = np.zeros((1, values.shape[-1]))
    count = np.zeros((1, values.shape[-1]))
    for place in range(len(values)):
        total += np.where(market.is_known[place], values[place], 0.0)
        count += market.is_known[place]
    return divide(total, count)

"""Features of prices: returns, trend, momentum, volatility and range, in units of sigma."""

import numpy as np

from mlmodels.domain.indicators.arithmetic import FloatArray, bounded_ratio, divide, place, rsi
from mlmodels.domain.indicators.bars import EMA_SPANS, Bars
from mlmodels.domain.indicators.registry import feature


@feature("return", bars=lambda k: k + 1)
def past_return(bars: Bars, period: int) -> FloatArray:
    """Return over `period` bars, in units of what a random walk would do."""
    change = bars.at("close") / bars.at("close", period) - 1.0
    return divide(change, bars.sigma * np.sqrt(float(period)))


@feature("ema_gap", bars=lambda k: EMA_SPANS * k)
def ema_gap(bars: Bars, period: int) -> FloatArray:
    """Distance of the price from its exponential average, in sigmas of that span."""
    gap = bars.at("close") / bars.ema("close", period) - 1.0
    return divide(gap, bars.sigma * np.sqrt(float(period)))


@feature("ema_cross", bars=lambda k: EMA_SPANS * k)
def ema_cross(bars: Bars, period: int) -> FloatArray:
    """Distance of the average of a quarter of `period` from that of `period`."""
    fast = bars.ema("close", max(2, period // 4))
    cross = fast / bars.ema("close", period) - 1.0
    return divide(cross, bars.sigma * np.sqrt(float(period)))


@feature("macd_slope", bars=lambda k: EMA_SPANS * k + 3)
def macd_slope(bars: Bars, period: int) -> FloatArray:
    """Change over three bars of the gap between a fast and a slow average."""
    now, before = bars, bars.shifted(3)
    fast = max(2, period // 2)
    gap = now.ema("close", fast) / now.ema("close", period) - 1.0
    gap -= before.ema("close", fast) / before.ema("close", period) - 1.0
    return divide(gap, bars.sigma * np.sqrt(float(period)))


@feature("rsi", bars=lambda k: k + 1)
def relative_strength(bars: Bars, period: int) -> FloatArray:
    """Relative strength index, scaled to -1 to 1 so that it does not swamp the others."""
    return rsi(bars.total("gain", period), bars.total("loss", period)) / 50.0 - 1.0


@feature("straightness", bars=lambda k: k + 1)
def straightness(bars: Bars, period: int) -> FloatArray:
    """Signed efficiency ratio: net move over the sum of moves. Source: Kaufman 1995, ch. 8."""
    net = bars.at("close") / bars.at("close", period) - 1.0
    return divide(net, bars.total("moved", period))


@feature("volatility_6_48", bars=49, is_periodic=False)
def volatility_short(bars: Bars, _period: int) -> FloatArray:
    """Volatility of 6 bars against that of 48."""
    return bounded_ratio(bars.volatility(6), bars.volatility(48))


@feature("volatility", bars=lambda k: 4 * k + 1)
def volatility(bars: Bars, period: int) -> FloatArray:
    """Volatility of `period` bars against that of four times as many."""
    return bounded_ratio(bars.volatility(period), bars.volatility(4 * period))


@feature("downside", bars=lambda k: k + 1)
def downside(bars: Bars, period: int) -> FloatArray:
    """Share of variance that came from falls, -1 (none) to 1 (all)."""
    everything = bars.total("return_square", period)
    return divide(2.0 * bars.total("fall_square", period) - everything, everything)


@feature("skew", bars=lambda k: k + 1)
def skew(bars: Bars, period: int) -> FloatArray:
    """Gains against losses by size: their largest, -1 to 1."""
    return bounded_ratio(bars.highest("gain", period), bars.highest("loss", period))


@feature("band", bars=lambda k: k)
def band(bars: Bars, period: int) -> FloatArray:
    """Place in Bollinger's bands: distance from the mean in half band widths (two deviations)."""
    gap = bars.at("close") - bars.mean("close", period)
    return divide(gap, 2.0 * bars.deviation("close", period))


@feature("range", bars=lambda k: k)
def mean_range(bars: Bars, period: int) -> FloatArray:
    """Mean of high less low, in sigmas of one bar."""
    return divide(bars.mean("range", period), bars.sigma)


@feature("range_ratio", bars=lambda k: 8 * k)
def range_ratio(bars: Bars, period: int) -> FloatArray:
    """Range of `period` bars against that of eight times as many."""
    return bounded_ratio(bars.mean("range", period), bars.mean("range", 8 * period))


@feature("place", bars=lambda k: k)
def place_in_range(bars: Bars, period: int) -> FloatArray:
    """Place of the close between the lowest low and the highest high, -1 to 1."""
    floor = bars.lowest("low", period)
    return place(bars.at("close") - floor, bars.highest("high", period) - floor)

"""Features of volume and of who took: buyers or sellers."""

from mlmodels.domain.indicators.arithmetic import FloatArray, bounded_ratio, divide
from mlmodels.domain.indicators.bars import Bars
from mlmodels.domain.indicators.registry import feature


@feature("volume_z", bars=lambda k: k)
def volume_z(bars: Bars, period: int) -> FloatArray:
    """Volume of the newest bar in standard deviations from the mean of `period`."""
    gap = bars.at("volume") - bars.mean("volume", period)
    return divide(gap, bars.deviation("volume", period))


@feature("volume_ratio", bars=lambda k: 8 * k)
def volume_ratio(bars: Bars, period: int) -> FloatArray:
    """Volume of `period` bars against that of eight times as many."""
    return bounded_ratio(bars.mean("volume", period), bars.mean("volume", 8 * period))


@feature("taker", bars=lambda k: k)
def taker(bars: Bars, period: int) -> FloatArray:
    """Mean imbalance of takers: 1 all bought, -1 all sold, 0 also where nobody said who."""
    return bars.mean("imbalance", period)


@feature("taker_volume", bars=lambda k: k)
def taker_volume(bars: Bars, period: int) -> FloatArray:
    """Imbalance of takers over all that was traded in `period` bars: large bars count more."""
    return divide(bars.total("flow", period), bars.total("volume", period))


@feature("taker_change", bars=lambda k: 4 * k)
def taker_change(bars: Bars, period: int) -> FloatArray:
    """Imbalance of `period` bars less that of four times as many."""
    return bars.mean("imbalance", period) - bars.mean("imbalance", 4 * period)


@feature("on_balance", bars=lambda k: k + 1)
def on_balance(bars: Bars, period: int) -> FloatArray:
    """Volume of rising bars less that of falling ones, over both. Source: Granville 1963."""
    return divide(bars.total("up_volume", period), bars.total("volume", period))


@feature("money_flow", bars=lambda k: k)
def vwap_gap(bars: Bars, period: int) -> FloatArray:
    """Distance of the price from the volume-weighted mean of `period`, in sigmas."""
    average = divide(bars.total("turnover", period), bars.total("volume", period))
    gap = divide(bars.at("close") - average, average)
    return divide(gap, bars.sigma * float(period) ** 0.5)

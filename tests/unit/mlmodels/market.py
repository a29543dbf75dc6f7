"""Generated candles: noise, and noise with a slow signal that shows in taker flow."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Closed candles in the form of a window."""

    open_time_ms: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    quote_volume: NDArray[np.float64]
    taker_buy_base: NDArray[np.float64]

    def cut(self, start: int | None, stop: int | None) -> "Series":
        return Series(**{name: getattr(self, name)[start:stop] for name in self.__slots__})

    def without(self, position: int) -> "Series":
        return Series(**{name: np.delete(getattr(self, name), position) for name in self.__slots__})


def generate(
    bars: int,
    *,
    seed: int,
    ic: float = 0.0,
    memory: float = 0.9,
    interval_ms: int = HOUR_MS,
    start_ms: int = 1_700_000_400_000 // HOUR_MS * HOUR_MS,
) -> Series:
    """Return candles whose next return correlates with a hidden state by `ic`.

    The state (autocorrelation `memory`) leans the taker flow, so that it can be learned.
    """
    rng = np.random.default_rng(seed)
    shocks = rng.standard_normal(bars)
    state = np.empty(bars)
    state[0] = shocks[0]
    for bar in range(1, bars):
        state[bar] = memory * state[bar - 1] + np.sqrt(1 - memory**2) * shocks[bar]
    noise = rng.standard_t(5, bars) / np.sqrt(5 / 3)
    returns = 0.006 * np.sqrt(1 - ic**2) * noise
    returns[1:] += 0.006 * ic * state[:-1]
    returns[0] = 0.0
    close = 100.0 * np.cumprod(1.0 + np.clip(returns, -0.2, 0.2))
    opened = np.concatenate([close[:1], close[:-1]])
    volume = rng.lognormal(0.0, 0.5, bars)
    lean = 0.5 * state if ic else 0.5 * rng.standard_normal(bars)
    return Series(
        open_time_ms=start_ms + np.arange(bars, dtype=np.int64) * interval_ms,
        open=opened,
        high=np.maximum(opened, close) * (1 + np.abs(rng.normal(0, 0.002, bars))),
        low=np.minimum(opened, close) * (1 - np.abs(rng.normal(0, 0.002, bars))),
        close=close,
        volume=volume,
        quote_volume=volume * close,
        taker_buy_base=volume / (1 + np.exp(-(lean + rng.normal(0, 0.5, bars)))),
    )

"""The weather all generated symbols share: calm, trend, volatile, crash."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simexchange.market.bars import Floats

CALM, TREND, VOLATILE, CRASH = range(4)
NAMES = ("calm", "trend", "volatile", "crash")
MEAN_MINUTES = np.array([300.0, 240.0, 150.0, 15.0])
MOVES_TO = np.array(
    [
        [0.00, 0.62, 0.36, 0.02],
        [0.60, 0.00, 0.36, 0.04],
        [0.60, 0.34, 0.00, 0.06],
        [0.10, 0.10, 0.80, 0.00],
    ]
)
VOLATILITY = np.array([0.75, 1.0, 1.4, 2.2])
DRIFT = np.array([0.85, 1.25, 1.0, 0.5])
"""How strongly the planted drift shows, relative to the regime's volatility."""
JUMPS_PER_MINUTE = np.array([0.0003, 0.0005, 0.0015, 0.02])
JUMP_SIZE = 0.004
SPREAD_BPS = np.array([1.0, 1.5, 3.0, 8.0])
DEPTH = np.array([1.2, 1.0, 0.6, 0.25])
ACTIVITY = np.array([0.7, 1.0, 1.7, 3.5])
CRASH_DROP = (0.01, 0.03)
"""Range of the fall, as a fraction, that opens a crash."""


@dataclass(frozen=True, slots=True)
class Weather:
    """One block of minutes: the regime of each and the common jumps as log returns."""

    regime: NDArray[np.int64]
    jump: Floats


def next_weather(regime: int, minutes: int, rng: np.random.Generator) -> Weather:
    """Return the regimes that follow `regime` and the market-wide jumps.

    Jumps are symmetric except for the fall that opens a crash; no regime has a drift of its own,
    so that past returns say nothing about future ones unless a signal is planted.
    """
    leave = rng.random(minutes)
    where = rng.random(minutes)
    jump_roll = rng.random(minutes)
    jump_size = rng.standard_normal(minutes) * JUMP_SIZE
    drop = rng.uniform(*CRASH_DROP, size=minutes)
    regimes = np.empty(minutes, dtype=np.int64)
    jump = np.zeros(minutes)
    borders = np.cumsum(MOVES_TO, axis=1)
    for minute in range(minutes):
        if leave[minute] < 1.0 / MEAN_MINUTES[regime]:
            regime = int(np.searchsorted(borders[regime], where[minute], side="right"))
            if regime == CRASH:
                jump[minute] = np.log1p(-drop[minute])
        regimes[minute] = regime
    hits = jump_roll < JUMPS_PER_MINUTE[regimes]
    jump[hits] += jump_size[hits]
    return Weather(regimes, jump)

"""What acting on predictions would have brought, close by close."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlmodels.domain.evaluation import OutOfFold
from mlmodels.domain.prediction import probability_above
from mlmodels.domain.statistics import HacMean, hac_lags, mean_per_moment, newey_west

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """Net returns per close; a close that was let go by brings 0.

    Attributes:
        time_ms: shape (moments,), ascending.
        net: shape (moments,), mean over symbols of what each close brought, fraction after costs.
        trades: How many closes were acted on.
        test: Mean of `net` with its Newey-West t; t None: nothing was acted on.
    """

    time_ms: IntArray
    net: FloatArray
    trades: int
    test: HacMean

    @property
    def sharpe(self) -> float | None:
        """Mean over deviation per close; None when nothing varies."""
        spread = float(self.net.std())
        return float(self.net.mean()) / spread if spread > 0 else None

    @property
    def moments(self) -> tuple[float, float]:
        """Skew and kurtosis; those of the normal distribution when nothing varies."""
        spread = float(self.net.std())
        if spread == 0.0:
            return 0.0, 3.0
        scaled = (self.net - self.net.mean()) / spread
        return float(np.mean(scaled**3)), float(np.mean(scaled**4))


def act(
    rows: OutOfFold, *, horizon_bars: int, cost: float, min_confidence: float, min_edge_bps: float
) -> Acted:
    """Buy at every close that the decision's rules would have let through.

    Args:
        rows: At least one.
        horizon_bars: Candles ahead; sets the lags of the test.
        cost: Round trip, fraction.
        min_confidence: P(return > cost) needed.
        min_edge_bps: Expected return net of costs needed.
    """
    chosen = rows.expected_return - cost >= min_edge_bps / 10_000.0
    for place in np.flatnonzero(chosen).tolist():
        chosen[place] = (
            probability_above(
                cost,
                p_up=float(rows.p_up[place]),
                lower=float(rows.lower[place]),
                upper=float(rows.upper[place]),
            )
            >= min_confidence
        )
    gained = np.where(chosen, rows.forward_return - cost, 0.0)
    net = mean_per_moment(gained, rows.time_ms)
    return Acted(
        time_ms=np.unique(rows.time_ms),
        net=net,
        trades=int(chosen.sum()),
        test=newey_west(net, lags=hac_lags(horizon_bars)),
    )

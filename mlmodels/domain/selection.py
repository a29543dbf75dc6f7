"""What is left of a Sharpe ratio when one knows how many recipes were tried.

Source: Bailey and Lopez de Prado 2014, "The Deflated Sharpe Ratio", J. Portfolio Management 40(5).
"""

import math
from statistics import NormalDist

_NORMAL = NormalDist()
_EULER = 0.5772156649015329
# From here on a profit may be called one.
CLAIM = 0.95


def probabilistic_sharpe(
    sharpe: float, *, benchmark: float, count: float, skew: float, kurtosis: float
) -> float:
    """Return the chance that the true Sharpe ratio is above `benchmark`.

    Args:
        sharpe: Measured, per period.
        benchmark: Per period.
        count: Independent periods, above 1.
        skew: Of the returns.
        kurtosis: Of the returns, 3 for a normal distribution.
    """
    spread = 1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
    if count <= 1 or spread <= 0:
        return 0.0
    return _NORMAL.cdf((sharpe - benchmark) * math.sqrt(count - 1.0) / math.sqrt(spread))


def expected_best(trials: int, *, deviation: float) -> float:
    """Return the Sharpe ratio that the best of `trials` recipes without skill is expected to show.

    Args:
        trials: How many were judged, at least 1.
        deviation: Standard deviation of their Sharpe ratios.
    """
    if trials < 2:
        return 0.0
    first = _NORMAL.inv_cdf(1.0 - 1.0 / trials)
    second = _NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return deviation * ((1.0 - _EULER) * first + _EULER * second)


def deflated_sharpe(
    sharpe: float, *, trials: int, count: float, skew: float, kurtosis: float
) -> float:
    """Return the chance that the true Sharpe ratio is above what luck in `trials` would show.

    Recipes without skill scatter by ``1 / sqrt(count)``: with overlapping trainings on the same
    candles the ledger's own scatter would be too small.
    """
    if count <= 1:
        return 0.0
    luck = expected_best(trials, deviation=1.0 / math.sqrt(count - 1.0))
    return probabilistic_sharpe(sharpe, benchmark=luck, count=count, skew=skew, kurtosis=kurtosis)

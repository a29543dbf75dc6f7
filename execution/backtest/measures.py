"""Figures of a return series. Float64 statistics; what is undefined is None, never a number.

Returns are fractions per period; annual figures count 365 days, for the market never closes.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from execution.backtest.series import DAY_MS

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]

DAYS_A_YEAR = 365.0
_NORMAL = NormalDist()
_EULER = 0.5772156649015329


@dataclass(frozen=True, slots=True)
class Moments:
    """A series of returns in four numbers, as the Sharpe tests need them."""

    count: int
    sharpe: float  # per period
    skew: float
    kurtosis: float  # 3 for a normal distribution


def daily_returns(time_ms: Times, equity: Floats, start: float) -> tuple[Times, Floats]:
    """Return the UTC days (their start, ms) and the equity's return in each, fractions.

    Args:
        time_ms: Closes, ascending; a close at midnight ends the day before it.
        equity: At each of them.
        start: Equity before the first.
    """
    days = (time_ms - 1) // DAY_MS
    last = np.flatnonzero(np.append(days[1:] != days[:-1], np.True_))
    ends = equity[last]
    before = np.concatenate([[start], ends[:-1]])
    return days[last] * DAY_MS, ends / before - 1.0


def moments(returns: Floats) -> Moments | None:
    """Return the moments; None with fewer than 2 returns or without any spread."""
    if len(returns) < 2:
        return None
    spread = float(returns.std(ddof=1))
    if spread <= 1e-15:
        return None
    centred = (returns - returns.mean()) / returns.std()
    return Moments(
        count=len(returns),
        sharpe=float(returns.mean()) / spread,
        skew=float(np.mean(centred**3)),
        kurtosis=float(np.mean(centred**4)),
    )


def annual(sharpe: float) -> float:
    """Return a daily Sharpe ratio as an annual one."""
    return sharpe * math.sqrt(DAYS_A_YEAR)


def sharpe_error(found: Moments) -> float:
    """Return the standard error of a Sharpe ratio per period. Source: Lo 2002; Mertens 2002."""
    variance = 1.0 - found.skew * found.sharpe + (found.kurtosis - 1.0) / 4.0 * found.sharpe**2
    return math.sqrt(max(variance, 0.0) / (found.count - 1))


def probabilistic_sharpe(found: Moments, *, benchmark: float = 0.0) -> float | None:
    """Return P(true Sharpe > `benchmark`), both per period; None without an error.

    Source: Bailey and Lopez de Prado 2012, "The Sharpe Ratio Efficient Frontier".
    """
    error = sharpe_error(found)
    return _NORMAL.cdf((found.sharpe - benchmark) / error) if error > 0 else None


def expected_best_sharpe(*, trials: int, spread: float) -> float:
    """Return the best Sharpe that `trials` strategies without skill would show, per period.

    Args:
        trials: Configurations that were tried, at least 1.
        spread: Standard deviation of their Sharpe ratios.

    Source: Bailey and Lopez de Prado 2014, "The Deflated Sharpe Ratio", JPM 40(5).
    """
    if trials < 1:
        raise ValueError(f"trials must be 1 or more, was {trials}")
    if trials == 1:
        return 0.0
    first = _NORMAL.inv_cdf(1.0 - 1.0 / trials)
    second = _NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return spread * ((1.0 - _EULER) * first + _EULER * second)


def deflated_sharpe(found: Moments, *, trials: int) -> float | None:
    """Return P(true Sharpe > 0) after choosing the best of `trials`.

    The spread of the trials' Sharpe ratios is taken as that of estimates without skill, the
    standard error of this one.
    """
    best = expected_best_sharpe(trials=trials, spread=math.sqrt(1.0 / (found.count - 1)))
    return probabilistic_sharpe(found, benchmark=best)


def shortest_record(found: Moments, *, confidence: float = 0.95) -> float | None:
    """Return how many periods are needed to call this Sharpe above 0; None if it is not.

    Source: Bailey and Lopez de Prado 2012, minimum track record length.
    """
    if found.sharpe <= 0.0:
        return None
    variance = sharpe_error(found) ** 2 * (found.count - 1)
    return 1.0 + variance * (_NORMAL.inv_cdf(confidence) / found.sharpe) ** 2


def sortino(returns: Floats) -> float | None:
    """Return the annual Sortino ratio; None without losses or with fewer than 2 returns."""
    falls = np.minimum(returns, 0.0)
    downside = math.sqrt(float(np.mean(falls * falls))) if len(returns) > 1 else 0.0
    return annual(float(returns.mean()) / downside) if downside > 1e-15 else None


def drawdowns(equity: Floats, start: float) -> Floats:
    """Return the distance below the highest equity so far, fractions of it, shape (n,)."""
    high = np.maximum(np.maximum.accumulate(equity), start)
    return np.divide(high - equity, high, out=np.zeros(len(equity)), where=high > 0)


def annual_growth(total_return: float, *, days: float) -> float | None:
    """Return the yearly growth that gives `total_return`; None below a day or after ruin."""
    if days < 1.0 or total_return <= -1.0:
        return None
    exponent = DAYS_A_YEAR / days
    growth = exponent * math.log1p(total_return)
    return math.expm1(growth) if growth < 20.0 else None


def t_of_mean(values: Floats) -> float | None:
    """Return the t statistic of the mean; None with fewer than 2 values or without spread."""
    found = moments(values)
    return None if found is None else found.sharpe * math.sqrt(found.count)

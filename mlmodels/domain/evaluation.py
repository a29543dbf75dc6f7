"""Does the model know anything? Judged only on rows it had not seen.

Neighbouring rows share most of their label, so plain standard errors are far too small; every test
here uses Newey and West's, over means per moment, so that symbols that move together do not count
as independent either.
"""

from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmodels.domain.calibration import WINSOR, logistic_line
from mlmodels.domain.lifecycle import Verdict

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# One-sided 1 %: of a hundred models without skill, one passes.
SKILL_T = 2.33


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfFold:
    """Predictions of rows the predicting model had not seen, each field of shape (n,).

    Attributes:
        time_ms: The close that was predicted from.
        group: Which symbol.
        p_up: Calibrated on earlier rows.
        base_rate: Share of ups among those earlier rows: the forecast to beat.
        forward_return: What happened, fraction.
        horizon_sigma: Volatility over the horizon known at the close, above 0.
        lower: 5 % quantile that was predicted.
        upper: 95 % quantile that was predicted.
    """

    time_ms: IntArray
    group: IntArray
    p_up: FloatArray
    base_rate: FloatArray
    forward_return: FloatArray
    horizon_sigma: FloatArray
    lower: FloatArray
    upper: FloatArray

    def where(self, mask: BoolArray) -> "OutOfFold":
        """Return the rows of `mask`."""
        return OutOfFold(**{name: getattr(self, name)[mask] for name in self.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class HacMean:
    """A mean of dependent numbers; `t` is None when it is undefined."""

    mean: float
    standard_error: float
    t: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Figures of one symbol, or of all together.

    Attributes:
        verdict: SKILLED or NO_SKILL.
        rows: How many predictions were judged.
        effective_rows: `rows` over the horizon: what overlapping labels are worth.
        ic: Correlation of forecast and volatility-normalised return.
        ic_t: Its Newey-West t.
        brier_skill: 1 - Brier / Brier of the base rate.
        brier_t: Newey-West t of the difference.
        auc: Area under the ROC curve; None when only one outcome occurred.
        accuracy: Share of right directions.
        calibration_slope: 1 when a stated 60 % happens in 60 %; None for a constant forecast.
        coverage: Share of returns inside the 90 % interval.
        baselines: IC of forecasts that need no model.
    """

    verdict: Verdict
    rows: int
    effective_rows: int
    ic: float | None
    ic_t: float | None
    brier_skill: float | None
    brier_t: float | None
    auc: float | None
    accuracy: float
    calibration_slope: float | None
    coverage: float
    baselines: dict[str, float | None]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def evaluate(
    rows: OutOfFold,
    *,
    horizon_bars: int,
    baselines: dict[str, FloatArray],
    needed_t: float = SKILL_T,
) -> Evaluation:
    """Judge out-of-fold predictions: SKILLED needs the IC's t >= `needed_t` and Brier skill > 0.

    Args:
        rows: At least one.
        horizon_bars: Candles ahead; sets the lags of the tests.
        baselines: Model-free forecasts of the same rows, by name.
        needed_t: `SKILL_T`, or more when many symbols are judged at once.
    """
    lags = hac_lags(horizon_bars)
    is_up = rows.forward_return > 0
    # What the model adds to the base rate: the base rate itself wanders after the market, and
    # would count as a forecast that is always late.
    ic = information_coefficient(rows, rows.p_up - rows.base_rate, lags=lags)
    gain = (rows.base_rate - is_up) ** 2 - (rows.p_up - is_up) ** 2
    brier = newey_west(mean_per_moment(gain, rows.time_ms), lags=lags)
    reference = float(np.mean((rows.base_rate - is_up) ** 2))
    skill = float(np.mean(gain)) / reference if reference > 0 else None
    is_skilled = (
        ic is not None and ic.t is not None and ic.t >= needed_t and skill is not None and skill > 0
    )
    return Evaluation(
        verdict=Verdict.SKILLED if is_skilled else Verdict.NO_SKILL,
        rows=len(is_up),
        effective_rows=len(is_up) // horizon_bars,
        ic=ic.mean if ic else None,
        ic_t=ic.t if ic else None,
        brier_skill=skill,
        brier_t=brier.t,
        auc=area_under_curve(rows.p_up, is_up),
        accuracy=float(np.mean((rows.p_up > 0.5) == is_up)),
        calibration_slope=calibration_slope(rows.p_up, is_up),
        coverage=float(
            np.mean((rows.forward_return >= rows.lower) & (rows.forward_return <= rows.upper))
        ),
        baselines={
            name: found.mean
            if (found := information_coefficient(rows, forecast, lags=lags))
            else None
            for name, forecast in baselines.items()
        },
    )


def hac_lags(horizon_bars: int) -> int:
    """Return the lags for tests on overlapping labels.

    Three horizons: Bartlett's weights fall linearly, so that of fully overlapping labels' variance
    two horizons miss a sixth and three a ninth.
    """
    return max(24, 3 * horizon_bars)


def needed_t_for(symbols: int, *, is_pooled_skilled: bool) -> float:
    """Return the t that one of `symbols` must reach.

    When all symbols together show no skill, the best of many would pass by luck: the 1 % is then
    shared among them (Bonferroni).
    """
    if is_pooled_skilled or symbols <= 1:
        return SKILL_T
    return max(SKILL_T, NormalDist().inv_cdf(1.0 - 0.01 / symbols))


def information_coefficient(rows: OutOfFold, forecast: FloatArray, *, lags: int) -> HacMean | None:
    """Return the correlation of `forecast` and normalised return within symbols, with its t.

    None when the forecast or the return does not vary.
    """
    outcome = np.clip(rows.forward_return / rows.horizon_sigma, -WINSOR, WINSOR)
    left, right = _centred(forecast, rows.group), _centred(outcome, rows.group)
    # A constant forecast leaves rounding noise behind, which must not be scaled up.
    if left.std() <= 1e-12 or right.std() <= 1e-12:
        return None
    product = left * right / (left.std() * right.std())
    tested = newey_west(mean_per_moment(product, rows.time_ms), lags=lags)
    return HacMean(mean=float(product.mean()), standard_error=tested.standard_error, t=tested.t)


def newey_west(series: FloatArray, *, lags: int) -> HacMean:
    """Return the mean of a dependent series with its standard error.

    Source: Newey and West 1987, Bartlett weights ``1 - k / (lags + 1)``.
    """
    n = len(series)
    if n == 0:
        raise ValueError("newey_west needs at least one number")
    mean = float(series.mean())
    centred = series - mean
    variance = float(np.dot(centred, centred)) / n
    for lag in range(1, min(lags, n - 1) + 1):
        weight = 1.0 - lag / (lags + 1.0)
        variance += 2.0 * weight * float(np.dot(centred[lag:], centred[:-lag])) / n
    error = float(np.sqrt(max(variance, 0.0) / n))
    return HacMean(mean=mean, standard_error=error, t=mean / error if error > 0 else None)


def mean_per_moment(numbers: FloatArray, time_ms: IntArray) -> FloatArray:
    """Return the mean over symbols at each moment, in order of time."""
    _, index, counts = np.unique(time_ms, return_inverse=True, return_counts=True)
    return np.bincount(index, weights=numbers) / counts


def area_under_curve(score: FloatArray, is_up: BoolArray) -> float | None:
    """Return P(score of an up > score of a down), ties half; None when one kind is missing."""
    ups, downs = int(is_up.sum()), int((~is_up).sum())
    if ups == 0 or downs == 0:
        return None
    _, index, counts = np.unique(score, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2.0)[index]
    return float((ranks[is_up].sum() - ups * (ups + 1) / 2.0) / (ups * downs))


def calibration_slope(p_up: FloatArray, is_up: BoolArray) -> float | None:
    """Return the slope of outcomes on the stated log-odds; None for a constant forecast."""
    clipped = np.clip(p_up, 1e-6, 1 - 1e-6)
    log_odds = np.log(clipped / (1.0 - clipped))
    if log_odds.std() <= 1e-9:
        return None
    return logistic_line(log_odds, is_up)[0]


def _centred(numbers: FloatArray, group: IntArray) -> FloatArray:
    _, index, counts = np.unique(group, return_inverse=True, return_counts=True)
    return numbers - (np.bincount(index, weights=numbers) / counts)[index]

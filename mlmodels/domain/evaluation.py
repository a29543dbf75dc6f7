"""Does the model know anything? Judged only on rows it had not seen."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from mlmodels.domain.calibration import WINSOR
from mlmodels.domain.gates import (
    SKILL_T,
    Gate,
    baseline_gate,
    brier_gate,
    coverage_gate,
    ic_gate,
    member_gate,
    slope_gate,
)
from mlmodels.domain.lifecycle import Verdict
from mlmodels.domain.statistics import (
    BoolArray,
    FloatArray,
    HacMean,
    IntArray,
    area_under_curve,
    calibration_error,
    calibration_slope_test,
    centred_by_group,
    hac_lags,
    mean_per_moment,
    newey_west,
    reliability,
)

# A round trip of taker fees, spread and slippage, for the economics that are only shown.
SHOWN_COST = 0.0022


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfFold:
    """Predictions of rows the predicting model had not seen, each field of shape (n,).

    Attributes:
        time_ms: The close that was predicted from.
        group: Which symbol.
        p_up: Calibrated on earlier rows.
        base_rate: Share of ups among those earlier rows: the forecast to beat.
        forward_return: What happened, fraction.
        expected_return: What was expected, fraction.
        horizon_sigma: Volatility over the horizon known at the close, above 0.
        lower: 5 % quantile that was predicted.
        upper: 95 % quantile that was predicted.
    """

    time_ms: IntArray
    group: IntArray
    p_up: FloatArray
    base_rate: FloatArray
    forward_return: FloatArray
    expected_return: FloatArray
    horizon_sigma: FloatArray
    lower: FloatArray
    upper: FloatArray

    def where(self, mask: BoolArray) -> "OutOfFold":
        """Return the rows of `mask`."""
        return OutOfFold(**{name: getattr(self, name)[mask] for name in self.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Figures of one symbol, or of all together.

    Attributes:
        verdict: SKILLED when every gate is passed.
        gates: What was asked, and the answer.
        rows: How many predictions were judged.
        effective_rows: `rows` over the horizon: what overlapping labels are worth.
        ic: Correlation of forecast and volatility-normalised return.
        ic_t: Its Newey-West t.
        brier_skill: 1 - Brier / Brier of the base rate.
        brier_t: Newey-West t of the difference.
        auc: Area under the ROC curve; None when only one outcome occurred.
        accuracy: Share of right directions.
        calibration_slope: 1 when a stated 60 % happens in 60 %; None for a constant forecast.
        calibration_error: Over ten bins of equal mass.
        calibration_null: What honest probabilities stay below in 95 of 100 cases.
        reliability: Stated frequency, seen frequency and rows of those bins.
        coverage: Share of returns inside the 90 % interval.
        baselines: IC of forecasts that need no model; for martingale the share of squared error
            that the model saves, for buy_and_hold the mean return.
        economics: What acting on it would have paid, shown and never a gate.
    """

    verdict: Verdict
    gates: tuple[Gate, ...]
    rows: int
    effective_rows: int
    ic: float | None
    ic_t: float | None
    brier_skill: float | None
    brier_t: float | None
    auc: float | None
    accuracy: float
    calibration_slope: float | None
    calibration_error: float
    calibration_null: float
    reliability: list[tuple[float, float, int]]
    coverage: float
    baselines: dict[str, float | None]
    economics: dict[str, float | None]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def evaluate(
    rows: OutOfFold,
    *,
    horizon_bars: int,
    baselines: Mapping[str, FloatArray],
    members: Mapping[str, FloatArray] | None = None,
    given_gates: tuple[Gate, ...] = (),
    needed_t: float = SKILL_T,
) -> Evaluation:
    """Judge out-of-fold predictions: SKILLED needs every gate of ``gates.py``.

    Args:
        rows: At least one.
        horizon_bars: Candles ahead; sets the lags of the tests.
        baselines: Forecasts of the same rows to beat, by name.
        members: What the members of an ensemble said alone; it must not be worse than one.
        given_gates: Answers that are known already.
        needed_t: `SKILL_T`, or more when many symbols are judged at once.
    """
    lags = hac_lags(horizon_bars)
    is_up = rows.forward_return > 0
    effective = max(1, len(is_up) // horizon_bars)
    # What the model adds to the base rate: the base rate itself wanders after the market, and
    # would count as a forecast that is always late.
    forecast = rows.p_up - rows.base_rate
    ic = information_coefficient(rows, forecast, lags=lags)
    brier, skill = _brier(rows, lags=lags)
    slope = calibration_slope_test(rows.p_up, is_up, rows.time_ms, lags=lags)
    inside = (rows.forward_return >= rows.lower) & (rows.forward_return <= rows.upper)
    error, null = calibration_error(rows.p_up, is_up, effective_rows=effective)
    gates = (
        *given_gates,
        ic_gate(ic, needed_t=needed_t),
        brier_gate(skill),
        *_beats(rows, forecast, baselines, lags=lags),
        *_holds(rows, forecast, members or {}, lags=lags),
        slope_gate(slope),
        coverage_gate(_tested(inside.astype(np.float64), rows, lags=lags)),
    )
    return Evaluation(
        verdict=Verdict.SKILLED if all(gate.is_passed for gate in gates) else Verdict.NO_SKILL,
        gates=gates,
        rows=len(is_up),
        effective_rows=effective,
        ic=ic.mean if ic else None,
        ic_t=ic.t if ic else None,
        brier_skill=skill,
        brier_t=brier.t,
        auc=area_under_curve(rows.p_up, is_up),
        accuracy=float(np.mean((rows.p_up > 0.5) == is_up)),
        calibration_slope=slope.mean if slope else None,
        calibration_error=error,
        calibration_null=null,
        reliability=reliability(rows.p_up, is_up),
        coverage=float(inside.mean()),
        baselines=_shown_baselines(rows, {**baselines, **(members or {})}, lags=lags),
        economics=_economics(rows, lags=lags),
    )


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
    product = ic_products(rows, forecast)
    if product is None:
        return None
    tested = newey_west(mean_per_moment(product, rows.time_ms), lags=lags)
    return HacMean(mean=float(product.mean()), standard_error=tested.standard_error, t=tested.t)


def ic_products(
    rows: OutOfFold, forecast: FloatArray, *, winsor: float = WINSOR
) -> FloatArray | None:
    """Return the products whose mean is the correlation, shape (n,); None if one is constant.

    Args:
        rows: What happened.
        forecast: What was said, shape (n,).
        winsor: Outcomes count at most so many volatilities.
    """
    outcome = np.clip(rows.forward_return / rows.horizon_sigma, -winsor, winsor)
    left, right = centred_by_group(forecast, rows.group), centred_by_group(outcome, rows.group)
    # A constant forecast leaves rounding noise behind, which must not be scaled up.
    if left.std() <= 1e-12 or right.std() <= 1e-12:
        return None
    product: FloatArray = left * right / (left.std() * right.std())
    return product


def _brier(rows: OutOfFold, *, lags: int) -> tuple[HacMean, float | None]:
    """Return the test of the gain over the base rate, and the gain as a share of its loss."""
    is_up = rows.forward_return > 0
    gain = (rows.base_rate - is_up) ** 2 - (rows.p_up - is_up) ** 2
    reference = float(np.mean((rows.base_rate - is_up) ** 2))
    skill = float(np.mean(gain)) / reference if reference > 0 else None
    return _tested(gain, rows, lags=lags), skill


def _beats(
    rows: OutOfFold, forecast: FloatArray, baselines: Mapping[str, FloatArray], *, lags: int
) -> list[Gate]:
    """Compare with each baseline on the same rows; martingale: no return at all is expected."""
    gates = [
        baseline_gate(name, _gain_over(rows, forecast, column, lags=lags))
        for name, column in baselines.items()
    ]
    return [*gates, baseline_gate("martingale", _tested(_squared_gain(rows), rows, lags=lags))]


def _holds(
    rows: OutOfFold, forecast: FloatArray, members: Mapping[str, FloatArray], *, lags: int
) -> list[Gate]:
    """Compare an ensemble with each of its members."""
    alone = {
        name: information_coefficient(rows, column, lags=lags) for name, column in members.items()
    }
    return [
        member_gate(
            name,
            _gain_over(rows, forecast, column, lags=lags),
            alone=known.mean if (known := alone[name]) else None,
        )
        for name, column in members.items()
    ]


def _shown_baselines(
    rows: OutOfFold, others: Mapping[str, FloatArray], *, lags: int
) -> dict[str, float | None]:
    correlations = {
        name: information_coefficient(rows, column, lags=lags) for name, column in others.items()
    }
    return {
        **{name: found.mean if found else None for name, found in correlations.items()},
        "martingale": _saved_error(rows),
        "buy_and_hold": float(rows.forward_return.mean()),
    }


def _tested(series: FloatArray, rows: OutOfFold, *, lags: int) -> HacMean:
    return newey_west(mean_per_moment(series, rows.time_ms), lags=lags)


def _gain_over(
    rows: OutOfFold, forecast: FloatArray, other: FloatArray, *, lags: int
) -> HacMean | None:
    """Return how much more `forecast` correlates than `other`; None if one does not vary."""
    own, theirs = ic_products(rows, forecast), ic_products(rows, other)
    if own is None or theirs is None:
        return None
    return _tested(own - theirs, rows, lags=lags)


def _squared_gain(rows: OutOfFold) -> FloatArray:
    outcome = np.clip(rows.forward_return / rows.horizon_sigma, -WINSOR, WINSOR)
    expected = rows.expected_return / rows.horizon_sigma
    gain: FloatArray = outcome**2 - (outcome - expected) ** 2
    return gain


def _saved_error(rows: OutOfFold) -> float | None:
    outcome = np.clip(rows.forward_return / rows.horizon_sigma, -WINSOR, WINSOR)
    total = float(np.sum(outcome**2))
    return float(np.sum(_squared_gain(rows))) / total if total > 0 else None


def _economics(rows: OutOfFold, *, lags: int) -> dict[str, float | None]:
    """Return what buying whenever the expectation pays the costs would have brought.

    `net_bps_low` is the lower 5 % bound of the net return per trade; the moments are those of the
    net return per close, which a Sharpe ratio is deflated with.
    """
    acted = rows.expected_return > SHOWN_COST
    count = int(acted.sum())
    net = np.where(acted, rows.forward_return - SHOWN_COST, 0.0)
    series = mean_per_moment(net, rows.time_ms)
    spread = float(series.std())
    scaled = (series - series.mean()) / spread if spread > 0 else np.zeros(len(series))
    shown: dict[str, float | None] = {
        "acted_fraction": count / len(acted),
        "paid_fraction": None,
        "gross_bps": None,
        "net_bps": None,
        "net_bps_low": None,
        "sharpe": float(series.mean()) / spread if spread > 0 else None,
        "skew": float(np.mean(scaled**3)),
        "kurtosis": float(np.mean(scaled**4)),
        "moments": float(len(series)),
    }
    if count:
        trades = rows.where(acted)
        tested = _tested(trades.forward_return - SHOWN_COST, trades, lags=lags)
        gross = float(trades.forward_return.mean())
        shown |= {
            "paid_fraction": float((trades.forward_return > SHOWN_COST).mean()),
            "gross_bps": gross * 1e4,
            "net_bps": (gross - SHOWN_COST) * 1e4,
            "net_bps_low": (gross - SHOWN_COST - 1.645 * tested.standard_error) * 1e4,
        }
    return shown

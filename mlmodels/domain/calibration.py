"""From a model's log-odds to a probability that means frequency, and to a return with an interval.

Fitted on rows that the scored model had not seen. Returns are handled in units of the horizon's
own volatility, ``sigma * sqrt(horizon)``, so that calm and wild weeks share one calibration.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmodels.domain.prediction import TAIL

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

# Outcomes beyond this many sigmas are pulled in when the gain is fitted: a handful of crashes must
# not set it.
WINSOR = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Platt:
    """``P(up) = logistic(slope * log_odds + intercept)``.

    A slope of exactly 0 is how "no skill" looks: the answer is then always the base rate.
    """

    slope: float
    intercept: float

    def probability(self, margins: FloatArray) -> FloatArray:
        """Return probabilities, shape (n,)."""
        return 1.0 / (1.0 + np.exp(-(self.slope * margins + self.intercept)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """All that turns a log-odds and a volatility into a prediction.

    Attributes:
        platt: To the probability.
        gain: Expected return in horizon sigmas, per unit of (p_up - 0.5); never below 0.
        residual_low: 5 % quantile of what the expectation missed, in horizon sigmas.
        residual_high: 95 % quantile.
        residual_sigma: Standard deviation of it.
        rows: How many rows it was fitted on.
        base_rate: Share of ups among them: the forecast to beat.
    """

    platt: Platt
    gain: float
    residual_low: float
    residual_high: float
    residual_sigma: float
    rows: int
    base_rate: float

    def apply(self, margins: FloatArray, horizon_sigma: FloatArray) -> "Calibrated":
        """Return predictions for log-odds and horizon volatilities, each of shape (n,)."""
        p_up = self.platt.probability(margins)
        score = self.gain * (p_up - 0.5)
        return Calibrated(
            p_up=p_up,
            expected_return=score * horizon_sigma,
            lower=(score + self.residual_low) * horizon_sigma,
            upper=(score + self.residual_high) * horizon_sigma,
            sigma=self.residual_sigma * horizon_sigma,
            base_rate=np.full(len(margins), self.base_rate),
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Calibration":
        return cls(**{**data, "platt": Platt(**data["platt"])})


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Predictions; each field has shape (n,), returns are fractions over the horizon."""

    p_up: FloatArray
    expected_return: FloatArray
    lower: FloatArray
    upper: FloatArray
    sigma: FloatArray
    base_rate: FloatArray

    def turned(self, side: FloatArray) -> "Calibrated":
        """Return the same in the price's words, where they were in those of standing on `side`.

        Args:
            side: shape (n,), 1 or -1; a gain of a short is a fall.
        """
        is_short = side < 0
        return Calibrated(
            p_up=np.where(is_short, 1.0 - self.p_up, self.p_up),
            expected_return=self.expected_return * side,
            lower=np.where(is_short, -self.upper, self.lower),
            upper=np.where(is_short, -self.lower, self.upper),
            sigma=self.sigma,
            base_rate=np.where(is_short, 1.0 - self.base_rate, self.base_rate),
        )

    def widened(self, scale: FloatArray) -> "Calibrated":
        """Return the same with each interval `scale` times as wide around its expectation."""
        return replace(
            self,
            lower=self.expected_return + (self.lower - self.expected_return) * scale,
            upper=self.expected_return + (self.upper - self.expected_return) * scale,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationSet:
    """One calibration for all symbols, and own ones where a symbol has evidence enough.

    A symbol whose moves the model does not foresee gets slope 0 from its own rows instead of the
    others' confidence.
    """

    pooled: Calibration
    by_group: Mapping[int, Calibration]

    def apply(
        self, margins: FloatArray, horizon_sigma: FloatArray, group: IntArray
    ) -> "Calibrated":
        """Return predictions for rows of shape (n,); `group` is the symbol of each."""
        found = self.pooled.apply(margins, horizon_sigma)
        for key in np.unique(group).tolist():
            own = self.by_group.get(key)
            if own is None:
                continue
            mask = group == key
            part = own.apply(margins[mask], horizon_sigma[mask])
            for name in Calibrated.__slots__:
                getattr(found, name)[mask] = getattr(part, name)
        return found

    def to_json(self) -> dict[str, Any]:
        return {
            "pooled": self.pooled.to_json(),
            "by_group": {str(key): own.to_json() for key, own in self.by_group.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "CalibrationSet":
        return cls(
            pooled=Calibration.from_json(data["pooled"]),
            by_group={
                int(key): Calibration.from_json(own) for key, own in data["by_group"].items()
            },
        )


def fit_calibrations(
    *,
    margins: FloatArray,
    forward_return: FloatArray,
    horizon_sigma: FloatArray,
    group: IntArray,
    own_rows: int,
) -> CalibrationSet:
    """Fit one calibration on all rows and one for each symbol with `own_rows` or more.

    All arrays have shape (n,); see ``fit_calibration``.
    """
    by_group = {}
    for key in np.unique(group).tolist():
        mask = group == key
        if int(mask.sum()) >= own_rows:
            by_group[key] = fit_calibration(
                margins=margins[mask],
                forward_return=forward_return[mask],
                horizon_sigma=horizon_sigma[mask],
            )
    pooled = fit_calibration(
        margins=margins, forward_return=forward_return, horizon_sigma=horizon_sigma
    )
    return CalibrationSet(pooled=pooled, by_group=by_group)


def fit_platt(margins: FloatArray, is_up: BoolArray) -> Platt:
    """Fit slope and intercept by maximum likelihood; a slope that is not above 0 becomes 0.

    Args:
        margins: shape (n,), log-odds of rows the model had not seen.
        is_up: shape (n,).

    Raises:
        ValueError: There are no rows.
    """
    slope, intercept = logistic_line(margins, is_up)
    if slope > 0:
        return Platt(slope=slope, intercept=intercept)
    return Platt(slope=0.0, intercept=_log_odds(float(is_up.mean()), len(is_up)))


def logistic_line(x: FloatArray, is_up: BoolArray) -> tuple[float, float]:
    """Return slope and intercept of a logistic regression on one variable, by Newton's method.

    A constant `x` or a single outcome has slope 0.
    """
    if len(x) == 0:
        raise ValueError("calibration needs at least one row")
    base = _log_odds(float(is_up.mean()), len(is_up))
    spread = float(x.std())
    if spread == 0.0 or is_up.all() or not is_up.any():
        return 0.0, base
    centre = float(x.mean())
    scaled = (x - centre) / spread
    up = is_up.astype(np.float64)
    slope, intercept = 0.0, base
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-(slope * scaled + intercept)))
        weight = p * (1.0 - p)
        # A whisper of a penalty keeps the step finite when a line separates the outcomes.
        gradient = np.array(
            [np.sum((up - p) * scaled) - 1e-3 * slope, np.sum(up - p)], dtype=np.float64
        )
        cross = np.sum(weight * scaled)
        curvature = np.array(
            [[np.sum(weight * scaled * scaled) + 1e-3, cross], [cross, np.sum(weight) + 1e-9]]
        )
        step = np.clip(np.linalg.solve(curvature, gradient), -2.0, 2.0)
        slope, intercept = slope + float(step[0]), intercept + float(step[1])
        if float(np.abs(step).max()) < 1e-10:
            break
    return slope / spread, intercept - slope * centre / spread


def fit_calibration(
    *, margins: FloatArray, forward_return: FloatArray, horizon_sigma: FloatArray
) -> Calibration:
    """Fit on rows that the model had not seen.

    Args:
        margins: shape (n,), log-odds.
        forward_return: shape (n,), fraction.
        horizon_sigma: shape (n,), above 0.

    Raises:
        ValueError: There are no rows, or a volatility is not above 0.
    """
    if (horizon_sigma <= 0).any():
        raise ValueError("horizon_sigma must be above 0 in every row")
    platt = fit_platt(margins, forward_return > 0)
    lean = platt.probability(margins) - 0.5
    outcome = forward_return / horizon_sigma
    power = float(np.sum(lean * lean))
    gain = 0.0
    if platt.slope > 0 and power > 0:
        gain = max(0.0, float(np.sum(lean * np.clip(outcome, -WINSOR, WINSOR))) / power)
    residual = outcome - gain * lean
    low, high = np.quantile(residual, (TAIL, 1.0 - TAIL))
    return Calibration(
        platt=platt,
        gain=gain,
        residual_low=float(low),
        residual_high=float(high),
        residual_sigma=float(residual.std()),
        rows=len(margins),
        base_rate=float((forward_return > 0).mean()),
    )


def _log_odds(fraction: float, rows: int) -> float:
    """Return the log-odds of a frequency, kept half a row away from 0 and 1."""
    edge = 0.5 / rows
    clipped = min(max(fraction, edge), 1.0 - edge) if rows > 1 else 0.5
    return float(np.log(clipped / (1.0 - clipped)))

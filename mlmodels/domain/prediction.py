"""What a model says about one symbol at one candle close."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from statistics import NormalDist
from typing import Any

# The interval [lower, upper] leaves this much on either side.
TAIL = 0.05
# In usual distances to the nearest past case. Two years of hours after a training of BTC, ETH and
# SOL go beyond it at less than 1 close in 1,000; a fifth of the columns gone wild at nearly all.
MAX_DISSIMILARITY = 2.0
_NORMAL = NormalDist()


class PredictionState(StrEnum):
    """Whether the numbers may be acted on; only OK may."""

    OK = "OK"
    # The model, or the model on this symbol, showed no skill on data it had not seen.
    NO_SKILL = "NO_SKILL"
    NO_MODEL = "NO_MODEL"
    TOO_FEW_CANDLES = "TOO_FEW_CANDLES"


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionView:
    """A prediction as other rooms see it. Numbers are None when there is no prediction.

    Attributes:
        instrument_id: Whose.
        state: Only OK may be acted on.
        prediction_id: The row in ``model_predictions``.
        model_version_id: The version that predicted.
        model_name: Its recipe and scope.
        horizon_bars: How many candles ahead.
        p_up: P(return over the horizon > 0), calibrated.
        expected_return: Mean return over the horizon, fraction, before costs.
        lower: The return is below this with 5 %.
        upper: The return is above this with 5 %.
        sigma: Standard deviation of the return over the horizon, fraction.
        dissimilarity: Distance of the features to the nearest past case over the usual one.
        factor_weights: Of the technical factors beside the model, fitted with it; None: not fitted.
        interval_scale: How much wider than trained the interval is; None: it was not recorded.
    """

    instrument_id: int
    state: PredictionState
    prediction_id: int | None = None
    model_version_id: int | None = None
    model_name: str = ""
    horizon_bars: int | None = None
    p_up: float | None = None
    expected_return: float | None = None
    lower: float | None = None
    upper: float | None = None
    sigma: float | None = None
    dissimilarity: float | None = None
    interval_scale: float | None = None
    factor_weights: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        if self.p_up is not None and not 0.0 <= self.p_up <= 1.0:
            raise ValueError(f"p_up must be from 0 to 1, was {self.p_up}")

    @property
    def is_unfamiliar(self) -> bool:
        """Whether nothing like this close was in the training: the model cannot know."""
        return self.dissimilarity is not None and self.dissimilarity > MAX_DISSIMILARITY

    def p_net(self, cost: float) -> float:
        """Return P(return over the horizon > `cost`); a negative cost asks for a short's chance.

        Args:
            cost: Round trip, fraction (0.002 is 20 bps).

        Raises:
            ValueError: This view carries no numbers.
        """
        if self.p_up is None or self.lower is None or self.upper is None:
            raise ValueError(f"p_net needs a prediction, state was {self.state}")
        return probability_above(cost, p_up=self.p_up, lower=self.lower, upper=self.upper)

    def to_message(self) -> dict[str, Any]:
        """Return a dict that JSON can carry."""
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**plain, "state": self.state.value}

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> "PredictionView":
        """Read what ``to_message`` wrote.

        Raises:
            ValueError: The state is unknown.
            TypeError: A field is missing or unknown.
        """
        return cls(**{**message, "state": PredictionState(message["state"])})


def probability_above(threshold: float, *, p_up: float, lower: float, upper: float) -> float:
    """Return P(return > threshold) of the distribution that `p_up` and the interval describe.

    Three points of the distribution are known: 5 % at `lower`, 1 - p_up at zero, 95 % at `upper`.
    Between and beyond them its normal score is taken as linear, so that fat tails and a skewed
    middle survive. A `p_up` that contradicts the interval is left out: the wider view is the safer.
    """
    if upper <= lower:
        # A market that did not move: the return is the one point.
        return p_up if threshold == 0 else float(lower > threshold)
    points = [(lower, _NORMAL.inv_cdf(TAIL)), (upper, _NORMAL.inv_cdf(1 - TAIL))]
    down = 1.0 - min(max(p_up, 1e-9), 1 - 1e-9)
    if lower < 0.0 < upper and TAIL < down < 1 - TAIL:
        points.insert(1, (0.0, _NORMAL.inv_cdf(down)))
    index = 0 if threshold <= points[1][0] else len(points) - 2
    (left, low_score), (right, high_score) = points[index : index + 2]
    score = low_score + (threshold - left) * (high_score - low_score) / (right - left)
    return 1.0 - _NORMAL.cdf(score)

"""What a prediction is worth after costs, and which chance of a net gain is enough."""

import math
from dataclasses import dataclass

from execution.domain.decision import ConfidenceMode, Market, StrategyConfig
from execution.domain.factors import Factor, pool_log_odds
from mlmodels.domain.prediction import PredictionState, PredictionView

_BPS = 10_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Odds:
    """What the prediction is worth after costs.

    Attributes:
        confidence: P(return over the horizon > costs), moved by the factors.
        needed: Confidence that the strategy's rule asks for; may be above 1: never.
        net_return: Expected return less costs, fraction.
        sigma: Standard deviation of that return, fraction.
    """

    confidence: float
    needed: float
    net_return: float
    sigma: float

    @property
    def edge_bps(self) -> float:
        return self.net_return * _BPS


def break_even_confidence(*, cost: float, barrier: float) -> float:
    """Return the chance of a symmetric trade that just pays its costs: 0.5 + c / 2b.

    Args:
        cost: Round trip, fraction.
        barrier: Distance to win or lose, fraction above 0.
    """
    if barrier <= 0.0:
        raise ValueError(f"barrier must be above 0, was {barrier}")
    return min(1.0, 0.5 + cost / (2.0 * barrier))


def needed_confidence(config: StrategyConfig, sigma: float) -> float:
    """Return the chance of a net gain that the strategy's rule asks for; above 1: never.

    Args:
        config: The rules.
        sigma: Standard deviation of the return over the horizon, a fraction; what a symmetric
            trade would win or lose.
    """
    if config.confidence_mode is ConfidenceMode.ABSOLUTE:
        return config.min_confidence
    if sigma <= 0.0:
        return math.inf
    return break_even_confidence(cost=config.cost, barrier=sigma) + config.confidence_margin


def judge(prediction: PredictionView, market: Market, config: StrategyConfig) -> Odds | None:
    """Return the odds after costs; None: there is no prediction, or its numbers are none."""
    mean, sigma = prediction.expected_return, prediction.sigma
    lower, upper, p_up = prediction.lower, prediction.upper, prediction.p_up
    numbers = (mean, sigma, lower, upper, p_up)
    if (
        mean is None
        or sigma is None
        or not all(n is not None and math.isfinite(n) for n in numbers)
    ):
        return None
    # A model without skill has no weight: its opinion is worth a coin's.
    is_believed = prediction.state is PredictionState.OK
    opinion = prediction.p_net(config.cost) if is_believed else 0.5
    confidence = pool_log_odds(opinion, market.factors)
    return Odds(
        confidence=confidence,
        needed=needed_confidence(config, sigma),
        net_return=mean - config.cost,
        sigma=sigma,
    )


def model_factor(
    prediction: PredictionView, odds: Odds | None, config: StrategyConfig
) -> tuple[Factor, ...]:
    """Return the prediction as a factor, weight 0 unless it may be acted on."""
    if odds is None:
        return ()
    p_net = prediction.p_net(config.cost)
    detail = {
        "p_net": p_net,
        "expected_return": odds.net_return + config.cost,
        "sigma": odds.sigma,
        "cost": config.cost,
    }
    if prediction.dissimilarity is not None:
        detail["dissimilarity"] = prediction.dissimilarity
    if odds.sigma > 0:
        detail["break_even"] = break_even_confidence(cost=config.cost, barrier=odds.sigma)
        detail["needed"] = odds.needed
    weight = 1.0 if prediction.state is PredictionState.OK else 0.0
    score = min(max(2.0 * p_net - 1.0, -1.0), 1.0)
    return (Factor(name="model", score=score, weight=weight, detail=detail),)

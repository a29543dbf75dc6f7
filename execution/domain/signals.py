"""Technical scores as factors of a decision, with the weights that they have earned."""

from collections.abc import Mapping
from dataclasses import replace

from execution.domain.factors import Factor
from markets.domain.technicals import DIRECTIONS, SCORE_BARS, technical_scores
from markets.domain.windows import Window

# A lone indicator has shown little: at most 2.5 percentage points each around 50 %. Agreement
# repeats much of trend and momentum, so that the three together are worth little more than two.
USUAL_WEIGHTS: Mapping[str, float] = {
    "trend": 0.1,
    "momentum": 0.1,
    "mean_reversion": 0.05,
    "agreement": 0.05,
}


def technical_factors(window: Window, *, interval_ms: int) -> tuple[Factor, ...]:
    """Return the factors at the newest candle, with the usual weights.

    Args:
        window: Closed candles, ascending; the last `SCORE_BARS` of them matter.
        interval_ms: Their length.

    Returns:
        One per score, in their order; weight 0 where nothing was measured or no direction is said.
    """
    newest = window.tail(SCORE_BARS)
    scores = technical_scores(newest.open_time_ms, newest.close, interval_ms=interval_ms)
    return tuple(
        Factor(
            name=score.name,
            score=score.score,
            weight=USUAL_WEIGHTS.get(score.name, 0.0) if score.is_measured else 0.0,
            detail=score.detail,
        )
        for score in scores
    )


def weigh(factors: tuple[Factor, ...], weights: Mapping[str, float] | None) -> tuple[Factor, ...]:
    """Return the factors with the weights that were fitted with the model; None: the usual ones.

    What was not measured, or says no direction, stays without weight.
    """
    if weights is None:
        return factors
    return tuple(
        replace(factor, weight=weights.get(factor.name, 0.0) if factor.weight > 0.0 else 0.0)
        for factor in factors
    )


def most_pull(weights: Mapping[str, float] | None) -> float:
    """Return the log-odds by which the technical factors can move a decision at most."""
    given = USUAL_WEIGHTS if weights is None else weights
    return sum(given.get(name, 0.0) for name in DIRECTIONS)

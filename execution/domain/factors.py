"""What speaks for or against a trade, one number each."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sentiment.domain.view import SentimentView


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One opinion on the next return, stored with the decision.

    Attributes:
        name: What it measures.
        score: -1 (falls) to 1 (rises); 0 also when it could not be measured.
        weight: Log-odds that a score of 1 adds to the decision, 0 or more.
        detail: The measured numbers behind the score, float64.
    """

    name: str
    score: float
    weight: float
    detail: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not -1.0 <= self.score <= 1.0:
            raise ValueError(f"score of {self.name} must be -1 to 1, was {self.score}")
        if not (math.isfinite(self.weight) and self.weight >= 0.0):
            raise ValueError(f"weight of {self.name} must be 0 or more, was {self.weight}")

    def to_json(self) -> dict[str, Any]:
        """Return the stored form; numbers that are none (NaN, infinite) are null."""
        return {
            "name": self.name,
            "score": self.score,
            "weight": self.weight,
            "detail": {
                key: number if math.isfinite(number) else None
                for key, number in self.detail.items()
            },
        }


def sentiment_factor(view: SentimentView | None) -> Factor | None:
    """Return the sentiment for the record. Weight 0: it has not shown skill yet."""
    if view is None:
        return None
    return Factor(
        name="sentiment",
        score=min(max(float(view.score), -1.0), 1.0),
        weight=0.0,
        detail={"confidence": float(view.confidence), "mentions": float(view.mentions)},
    )


def pool_log_odds(probability: float, factors: tuple[Factor, ...]) -> float:
    """Return `probability` moved by the factors' weighted scores in log-odds.

    Log-odds add up for independent evidence; the weights are small, so that indicators nudge a
    model and cannot overrule it. Source: Genest and Zidek 1986, "Combining Probability
    Distributions", logarithmic pooling.
    """
    bounded = min(max(probability, 1e-6), 1.0 - 1e-6)
    log_odds = math.log(bounded / (1.0 - bounded))
    log_odds += sum(factor.weight * factor.score for factor in factors)
    return 1.0 / (1.0 + math.exp(-log_odds))

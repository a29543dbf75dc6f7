"""What a search may choose: columns, label, model and decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mlmodels.domain.label_spec import LabelKind, LabelSpec


class Asker(Protocol):
    """Answers with one of what is offered; ``optuna.Trial`` is one."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any: ...
    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float: ...
    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int: ...


# The sides that a meta-label may stand on; none first.
PRIMARIES = ("", "ema_cross_24")
# As ``feature_parameters``; "settings" keeps those of the operator.
FEATURES: Mapping[str, Mapping[str, Any] | None] = {
    "settings": None,
    "default": {},
    "lean": {
        "has_defaults": False,
        "features": [
            "return",
            "taker",
            "rsi",
            "place",
            "volume_ratio",
            "straightness",
            *PRIMARIES[1:],
        ],
        "indicator_periods_candles": [6, 24],
    },
    "shifted": {"features": ["return_1", "taker_1"], "include_shifted_candles": 6},
}
RECIPES = ("ensemble", "xgboost", "logistic", "lightgbm", "hist")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One configuration.

    Attributes:
        features: A key of `FEATURES`.
        label: What is learned.
        half_life_bars: After so many candles a row weighs half; None: all weigh the same.
        recipe: Which trainers.
        figures: What is turned in them.
        min_confidence: P(net gain) from which on it would act.
        min_edge_bps: Expected return net of costs from which on it would act.
    """

    features: str
    label: LabelSpec
    half_life_bars: int | None
    recipe: str
    figures: Mapping[str, float]
    min_confidence: float
    min_edge_bps: float

    def to_json(self) -> dict[str, Any]:
        return {
            "features": self.features,
            "label": self.label.to_json(),
            "half_life_bars": self.half_life_bars,
            "recipe": self.recipe,
            "figures": dict(self.figures),
            "min_confidence": self.min_confidence,
            "min_edge_bps": self.min_edge_bps,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Choice":
        return cls(**{**data, "label": LabelSpec.from_json(data["label"])})


def choose(ask: Asker, *, recipes: Sequence[str] = RECIPES, horizons: Sequence[int]) -> Choice:
    """Ask for one configuration.

    Args:
        ask: Who chooses.
        recipes: Of which trainers.
        horizons: Candles ahead to choose from.
    """
    kind = LabelKind(
        ask.suggest_categorical("label", [LabelKind.FORWARD.value, LabelKind.BARRIER.value])
    )
    label = LabelSpec(
        kind=kind,
        horizon_bars=int(ask.suggest_categorical("horizon_bars", list(horizons))),
        width=ask.suggest_float("width", 0.5, 2.0) if kind is LabelKind.BARRIER else 1.0,
        primary=ask.suggest_categorical("primary", list(PRIMARIES)),
    )
    half_life = ask.suggest_categorical("half_life_bars", [0, 2000, 8000])
    recipe = ask.suggest_categorical("recipe", list(recipes))
    return Choice(
        features=ask.suggest_categorical("features", list(FEATURES)),
        label=label,
        half_life_bars=int(half_life) or None,
        recipe=recipe,
        figures=_figures(ask, recipe),
        min_confidence=ask.suggest_float("min_confidence", 0.5, 0.7),
        min_edge_bps=ask.suggest_float("min_edge_bps", 0.0, 30.0),
    )


def _figures(ask: Asker, recipe: str) -> dict[str, float]:
    """Ask for the figures that the recipe's trainers have."""
    found: dict[str, float] = {}
    if recipe in ("ensemble", "xgboost"):
        found["max_depth"] = ask.suggest_int("max_depth", 2, 4)
        found["min_child_weight"] = ask.suggest_int("min_child_weight", 20, 200, log=True)
        found["lambda"] = ask.suggest_float("lambda", 1.0, 100.0, log=True)
    if recipe in ("ensemble", "logistic"):
        found["inverse_ridge"] = ask.suggest_float("inverse_ridge", 0.0005, 0.1, log=True)
    if recipe in ("lightgbm", "hist"):
        found["learning_rate"] = ask.suggest_float("learning_rate", 0.01, 0.06, log=True)
    return found

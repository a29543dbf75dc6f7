"""What most trainers have in common: they see what the settings say, and have figures to turn."""

from collections.abc import Mapping
from typing import Any

from mlmodels.ports import Features


class PlainModel:
    """A model whose contributions say all there is to say of it."""

    def insight(self, features: Features) -> dict[str, Any]:
        del features
        return {}


class PlainTrainer:
    """A trainer that may serve from the first training on.

    Attributes:
        DEFAULTS: The figures that a search may turn.
    """

    DEFAULTS: Mapping[str, Any] = {}
    must_challenge = False
    columns: Mapping[str, Any] = {}

    def __init__(self, changes: Mapping[str, Any] | None = None) -> None:
        """Change some figures; one that this trainer has not belongs to another of the recipe."""
        known = {key: value for key, value in (changes or {}).items() if key in self.DEFAULTS}
        self.parameters: dict[str, Any] = {**self.DEFAULTS, **known}

    def figures(self) -> dict[str, Any]:
        return dict(self.parameters)

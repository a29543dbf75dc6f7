"""What a decision was given besides prediction and candles, in the form in which rows keep it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from execution.domain.decision import ConfidenceMode, PositionView, StrategyConfig
from risk.domain.trading_state import Level, StateView


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionInputs:
    """What was held, by which rules, and how the kill switch stood: all of one moment.

    Attributes:
        weights: Of the technical factors, as they came with the model; None: the usual ones.
    """

    position: PositionView
    config: StrategyConfig
    state: StateView
    weights: Mapping[str, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON: money and times as text."""
        return {
            "position": _write(self.position),
            "config": _write(self.config),
            "state": _write(self.state),
            "weights": None if self.weights is None else dict(self.weights),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "DecisionInputs | None":
        """Return what ``to_json`` wrote; None for rows of another time, which kept less."""
        try:
            state, rules = data["state"], dict(data["config"])
            # Absent in rows from before there was a choice.
            mode = ConfidenceMode(rules.pop("confidence_mode", ConfidenceMode.ABSOLUTE))
            return cls(
                position=PositionView(**_read(data["position"], datetime.fromisoformat)),
                config=StrategyConfig(confidence_mode=mode, **_read(rules, Decimal)),
                state=StateView(**{**state, "level": Level(state["level"])}),
                weights=data.get("weights"),
            )
        except (KeyError, TypeError, ValueError):
            return None


def _write(part: PositionView | StrategyConfig | StateView) -> dict[str, Any]:
    """Return a part's fields; ``asdict`` would copy every number deeply, at each close."""
    return {each.name: _plain(getattr(part, each.name)) for each in fields(part)}


def _read(part: Mapping[str, Any], parse: Callable[[str], Any]) -> dict[str, Any]:
    """Return fields with their texts parsed; all texts of one part are of one kind."""
    return {name: parse(value) if isinstance(value, str) else value for name, value in part.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return f"{value:f}" if isinstance(value, Decimal) else value

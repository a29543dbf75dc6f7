"""Which label a model was trained on; the labels themselves are in ``labels.py``."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class LabelKind(StrEnum):
    """What ends a label."""

    # The horizon.
    FORWARD = "FORWARD"
    # A barrier `width` horizon sigmas above or below, else the horizon.
    BARRIER = "BARRIER"
    # The strategy's own take profit and stop loss, else the horizon.
    EXITS = "EXITS"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSpec:
    """Which label.

    Attributes:
        kind: What ends it.
        horizon_bars: Candles ahead at most.
        width: BARRIER: distance in sigmas of the horizon, known at the close.
        take_profit: EXITS: fraction above the close.
        stop_loss: EXITS: fraction below the close.
        primary: A column whose sign is the side of a rule of thumb, such as ``ema_cross_24``;
            learned is then whether that rule is right (meta-label). Empty: whether the price rises.
    """

    kind: LabelKind = LabelKind.FORWARD
    horizon_bars: int
    width: float = 1.0
    take_profit: float = 0.05
    stop_loss: float = 0.02
    primary: str = ""

    def __post_init__(self) -> None:
        if self.horizon_bars <= 0:
            raise ValueError(f"horizon_bars must be above 0, was {self.horizon_bars}")
        for name in ("width", "take_profit", "stop_loss"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, was {getattr(self, name)}")

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "kind": self.kind.value,
            "horizon_bars": self.horizon_bars,
            "width": self.width,
            "take_profit": self.take_profit,
            "stop_loss": self.stop_loss,
        }
        # Labels of models from before there were primaries stay equal to those of today.
        return {**found, "primary": self.primary} if self.primary else found

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "LabelSpec":
        return cls(**{**data, "kind": LabelKind(data["kind"])})

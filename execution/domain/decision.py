"""What a strategy can decide."""

from enum import StrEnum


class Action(StrEnum):
    """What to do with a symbol until the next candle."""

    ENTER = "ENTER"
    EXIT = "EXIT"
    HOLD = "HOLD"

"""The kill switch: its levels, and what each still lets through."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How far trading is shut, in rising order. Compares by that order, not by spelling."""

    ACTIVE = "ACTIVE"
    REDUCE_ONLY = "REDUCE_ONLY"
    HALT = "HALT"
    CANCEL = "CANCEL"
    FLATTEN = "FLATTEN"

    @property
    def rank(self) -> int:
        """Position in the order, ACTIVE is 0."""
        return _RANKS[self.value]

    # A StrEnum would compare alphabetically: CANCEL < HALT.
    def __lt__(self, other: str) -> bool:
        return self.rank < Level(other).rank

    def __le__(self, other: str) -> bool:
        return self.rank <= Level(other).rank

    def __gt__(self, other: str) -> bool:
        return self.rank > Level(other).rank

    def __ge__(self, other: str) -> bool:
        return self.rank >= Level(other).rank


_RANKS = {level.value: rank for rank, level in enumerate(Level)}


class Purpose(StrEnum):
    """What an order is for, as far as the kill switch cares."""

    ENTRY = "ENTRY"  # may increase exposure; every order that is not one of the others
    EXIT = "EXIT"  # reduces a position now
    PROTECT = "PROTECT"  # stop-loss and take-profit of a position


# What passes at each level. PROTECT survives up to CANCEL: an entry that filled in the moment of
# the kill must not stay naked. In FLATTEN market exits replace the protective orders.
PERMITTED: dict[Level, frozenset[Purpose]] = {
    Level.ACTIVE: frozenset(Purpose),
    Level.REDUCE_ONLY: frozenset({Purpose.EXIT, Purpose.PROTECT}),
    Level.HALT: frozenset({Purpose.PROTECT}),
    Level.CANCEL: frozenset({Purpose.PROTECT}),
    Level.FLATTEN: frozenset({Purpose.EXIT}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StateView:
    """The kill switch as one transaction read it.

    Attributes:
        level: The present level.
        epoch: Counts every change; an order approved under another epoch must not be sent.
        is_running: Whether strategies may open positions.
    """

    level: Level
    epoch: int
    is_running: bool

    def permits(self, purpose: Purpose, *, is_manual: bool = False) -> bool:
        """Tell whether the level lets an order of this purpose through.

        A person may still reduce a position by hand at HALT and CANCEL: these levels stop the
        machine, not its owner.
        """
        if is_manual and purpose is Purpose.EXIT:
            return True
        return purpose in PERMITTED[self.level]


# What is assumed when the row cannot be found: nothing is sent.
CLOSED = StateView(level=Level.HALT, epoch=-1, is_running=False)

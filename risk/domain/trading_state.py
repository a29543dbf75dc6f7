"""The kill switch: its levels, and what each still lets through."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from core.errors import InvalidInput

GLOBAL = "GLOBAL"


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


class ScopeKind(StrEnum):
    """What a kill switch of its own may be for, beside everything."""

    ACCOUNT = "account"
    STRATEGY = "strategy"
    MODEL = "model"
    SYMBOL = "symbol"


def scope_of(kind: ScopeKind, name: str) -> str:
    """Return the name of a scope, such as ``symbol:BTCUSDT``."""
    return f"{kind.value}:{name}"


def parse_scope(text: str) -> str:
    """Return a scope that a person typed.

    Raises:
        InvalidInput: It is neither GLOBAL nor ``kind:name`` of a known kind.
    """
    kind, _, name = text.strip().partition(":")
    if kind.upper() == GLOBAL and not name:
        return GLOBAL
    if kind.lower() in {item.value for item in ScopeKind} and name.strip():
        name = name.strip()
        is_symbol = kind.lower() == ScopeKind.SYMBOL.value
        return scope_of(ScopeKind(kind.lower()), name.upper() if is_symbol else name)
    kinds = ", ".join(f"{item.value}:NAME" for item in ScopeKind)
    raise InvalidInput(f"scope must be GLOBAL or {kinds}, was {text!r}", field="scope", value=text)


# What is assumed when the row cannot be found: nothing is sent.
CLOSED = StateView(level=Level.HALT, epoch=-1, is_running=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTable:
    """Every kill switch as one transaction read them: the global one and those of scopes."""

    views: Mapping[str, StateView]

    def of(self, scopes: Iterable[str] = ()) -> StateView:
        """Return what applies to something with these scopes: the highest of its levels.

        The epoch is the sum of the scopes' epochs. Each of them only rises, so the sum of the
        same scopes is the same again only when none of them has changed.
        """
        everything = self.views.get(GLOBAL)
        if everything is None:
            return CLOSED
        own = [self.views[name] for name in {*scopes} if name in self.views and name != GLOBAL]
        return StateView(
            level=max([everything.level, *(view.level for view in own)], key=lambda it: it.rank),
            epoch=everything.epoch + sum(view.epoch for view in own),
            is_running=everything.is_running,
        )

    def raised(self, least: Level) -> dict[str, StateView]:
        """Return the scopes whose own level is `least` or above, the global one first."""
        names = sorted(self.views, key=lambda name: (name != GLOBAL, name))
        return {name: self.views[name] for name in names if self.views[name].level >= least}

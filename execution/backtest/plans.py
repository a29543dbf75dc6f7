"""What a strategy tells the engine: where it must be asked, and what it answers.

A plan is made once per symbol, for all candles in bulk. A code of `ASK` at a candle means that the
strategy must be asked there with everything it wants to know; any other code is the reason why
nothing happens, known beforehand. So the engine visits only the candles that matter, and what it
does there is what the live code does.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

import numpy as np
import numpy.typing as npt

from execution.backtest.series import Series
from execution.domain.decision import Action, PositionView, Reason
from execution.domain.protection import ProtectionTerms
from risk.domain.trading_state import StateView

Codes = npt.NDArray[np.uint8]

ASK = 0
# What a code stands for; the live reasons, and one of strategies that are a rule.
NO_SIGNAL, SIGNAL = "NO_SIGNAL", "SIGNAL"
REASONS: tuple[str, ...] = ("ASK", *(reason.value for reason in Reason), NO_SIGNAL, SIGNAL)
CODE_OF: dict[str, int] = {name: code for code, name in enumerate(REASONS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A strategy's answer at one close.

    Attributes:
        action: What to do.
        reason: The one that closed the matter.
        notional: Quote units to enter with; 0 unless ENTER.
        confidence: P(net gain), where the strategy has one.
        edge_bps: Expected return net of costs, where the strategy has one.
        exit_fraction: Share of what is held that an EXIT sells.
    """

    action: Action
    reason: str
    notional: Decimal = Decimal(0)
    confidence: float | None = None
    edge_bps: float | None = None
    exit_fraction: Decimal = Decimal(1)


class Plan(Protocol):
    """A strategy on one symbol."""

    @property
    def flat(self) -> Codes:
        """Per candle, while nothing is held: `ASK` or the code of the reason; shape (n,)."""

    @property
    def held(self) -> Codes:
        """The same while this strategy holds a position."""

    @property
    def cooldown_ms(self) -> int:
        """For how long after a round trip its own reason counts before those of `flat`."""

    @property
    def longest_ms(self) -> int | None:
        """After how long a position is asked about whatever `held` says; None: never."""

    @property
    def protection(self) -> ProtectionTerms:
        """How its positions are protected."""

    @property
    def is_scaled(self) -> bool:
        """Whether positions are entered or left in parts."""

    def ask(self, row: int, *, position: PositionView, state: StateView, now: datetime) -> Call:
        """Answer at the close of candle `row`."""


class Strategy(Protocol):
    """Makes plans; the same strategy may trade several symbols."""

    @property
    def name(self) -> str:
        """As it appears in the report."""

    def plan(self, series: Series) -> Plan:
        """Look at all candles of a symbol in bulk, none of them ahead of its time."""


def next_asks(codes: Codes) -> npt.NDArray[np.int64]:
    """Return for each candle the first one from it on with `ASK`; n where there is none.

    Returns:
        shape (n + 1,)
    """
    count = codes.shape[0]
    places = np.append(np.where(codes == ASK, np.arange(count), count), count)
    return np.minimum.accumulate(places[::-1])[::-1]

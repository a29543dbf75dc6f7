"""What a replay found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One round trip, flat to flat.

    Attributes:
        quantity: Base units bought.
        entry_price: Mean price paid, quote.
        exit_price: Mean price got.
        pnl: Quote, net of all fees.
        fees: Quote, valued at the time.
        entry_reason: Why it was entered.
        exit_reason: What closed it: a decision's reason, STOP_LOSS, TAKE_PROFIT or END_OF_DATA.
        screen_pnl: What it would have earned at the prices on the screen, without any costs.
        bars: Candles from entry to exit.
    """

    symbol: str
    strategy: str
    opened_ms: int
    closed_ms: int
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal
    pnl: Decimal
    fees: Decimal
    entry_reason: str
    exit_reason: str
    screen_pnl: Decimal
    bars: int

    @property
    def notional(self) -> Decimal:
        """What was paid for it, fees not counted."""
        return self.quantity * self.entry_price

    @property
    def net_return(self) -> float:
        """Profit over what was paid, fraction."""
        return float(self.pnl / self.notional)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One close at which a strategy was asked."""

    symbol: str
    strategy: str
    close_ms: int
    action: str
    reason: str
    confidence: float | None
    edge_bps: float | None
    notional: Decimal
    denial: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that a report is made of.

    Attributes:
        timeline: Closes from the start on, ascending, milliseconds.
        equity: Cash and positions at market at each of them, quote units, float64.
        exposure: Share of the equity that was in the market, fraction.
        start_cash: Quote units, before the first close.
        end_equity: Exact, after the last close.
        trades: Round trips in order of their end.
        reasons: Per strategy, how often each reason closed the matter; candles times symbols.
        denials: How often the gate refused, by the first reason.
        asked: The closes at which a strategy was asked, in order.
        executions: Trades at the simulated exchange.
        turnover: Quote units that changed hands, both ways.
        expired: Market orders that found too little volume to fill whole.
        rejected: Orders that cost more than there was.
        written_off: Entries that filled so little that it could not be sold again.
    """

    timeline: Times
    equity: Floats
    exposure: Floats
    start_cash: Decimal
    end_equity: Decimal
    trades: tuple[Trade, ...]
    reasons: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    denials: Mapping[str, int] = field(default_factory=dict)
    asked: tuple[Asked, ...] = ()
    executions: int = 0
    turnover: Decimal = Decimal(0)
    expired: int = 0
    rejected: int = 0
    written_off: int = 0

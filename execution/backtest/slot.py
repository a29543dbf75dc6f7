"""One symbol while it is replayed: what is held, what is on its way, where to look next."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from execution.backtest.plans import Plan, next_asks
from execution.backtest.series import Series
from execution.domain.order import OrderType, Side, TimeInForce
from execution.domain.position import PositionState
from risk.domain.trading_state import Purpose

if TYPE_CHECKING:
    from execution.domain.protection import ProtectionPlan

NEVER = 1 << 62
_CHUNK = 64
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketWish:
    """A market order that somebody wants; ``execution.domain.proposal.Wanted``."""

    intent_key: str
    instrument_id: int
    side: Side
    quantity: Decimal
    is_reduce_only: bool
    strategy_id: int
    type: OrderType = OrderType.MARKET
    price: None = None
    stop_price: None = None
    leg_limit_price: None = None
    trailing_delta_bps: None = None
    time_in_force: TimeInForce | None = None
    bracket: None = None
    decision_id: int | None = None

    @property
    def purpose(self) -> Purpose:
        """What it is for."""
        return Purpose.EXIT if self.is_reduce_only else Purpose.ENTRY


@dataclass(slots=True, kw_only=True)
class Pending:
    """A market order on its way to the exchange, or still looking for volume.

    Attributes:
        arrival_ms: When the exchange has it.
        left: Base units not filled yet.
        reserved: Quote units promised to it.
    """

    side: Side
    reason: str
    owner: int
    arrival_ms: int
    left: Decimal
    reserved: Decimal = _ZERO


@dataclass(slots=True, kw_only=True, eq=False)
class Guard:
    """Stop and target of a part of the position.

    Attributes:
        best_price: Since a trailing stop was placed; what it follows.
    """

    plan: "ProtectionPlan"
    best_price: Decimal = _ZERO

    @property
    def stop(self) -> float:
        """The stop's trigger."""
        return float(self.plan.stop_price)

    @property
    def target(self) -> float:
        """The target's price; infinite without one."""
        price = self.plan.take_profit_price
        return float("inf") if price is None else float(price)


@dataclass(slots=True, kw_only=True)
class RoundTrip:
    """The open position's story, for its trade."""

    owner: int
    opened_ms: int
    opened_row: int
    entry_reason: str
    entries: int = 0
    exits: int = 0
    last_entry_price: Decimal = _ZERO
    screen_bought: Decimal = _ZERO
    screen_sold: Decimal = _ZERO


class Slot:
    """The state of one symbol."""

    def __init__(self, *, index: int, series: Series, plans: Sequence[Plan], begin_row: int):
        self.index = index
        self.series = series
        self.plans = tuple(plans)
        self.close_ms = series.close_ms
        self.position = PositionState()
        self.trip: RoundTrip | None = None
        self.guards: list[Guard] = []  # one for each part, the oldest first
        self.pending: Pending | None = None
        self.last_closed_ms: int | None = None
        self.attempts = 0
        self.waits: list[tuple[int, int]] = []  # rows at whose close an order was under way
        self.first_row = begin_row
        self.row = begin_row - 1
        self._next_flat = [next_asks(plan.flat) for plan in plans]
        self._next_held = [next_asks(plan.held) for plan in plans]

    @property
    def guarded_quantity(self) -> Decimal:
        """Base units that stops and targets would sell."""
        return sum((guard.plan.quantity for guard in self.guards), _ZERO)

    def drop_guards(self) -> None:
        """Cancel every stop and target."""
        self.guards = []

    @property
    def next_close_ms(self) -> int:
        """Close of the next candle to look at; `NEVER` after the last."""
        return int(self.close_ms[self.row]) if self.row < len(self.series) else NEVER

    def advance(self) -> None:
        """Go to the next candle at which something can happen."""
        start = self.row + 1
        if self.pending is not None:
            arrival = int(self.close_ms.searchsorted(self.pending.arrival_ms, side="right"))
            self.row = max(start, arrival)
            self.waits.append((start, self.row))
        elif self.trip is None:
            self.row = min(int(asks[start]) for asks in self._next_flat)
        else:
            self.row = self._next_of_held(start, self.trip)

    def is_due(self, owner: int) -> bool:
        """Tell whether the holder of the position wants to be asked at this candle."""
        if self._next_held[owner][self.row] == self.row:
            return True
        longest = self.plans[owner].longest_ms
        return (
            longest is not None
            and self.trip is not None
            and int(self.close_ms[self.row]) - self.trip.opened_ms >= longest
        )

    def _next_of_held(self, start: int, trip: RoundTrip) -> int:
        end = int(self._next_held[trip.owner][start])
        longest = self.plans[trip.owner].longest_ms
        if longest is not None:
            overdue = int(self.close_ms.searchsorted(trip.opened_ms + longest))
            end = min(end, max(start, overdue))
        if not self.guards:
            return end
        if any(guard.plan.trailing_delta_bps is not None for guard in self.guards):
            return start  # a stop that moves must be looked at in every candle
        candles = self.series.candles
        return first_hit(
            candles.low,
            candles.high,
            stop=max(guard.stop for guard in self.guards),
            target=min(guard.target for guard in self.guards),
            start=start,
            end=end,
        )


def first_hit(
    low: npt.NDArray[np.float64],
    high: npt.NDArray[np.float64],
    *,
    stop: float,
    target: float,
    start: int,
    end: int,
) -> int:
    """Return the first candle in start..end that touches stop or target; `end` if none does."""
    size = _CHUNK
    while start < end:
        last = min(start + size, end)
        hits = (low[start:last] <= stop) | (high[start:last] >= target)
        place = int(hits.argmax())
        if hits[place]:
            return start + place
        start, size = last, size * 4
    return end

"""Counting an account again from its ledger alone: balances, round trips and their profit.

The rows of the ledger never change, so whoever walks through them in the order in which they
were booked comes to the same figures as the system did: nothing here reads a projection.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from execution.domain.fifo import fifo
from execution.domain.fill import Execution
from execution.domain.order import Side
from execution.domain.position import PositionState, apply_execution
from risk.domain.metrics import Worth

_ZERO = Decimal(0)
_GRID = Decimal("1e-18")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One change of one asset; `fill_id` is None for deposits, withdrawals and the opening."""

    entry_id: int
    asset: str
    change: Decimal
    kind: str
    fill_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedFill:
    """One trade as the books keep it.

    Attributes:
        trip_id: The round trip that it was booked to; None: to none.
        is_external: Somebody else's: only what it took from the round trip counts.
    """

    fill_id: int
    trip_id: int | None
    instrument_id: int
    base_asset: str
    quote_asset: str
    execution: Execution
    is_external: bool


@dataclass(slots=True, kw_only=True)
class RoundTrip:
    """What the fills of one round trip make."""

    trip_id: int
    instrument_id: int
    base_asset: str
    quote_asset: str
    state: PositionState
    carried: PositionState
    is_carried_on: bool = False
    executions: list[Execution] = field(default_factory=list)

    @property
    def disagreement(self) -> tuple[Decimal, Decimal] | None:
        """Profit less cost by average cost and by FIFO where they differ; when flat, profit."""
        result = fifo(
            self.executions,
            base_asset=self.base_asset,
            quote_asset=self.quote_asset,
            carried_quantity=self.carried.quantity,
            carried_cost_quote=self.carried.cost_quote,
        )
        average = self.state.realized_pnl - self.state.cost_quote
        first = result.realized_pnl - result.cost_quote
        if not result.quantity and not self.state.quantity:
            average, first = self.state.realized_pnl, result.realized_pnl
        return None if average == first else (average, first)


def expected_entries(fill: BookedFill) -> dict[tuple[str, str], Decimal]:
    """Return what a trade must have entered into the ledger, by asset and kind."""
    item = fill.execution
    sign = 1 if item.side is Side.BUY else -1
    entries = {
        (fill.base_asset, "TRADE"): sign * item.quantity,
        (fill.quote_asset, "TRADE"): -sign * item.quote_quantity,
        (item.fee_asset, "FEE"): -item.fee,
    }
    return {key: change for key, change in entries.items() if change}


@dataclass(slots=True, kw_only=True)
class Recount:
    """The account after the ledger rows that were walked through so far.

    Attributes:
        balances: By asset.
        trips: By their id.
        profits: Of each fill, by its id.
        newest: The last round trip of each instrument.
    """

    balances: dict[str, Decimal] = field(default_factory=dict)
    trips: dict[int, RoundTrip] = field(default_factory=dict)
    profits: dict[int, Decimal] = field(default_factory=dict)
    newest: dict[int, RoundTrip] = field(default_factory=dict)

    def enter(self, entries: Iterable[Entry]) -> None:
        """Move the balances."""
        for entry in entries:
            self.balances[entry.asset] = self.balances.get(entry.asset, _ZERO) + entry.change

    def book(self, fill: BookedFill) -> None:
        """Move the round trip of a trade whose entries are in the balances already."""
        self.profits[fill.fill_id] = _ZERO
        if fill.trip_id is None:
            return
        trip = self.trips.get(fill.trip_id) or self._start(fill, fill.trip_id)
        execution = fill.execution
        if fill.is_external:
            taken = trip.state.quantity - self.balances.get(fill.base_asset, _ZERO)
            execution = share_of(execution, min(taken, execution.quantity))
        applied = apply_execution(
            trip.state, execution, base_asset=fill.base_asset, quote_asset=fill.quote_asset
        )
        trip.state = applied.position
        trip.executions.append(execution)
        self.profits[fill.fill_id] = applied.realized_pnl

    def _start(self, fill: BookedFill, trip_id: int) -> RoundTrip:
        """Start a round trip; it carries on what the one before it left unsold."""
        before = self.newest.get(fill.instrument_id)
        carried = PositionState()
        if before is not None and before.state.quantity:
            before.is_carried_on = True
            carried = PositionState(
                quantity=before.state.quantity, cost_quote=before.state.cost_quote
            )
        trip = RoundTrip(
            trip_id=trip_id,
            instrument_id=fill.instrument_id,
            base_asset=fill.base_asset,
            quote_asset=fill.quote_asset,
            state=carried,
            carried=carried,
        )
        self.trips[trip.trip_id] = self.newest[trip.instrument_id] = trip
        return trip

    def value(self, marks: Mapping[int, Decimal], *, quote_asset: str) -> Worth:
        """Return the account at these prices by instrument.

        Raises:
            KeyError: Something is held that has no price in `marks`.
        """
        held = [
            trip for trip in self.trips.values() if trip.state.quantity and not trip.is_carried_on
        ]
        worth = [trip.state.quantity * marks[trip.instrument_id] for trip in held]
        exposure = sum(worth, _ZERO)
        return Worth(
            cash=self.balances.get(quote_asset, _ZERO),
            exposure=exposure,
            unrealized_pnl=exposure - sum((trip.state.cost_quote for trip in held), _ZERO),
            realized_pnl=sum((trip.state.realized_pnl for trip in self.trips.values()), _ZERO),
        )


def share_of(execution: Execution, quantity: Decimal) -> Execution:
    """Return the part of a trade that is `quantity` base units, with its part of money and fee."""
    if quantity == execution.quantity:
        return execution
    fraction = quantity / execution.quantity
    return replace(
        execution,
        quantity=quantity,
        quote_quantity=(execution.quote_quantity * fraction).quantize(_GRID),
        fee=(execution.fee * fraction).quantize(_GRID),
    )


def in_order(
    entries: Sequence[Entry], fills: Mapping[int, BookedFill]
) -> Iterable[tuple[list[Entry], BookedFill | None]]:
    """Yield the ledger in the order it was booked: a trade with all its entries, or one other."""
    group: list[Entry] = []
    for entry in entries:
        if group and entry.fill_id != group[0].fill_id:
            yield group, fills.get(group[0].fill_id) if group[0].fill_id is not None else None
            group = []
        if entry.fill_id is None:
            yield [entry], None
        else:
            group.append(entry)
    if group:
        yield group, fills.get(group[0].fill_id) if group[0].fill_id is not None else None

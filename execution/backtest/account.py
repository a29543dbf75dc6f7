"""The account of a replay: the live position arithmetic, and what the gate is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from core.clock import from_ms
from execution.backtest.costs import Costs
from execution.backtest.outcome import Times, Trade
from execution.backtest.series import exact
from execution.backtest.slot import RoundTrip, Slot
from execution.backtest.worth import Worth
from execution.domain.fill import Execution
from execution.domain.order import Side
from execution.domain.position import PositionState, apply_execution, is_flat
from risk.domain.snapshot import PortfolioSnapshot, SymbolExposure

END_OF_DATA = "END_OF_DATA"
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FillOf:
    """One execution to book.

    Attributes:
        at_ms: When it happened.
        screen: Price on the screen, before spread, slippage and impact.
        reason: Of the entry or exit.
        owner: Which strategy.
    """

    side: Side
    at_ms: int
    price: Decimal
    quantity: Decimal
    screen: Decimal
    reason: str
    owner: int
    is_maker: bool = False


class Account:
    """Cash and round trips of all symbols."""

    def __init__(
        self, *, timeline: Times, slots: Sequence[Slot], setup_cash: Decimal, names: Sequence[str]
    ) -> None:
        self.cash = setup_cash
        self.worth = Worth(
            timeline=timeline, series=[slot.series for slot in slots], cash=setup_cash
        )
        self.trades: list[Trade] = []
        # (series, strategy, first row held at its close, row in which it was sold, sold at ms)
        self.held_spans: list[tuple[int, int, int, int, int]] = []
        self.executions = self.expired = self.rejected = self.written_off = 0
        self.turnover = _ZERO
        self._slots = slots
        self._names = names
        self._opened_at = from_ms(int(timeline[0]))

    def book(self, slot: Slot, fill: FillOf, costs: Costs) -> None:
        """Book one execution of a symbol: cash, position, and the trade when it ends flat."""
        rules = slot.series.rules
        quote = fill.price * fill.quantity
        is_buy = fill.side is Side.BUY
        is_quote_fee = not is_buy or costs.is_fee_in_quote
        fee = costs.fee_of(quote if is_quote_fee else fill.quantity, is_maker=fill.is_maker)
        self.executions += 1
        execution = Execution(
            symbol=rules.symbol,
            trade_id=self.executions,
            venue_order_id=self.executions,
            side=fill.side,
            price=fill.price,
            quantity=fill.quantity,
            quote_quantity=quote,
            fee=fee,
            fee_asset=rules.quote_asset if is_quote_fee else rules.base_asset,
            is_maker=fill.is_maker,
            executed_at=from_ms(fill.at_ms),
        )
        if is_buy and slot.trip is None:
            slot.trip = RoundTrip(
                owner=fill.owner,
                opened_ms=fill.at_ms,
                opened_row=slot.row,
                entry_reason=fill.reason,
            )
            # What an earlier round trip could not sell goes into this one, with its cost.
            carried = slot.position
            slot.position = PositionState(quantity=carried.quantity, cost_quote=carried.cost_quote)
        slot.position = apply_execution(
            slot.position,
            execution,
            base_asset=rules.base_asset,
            quote_asset=rules.quote_asset,
        ).position
        quote_fee = fee if is_quote_fee else _ZERO
        self.cash += -(quote + quote_fee) if is_buy else quote - quote_fee
        self.turnover += quote
        self._follow(slot, fill)
        self.worth.change(
            int(slot.close_ms[slot.row]),
            cash=self.cash,
            index=slot.index,
            quantity=slot.position.quantity,
        )

    def snapshot(self, moment_ms: int) -> PortfolioSnapshot:
        """Return the account as the gate sees it at a close."""
        worth = self.worth
        reserved = _ZERO
        exposures = {}
        for slot in self._slots:
            if slot.pending is not None:
                reserved += slot.pending.reserved
            if slot.trip is not None or slot.pending is not None:
                exposures[slot.series.rules.instrument_id] = self._exposure(slot, moment_ms)
        return PortfolioSnapshot(
            account_id=0,
            as_of=from_ms(moment_ms),
            equity=worth.equity(moment_ms),
            day_start_equity=worth.day_start(moment_ms),
            high_water_mark=worth.high(moment_ms),
            quote_balance=self.cash,
            reserved_quote=reserved,
            exposures=exposures,
            last_reconciled_at=self._opened_at,
        )

    def sell_everything(self, costs: Costs) -> None:
        """Sell what is held at each symbol's last close."""
        for slot in self._slots:
            if slot.trip is None:
                continue
            slot.row = len(slot.series) - 1
            slot.pending = None
            slot.drop_guards()
            rules = slot.series.rules
            screen = exact(slot.series.candles.close[slot.row])
            quantity = rules.quantize_quantity(slot.position.quantity)
            price = costs.market_price(
                side=Side.SELL, reference=screen, tick=rules.tick_size, spread=0.0, share=0.0
            )
            fill = FillOf(
                side=Side.SELL,
                at_ms=int(slot.close_ms[slot.row]),
                price=price,
                quantity=quantity,
                screen=screen,
                reason=END_OF_DATA,
                owner=slot.trip.owner,
            )
            self.book(slot, fill, costs)

    def write_off(self, slot: Slot, at_ms: int) -> None:
        """Give up what is too little to sell; the next round trip carries it on."""
        self.written_off += 1
        slot.trip = slot.pending = None
        slot.drop_guards()
        slot.last_closed_ms = at_ms

    def _exposure(self, slot: Slot, moment_ms: int) -> SymbolExposure:
        rules, pending = slot.series.rules, slot.pending
        mark = self.worth.mark(slot.index, moment_ms)
        is_buying = pending is not None and pending.side is Side.BUY
        left = _ZERO if pending is None else pending.left
        return SymbolExposure(
            instrument_id=rules.instrument_id,
            symbol=rules.symbol,
            position_quantity=slot.position.quantity if slot.trip is not None else _ZERO,
            mark_price=mark,
            pending_buy_quantity=left if is_buying else _ZERO,
            pending_buy_notional=left * mark if is_buying else _ZERO,
            pending_exit_quantity=_ZERO if is_buying else left,
            protective_quantity=slot.guarded_quantity,
            base_balance=slot.position.quantity,
            open_orders=(pending is not None) + 2 * len(slot.guards),
            open_algo_orders=len(slot.guards),
        )

    def _follow(self, slot: Slot, fill: FillOf) -> None:
        """Keep the round trip's story; end it when less than a step is left."""
        trip = slot.trip
        if trip is None:
            raise ValueError(f"{slot.series.rules.symbol} was sold without being held")
        screen = fill.screen * fill.quantity
        if fill.side is Side.BUY:
            trip.screen_bought += screen
            trip.entries += 1
            trip.last_entry_price = fill.price
            return
        trip.screen_sold += screen
        if is_flat(slot.position, step_size=slot.series.rules.step_size):
            self._end(slot, trip, fill)

    def _end(self, slot: Slot, trip: RoundTrip, fill: FillOf) -> None:
        position = slot.position
        # What the fee of a buy took in base units was bought on the screen, but never sold.
        sold_share = position.exit_quantity / position.entry_quantity
        self.trades.append(
            Trade(
                symbol=slot.series.rules.symbol,
                strategy=self._names[trip.owner],
                opened_ms=trip.opened_ms,
                closed_ms=fill.at_ms,
                quantity=position.entry_quantity,
                entry_price=position.average_entry_price,
                exit_price=position.exit_quote / position.exit_quantity,
                pnl=position.realized_pnl,
                fees=position.fees_quote,
                entry_reason=trip.entry_reason,
                exit_reason=fill.reason,
                screen_pnl=trip.screen_sold - trip.screen_bought * sold_share,
                bars=slot.row - trip.opened_row,
            )
        )
        last = slot.row + (fill.reason == END_OF_DATA)
        self.held_spans.append((slot.index, trip.owner, trip.opened_row, last, fill.at_ms))
        slot.trip = None
        slot.drop_guards()
        slot.last_closed_ms = fill.at_ms

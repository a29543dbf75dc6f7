"""What every market is: states by symbol, one tape each, and who listens to it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from simexchange.clock import SimClock
from simexchange.market.api import Instrument, Quote, Side, Trade
from simexchange.market.publicbook import BUY, SELL
from simexchange.market.script import Script, check_path, path_points
from simexchange.market.symbolstate import Print, SymbolState

NAP_WALL_MS = 20.0
"""Prints are played in batches this far apart; candle borders are met exactly."""
BATCH_PRINTS = 2_000
"""After so many prints the loop lets others run."""

MOST_TICKS = 10**12
"""No hand moves a price beyond it."""

PrintListener = Callable[[str, Print], None]
CloseListener = Callable[[int, tuple[str, ...]], None]
TouchListener = Callable[[str, int, list[int]], None]


def never() -> bool:
    """Say no."""
    return False


class Floor(ABC):
    """The part of `simexchange.market.api.Market` that does not depend on what feeds it.

    Args:
        clock: exchange time.
        own_trades_move_range: whether users' trades move price and range of a candle.
    """

    interval: str
    length_ms: int

    def __init__(self, clock: SimClock, *, own_trades_move_range: bool) -> None:
        self.clock = clock
        self.symbols: tuple[str, ...] = ()
        self.states: dict[str, SymbolState] = {}
        self._by_index: list[SymbolState] = []
        self._own_trades_move_range = own_trades_move_range
        self._script = Script()
        self._trade_listeners: list[Callable[[Trade], None]] = []
        self._quote_listeners: list[Callable[[Quote], Decimal]] = []
        self._print_listeners: list[PrintListener] = []
        self._close_listeners: list[CloseListener] = []
        self._batch_listeners: list[Callable[[], None]] = []
        self._touch_listeners: list[TouchListener] = []
        self._playing_ms: int | None = None
        self._busy = False
        self.is_unwatched: Callable[[], bool] = never
        """Says that nobody follows single prints now: candles may be played whole."""

    def _take_states(self, states: Iterable[SymbolState]) -> None:
        self._by_index = list(states)
        self.states = {state.grid.symbol: state for state in self._by_index}
        self.symbols = tuple(self.states)

    @abstractmethod
    def catch_up(self) -> None:
        """Play everything due by the clock's present; a listener's own call does nothing."""

    @abstractmethod
    async def run(self) -> None:
        """Advance with the clock until cancelled."""

    @abstractmethod
    def describe(self) -> dict[str, dict[str, Any]]:
        """Return per symbol where its prices come from."""

    @abstractmethod
    def snapshot(self) -> dict[str, Any]:
        """Return what an opening with the same options needs to go on from here."""

    def filters(self, symbol: str) -> list[dict[str, Any]]:
        """Return filters that come with the prices, to be merged into the usual ones."""
        del symbol
        return []

    def _present_ms(self) -> int:
        """Return the time things happen at: the print's while one is played, else the clock's."""
        return self.clock.now_ms() if self._playing_ms is None else self._playing_ms

    # What the engine asks

    def instrument(self, symbol: str) -> Instrument:
        """Return the symbol's assets and grid."""
        return self.states[symbol].grid.instrument()

    def last_price(self, symbol: str) -> Decimal:
        """Return the price of the latest trade of the tape."""
        state = self.states[symbol]
        return state.grid.price(state.last_ticks)

    def best(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Return the makers' best bid and ask; an empty side shows the last price."""
        state = self.states[symbol]
        now_ms = self._present_ms()
        bid, _ = next(state.book.levels(BUY, now_ms), (state.last_ticks, 0))
        ask, _ = next(state.book.levels(SELL, now_ms), (state.last_ticks + 1, 0))
        return state.grid.price(bid), state.grid.price(ask)

    def ladder(self, symbol: str, side: Side) -> Iterator[tuple[Decimal, Decimal]]:
        """Yield (price, quantity) of the makers on `side`, best first."""
        state = self.states[symbol]
        for ticks, units in state.book.levels(side, self._present_ms()):
            yield state.grid.price(ticks), state.grid.quantity(units)

    def quantity_at(self, symbol: str, side: Side, price: Decimal) -> Decimal:
        """Return what the makers show on `side` at exactly this price."""
        state = self.states[symbol]
        units = state.book.units_at(side, state.grid.ticks(price), self._present_ms())
        return state.grid.quantity(units)

    def average_price(self, symbol: str) -> Decimal:
        """Return the volume weighted price of the last five minutes."""
        return self.states[symbol].average_price(self._present_ms())

    def consume(
        self, symbol: str, side: Side, price: Decimal, quantity: Decimal, *, of_user: bool = False
    ) -> Trade:
        """Print a user's execution, the taker being on `side`, and take its depth away."""
        state = self.states[symbol]
        ticks, units = state.grid.ticks(price), state.grid.units(quantity)
        now_ms = self._present_ms()
        if not of_user:
            state.book.take(SELL if side == BUY else BUY, ticks, units, now_ms)
        entry = self._print_extra(
            state, ticks, units, now_ms, is_buyer_maker=side == SELL, is_own=True
        )
        return state.trade_of(entry)

    def on_trade(self, callback: Callable[[Trade], None]) -> None:
        """Call `callback` with every tape trade that `consume` did not cause."""
        self._trade_listeners.append(callback)

    def on_quote(self, callback: Callable[[Quote], Decimal]) -> None:
        """Call `callback` when makers come to users' orders; it returns what it took."""
        self._quote_listeners.append(callback)

    # What the faces ask

    def on_print(self, listener: PrintListener) -> None:
        """Call `listener` with every print, users' own included, once it is on the tape."""
        self._print_listeners.append(listener)

    def on_close(self, listener: CloseListener) -> None:
        """Call `listener(close border, symbols)` once all candles of that border are closed."""
        self._close_listeners.append(listener)

    def on_batch(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each batch of prints."""
        self._batch_listeners.append(listener)

    def on_touched(self, listener: TouchListener) -> None:
        """Call `listener(symbol, open time, row)` with closed candles the source has not so."""
        self._touch_listeners.append(listener)

    # Prices by hand

    def set_price(self, symbol: str, price: Decimal) -> None:
        """Move the market to `price` now; the source goes on from there."""
        self.set_path(symbol, [(0, price)])

    def set_path(self, symbol: str, path: Sequence[tuple[int, Decimal]]) -> None:
        """Walk the market along (milliseconds from now, price) points.

        Raises:
            ValueError: on a path that cannot be walked.
        """
        check_path(path)
        state = self.states[symbol]
        in_ticks = [(at_ms, state.grid.ticks(price)) for at_ms, price in path]
        if max(ticks for _, ticks in in_ticks) > MOST_TICKS:
            raise ValueError(f"a price of {symbol} is {state.grid.price(MOST_TICKS)} at most")
        self.catch_up()
        points = path_points(self.clock.now_ms(), state.last_ticks, in_ticks)
        self._script.lead(self.symbols.index(symbol), points)
        self.catch_up()

    def _play_scripted(self) -> None:
        time_ms, index, ticks, ended = self._script.pop()
        state = self._by_index[index]
        is_buyer_maker = ticks < state.last_ticks
        state.last_ticks = ticks
        if ended:
            state.factor = ticks / state.source_ticks
        state.book.move(ticks, is_buyer_maker=is_buyer_maker)
        units = next(state.book.levels(BUY, time_ms), (0, state.grid.step_units))[1]
        entry = self._print_extra(
            state, ticks, units, time_ms, is_buyer_maker=is_buyer_maker, is_own=False
        )
        self._tell_trade(state, entry)

    # Printing

    def _print(
        self,
        index: int,
        source_ticks: int,
        units: int,
        time_ms: int,
        *,
        is_buyer_maker: bool,
        trades: int = 1,
    ) -> None:
        """Print a trade of the source: tape, book, candle, listeners."""
        state = self._by_index[index]
        if state.book.has_users:
            self._meet_users(state, time_ms)
        state.source_ticks = source_ticks
        leading = self._script.is_leading(index)
        ticks = state.last_ticks if leading else state.mapped(source_ticks)
        entry = state.record(ticks, units, time_ms, is_buyer_maker=is_buyer_maker)
        state.last_ticks = ticks
        state.book.move(ticks, is_buyer_maker=is_buyer_maker)
        if state.store.running_open_ms is not None:
            state.store.add_print(
                ticks=ticks,
                units=units,
                quote=state.grid.quote_units(ticks, units),
                trades=trades,
                is_buyer_maker=is_buyer_maker,
                trade_id=entry.trade_id,
            )
        for listener in self._print_listeners:
            listener(state.grid.symbol, entry)
        self._tell_trade(state, entry)

    def _meet_users(self, state: SymbolState, now_ms: int) -> None:
        """Tell the engine of makers at or beyond users' orders, until none is left."""
        before: tuple[Side, tuple[int, int]] | None = None
        while state.book.has_users:
            met = state.book.met_by_users(now_ms)
            if met is None or met == before:
                return
            before, (side, (ticks, units)) = met, met
            quote = Quote(
                state.grid.symbol, side, state.grid.price(ticks), state.grid.quantity(units)
            )
            self._playing_ms = now_ms
            taken = sum(callback(quote) for callback in self._quote_listeners)
            self._playing_ms = None
            state.book.take(side, ticks, state.grid.units(Decimal(taken)), now_ms)

    def _meet_all_users(self, now_ms: int) -> None:
        for state in self._by_index:
            if state.book.has_users:
                self._meet_users(state, now_ms)

    def _tell_trade(self, state: SymbolState, entry: Print) -> None:
        if not self._trade_listeners:
            return
        trade = state.trade_of(entry)
        self._playing_ms = entry.time_ms
        for callback in self._trade_listeners:
            callback(trade)
        self._playing_ms = None

    def _print_extra(
        self,
        state: SymbolState,
        ticks: int,
        units: int,
        time_ms: int,
        *,
        is_buyer_maker: bool,
        is_own: bool,
    ) -> Print:
        """Print what the source does not know, and count it in the running candle."""
        moves_range = not is_own or self._own_trades_move_range
        entry = state.record(ticks, units, time_ms, is_buyer_maker=is_buyer_maker)
        if moves_range:
            state.last_ticks = ticks
        state.store.add_extra(
            ticks=ticks,
            units=units,
            quote=state.grid.quote_units(ticks, units),
            is_buyer_maker=is_buyer_maker,
            trade_id=entry.trade_id,
            moves_range=moves_range,
        )
        for listener in self._print_listeners:
            listener(state.grid.symbol, entry)
        return entry

    def _tell_batch(self) -> None:
        for listener in self._batch_listeners:
            listener()

    def _tell_closed(self, border_ms: int, closed: Iterable[int]) -> None:
        symbols = tuple(self.symbols[index] for index in closed)
        for listener in self._close_listeners:
            listener(border_ms, symbols)

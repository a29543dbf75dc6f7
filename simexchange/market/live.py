"""The market that runs: one tape per symbol, played from a source in step with the clock."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from simexchange.clock import SimClock
from simexchange.market.api import Instrument, Side, Trade
from simexchange.market.bars import OPEN, Bar, Source
from simexchange.market.intervals import INTERVAL_MS
from simexchange.market.saving import Traces, check_signature, pass_over
from simexchange.market.script import Script, check_path, path_points
from simexchange.market.stage import Event, draw_events, new_states, past_bar
from simexchange.market.symbolstate import AVERAGE_MS, Print, SymbolState

NAP_WALL_MS = 20.0
"""Prints are played in batches this far apart; candle borders are met exactly."""
BATCH_PRINTS = 2_000
"""After so many prints the loop lets others run."""

PrintListener = Callable[[str, Print], None]
CloseListener = Callable[[int, tuple[str, ...]], None]


class SimMarket:
    """See `simexchange.market.api.Market`.

    Args:
        source: where the candles come from.
        clock: exchange time, at or after ``source.start_ms``.
    """

    def __init__(self, source: Source, clock: SimClock) -> None:
        self.clock = clock
        self.symbols = tuple(source.symbols)
        self.interval = source.interval
        self.length_ms = INTERVAL_MS[source.interval]
        self._trade_listeners: list[Callable[[Trade], None]] = []
        self._print_listeners: list[PrintListener] = []
        self._close_listeners: list[CloseListener] = []
        self._batch_listeners: list[Callable[[], None]] = []
        self._set_up(source, {symbol: Traces() for symbol in source.symbols})

    def _set_up(self, source: Source, traces: dict[str, Traces]) -> None:
        """Stand the market at the clock's present, passing over candles already closed by then."""
        self.source = source
        self._by_index = list(new_states(source))
        self.states = {state.grid.symbol: state for state in self._by_index}
        self._step_units = np.array([s.grid.step_units for s in self._by_index], dtype=np.int64)
        self._script = Script()
        self._traces = traces
        for symbol, state in self.states.items():
            state.factor = traces[symbol].factor
            state.next_id = traces[symbol].next_id
        passed = (self.clock.now_ms() - source.start_ms) // self.length_ms
        open_ms = source.start_ms + max(0, passed) * self.length_ms
        for past_ms in range(source.start_ms, open_ms, self.length_ms):
            bar = source.bar_at(past_ms)
            for index in np.flatnonzero(bar.present).tolist():
                state = self._by_index[index]
                pass_over(state, traces[state.grid.symbol], bar, index)
        self._next: tuple[Bar, list[Event]] | None = None
        self._playing_ms: int | None = None
        self._busy = False
        self._prefill(open_ms)
        self._open_bar(open_ms)
        for symbol, state in self.states.items():
            if traces[symbol].running_ms == open_ms == state.store.running_open_ms:
                state.store.add_back(traces[symbol].extra)
        self.catch_up()

    def _prefill(self, open_ms: int) -> None:
        """Remember the prints of the last minutes, so that averages have something."""
        bars = AVERAGE_MS // self.length_ms + 1
        for back in range(bars, 0, -1):
            bar = past_bar(self._by_index, open_ms - back * self.length_ms)
            for event in self._draw(bar):
                state = self._by_index[event.place]
                state.record(
                    event.ticks, event.units, event.time_ms, is_buyer_maker=event.is_buyer_maker
                )
                state.last_ticks = event.ticks
                state.book.move(event.ticks, is_buyer_maker=event.is_buyer_maker)

    def _draw(self, bar: Bar) -> list[Event]:
        return draw_events(
            bar, interval=self.interval, step_units=self._step_units, seed=self.source.seed
        )

    def _present_ms(self) -> int:
        """Return the time things happen at: the print's while one is played, else the clock's."""
        if self._playing_ms is not None:
            return self._playing_ms
        return min(self.clock.now_ms(), self._open_ms + self.length_ms - 1)

    # What the engine asks

    def instrument(self, symbol: str) -> Instrument:
        """Return the symbol's assets and grid."""
        return self.states[symbol].grid.instrument()

    def last_price(self, symbol: str) -> Decimal:
        """Return the price of the latest trade of the tape."""
        state = self.states[symbol]
        return state.grid.price(state.last_ticks)

    def best(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Return best bid and best ask."""
        state = self.states[symbol]
        (bid, _), (ask, _) = state.book.best(self._present_ms())
        return state.grid.price(bid), state.grid.price(ask)

    def ladder(self, symbol: str, side: Side) -> Iterator[tuple[Decimal, Decimal]]:
        """Yield (price, quantity) of the makers on `side`, best first."""
        state = self.states[symbol]
        for ticks, units in state.book.levels(side, self._present_ms()):
            yield state.grid.price(ticks), state.grid.quantity(units)

    def quantity_at(self, symbol: str, side: Side, price: Decimal) -> Decimal:
        """Return what the ladder shows of the maker's `side` at exactly this price."""
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
            state.book.take("SELL" if side == "BUY" else "BUY", ticks, units, now_ms)
        entry = self._print_extra(
            state, ticks, units, now_ms, is_buyer_maker=side == "SELL", is_own=True
        )
        return state.trade_of(entry)

    def on_trade(self, callback: Callable[[Trade], None]) -> None:
        """Call `callback` with every tape trade that `consume` did not cause."""
        self._trade_listeners.append(callback)

    def describe(self) -> dict[str, dict[str, Any]]:
        """Return per symbol where its prices come from."""
        return {symbol: self._describe(symbol) for symbol in self.symbols}

    def _describe(self, symbol: str) -> dict[str, Any]:
        about = self.source.describe(symbol)
        if self.states[symbol].factor != 1.0:
            about["moved_by"] = self.states[symbol].factor
        return about

    def on_print(self, listener: PrintListener) -> None:
        """Call `listener` with every print, users' own included, once it is on the tape."""
        self._print_listeners.append(listener)

    def on_close(self, listener: CloseListener) -> None:
        """Call `listener(close border, symbols)` once all candles of that border are closed."""
        self._close_listeners.append(listener)

    def on_batch(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each batch of prints."""
        self._batch_listeners.append(listener)

    def set_price(self, symbol: str, price: Decimal) -> None:
        """Move the market to `price` now; the source goes on from there."""
        self.set_path(symbol, [(0, price)])

    def set_path(self, symbol: str, path: Sequence[tuple[int, Decimal]]) -> None:
        """Walk the market along (milliseconds from now, price) points.

        Raises:
            ValueError: on a path that cannot be walked.
        """
        check_path(path)
        self.catch_up()
        state = self.states[symbol]
        in_ticks = [(at_ms, state.grid.ticks(price)) for at_ms, price in path]
        points = path_points(self.clock.now_ms(), state.last_ticks, in_ticks)
        self._script.lead(self.symbols.index(symbol), points)
        self.catch_up()

    # Playing

    async def run(self) -> None:
        """Advance with the clock until cancelled."""
        while True:
            await self._catch_up_politely()
            await self.clock.sleep_until(self._wake_ms())

    def catch_up(self) -> None:
        """Play everything due by the clock's present; a listener's own call does nothing."""
        if self._busy:
            return
        now_ms = self.clock.now_ms()
        while not self._play_some(now_ms):
            pass

    async def _catch_up_politely(self) -> None:
        now_ms = self.clock.now_ms()
        while not self._play_some(now_ms):
            await asyncio.sleep(0)

    def _wake_ms(self) -> int:
        border = self._open_ms + self.length_ms
        due = border
        if self._cursor < len(self._events):
            due = min(due, self._events[self._cursor].time_ms)
        scripted = self._script.next_time()
        if scripted is not None:
            due = min(due, scripted)
        rested = self.clock.now_ms() + int(NAP_WALL_MS * self.clock.speed)
        return min(border, max(due, rested)) if not self.clock.manual else due

    def _play_some(self, now_ms: int) -> bool:
        """Play one batch; return True when nothing more is due at `now_ms`."""
        self._busy = True
        try:
            return self._play_batch(now_ms)
        finally:
            self._busy = False

    def _play_batch(self, now_ms: int) -> bool:
        border = self._open_ms + self.length_ms
        played, more = self._play_prints(min(now_ms, border - 1))
        if more:
            done = False
        elif now_ms >= border:
            self._close_bar(border)
            self._open_bar(border)
            done = False
        else:
            done = True
            if now_ms > self._open_ms + self.length_ms // 2:
                self._prepare_next(border)
        if played or not done:
            for listener in self._batch_listeners:
                listener()
        return done

    def _play_prints(self, until_ms: int) -> tuple[int, bool]:
        played = 0
        while played < BATCH_PRINTS:
            scripted = self._script.next_time()
            waiting = self._cursor < len(self._events)
            due = self._events[self._cursor].time_ms if waiting else None
            if scripted is not None and scripted <= until_ms and (due is None or scripted <= due):
                self._play_scripted()
            elif due is not None and due <= until_ms:
                self._cursor += 1
                self._play_event(self._events[self._cursor - 1])
            else:
                return played, False
            played += 1
        return played, True

    def _play_event(self, event: Event) -> None:
        state = self._by_index[event.place]
        state.source_ticks = event.ticks
        leading = self._script.is_leading(event.place)
        ticks = state.last_ticks if leading else state.mapped(event.ticks)
        entry = state.record(ticks, event.units, event.time_ms, is_buyer_maker=event.is_buyer_maker)
        state.last_ticks = ticks
        state.book.move(ticks, is_buyer_maker=event.is_buyer_maker)
        state.store.add_print(
            ticks=ticks,
            units=event.units,
            quote=state.grid.quote_units(ticks, event.units),
            trades=event.trades,
            is_buyer_maker=event.is_buyer_maker,
            trade_id=entry.trade_id,
        )
        self._playing_ms = entry.time_ms
        self._tell(state, entry)
        self._playing_ms = None

    def _play_scripted(self) -> None:
        time_ms, index, ticks, ended = self._script.pop()
        state = self._by_index[index]
        is_buyer_maker = ticks < state.last_ticks
        state.last_ticks = ticks
        if ended:
            state.factor = ticks / state.source_ticks
        state.book.move(ticks, is_buyer_maker=is_buyer_maker)
        units = next(state.book.levels("BUY", time_ms), (0, state.grid.step_units))[1]
        entry = self._print_extra(
            state, ticks, units, time_ms, is_buyer_maker=is_buyer_maker, is_own=False
        )
        self._playing_ms = entry.time_ms
        for callback in self._trade_listeners:
            callback(state.trade_of(entry))
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
        moves_range = not is_own or self.source.own_trades_move_range
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

    def _tell(self, state: SymbolState, entry: Print) -> None:
        for listener in self._print_listeners:
            listener(state.grid.symbol, entry)
        if self._trade_listeners:
            trade = state.trade_of(entry)
            for callback in self._trade_listeners:
                callback(trade)

    # Candles

    def _prepare_next(self, open_ms: int) -> tuple[Bar, list[Event]]:
        """Draw a candle's prints ahead of time, so that its border is not held up by it."""
        if self._next is None or self._next[0].open_ms != open_ms:
            bar = self.source.bar_at(open_ms)
            self._next = (bar, self._draw(bar))
        return self._next

    def _open_bar(self, open_ms: int) -> None:
        self._open_ms = open_ms
        bar, self._events = self._prepare_next(open_ms)
        self._bar, self._cursor = bar, 0
        for index in np.flatnonzero(bar.present).tolist():
            state = self._by_index[index]
            leading = self._script.is_leading(index)
            ticks = state.last_ticks if leading else state.mapped(int(bar.rows[index, OPEN]))
            state.store.open_candle(open_ms, ticks)
            state.book.set_shape(
                spread_ticks=int(bar.spread_ticks[index]), depth=float(bar.depth[index])
            )

    def _close_bar(self, border_ms: int) -> None:
        closed = np.flatnonzero(self._bar.present).tolist()
        for index in closed:
            state = self._by_index[index]
            scale = state.factor
            if state.store.close_candle(self._bar.rows[index], scale=scale):
                open_ms, row = state.store.last_closed()
                self._traces[state.grid.symbol].touched[open_ms] = row
        symbols = tuple(self.symbols[index] for index in closed)
        self._open_ms = border_ms
        for listener in self._close_listeners:
            listener(border_ms, symbols)

    def snapshot(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON-able values."""
        kept = {}
        for index, (symbol, state) in enumerate(self.states.items()):
            traces = self._traces[symbol]
            if self._script.is_leading(index):
                traces.factor = state.last_ticks / state.source_ticks
            else:
                traces.factor = state.factor
            traces.next_id = state.next_id
            traces.running_ms = self._open_ms
            traces.extra = state.store.extra
            kept[symbol] = traces.as_json()
        return {
            "source": self.source.signature(),
            "now_ms": self.clock.now_ms(),
            "symbols": kept,
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Take a snapshot back and stand at the clock's present.

        Candles that closed between the snapshot and now are the source's; nobody traded then.

        Raises:
            ValueError: when the snapshot is of another source.
        """
        check_signature(self.source, data)
        traces = {symbol: Traces.from_json(kept) for symbol, kept in data["symbols"].items()}
        self._set_up(self.source.fresh(), traces)

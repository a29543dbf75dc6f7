"""The market that plays candles: tapes drawn from a source, in step with the clock."""

import asyncio
from typing import Any

import numpy as np

from simexchange.clock import SimClock
from simexchange.market.bars import CLOSE, COUNT, OPEN, VOLUME, Source
from simexchange.market.floor import BATCH_PRINTS, NAP_WALL_MS, Floor
from simexchange.market.intervals import INTERVAL_MS
from simexchange.market.saving import Traces, check_signature, pass_over, read_traces
from simexchange.market.stage import Event, Stage, new_states, past_bar
from simexchange.market.symbolstate import AVERAGE_MS

WHOLE_BARS_AHEAD = 2
"""Candles are played whole only as long as so many more are due: the newest have their prints."""


class SimMarket(Floor):
    """See `simexchange.market.api.Market`.

    Args:
        source: where the candles come from; it is used up.
        clock: exchange time, at or after ``source.start_ms``.
        saved: a snapshot to go on from. Candles that closed between it and now are the source's;
            nobody traded then.

    Raises:
        ValueError: when the snapshot is of another source.
    """

    def __init__(
        self, source: Source, clock: SimClock, saved: dict[str, Any] | None = None
    ) -> None:
        super().__init__(clock, own_trades_move_range=source.own_trades_move_range)
        self.interval = source.interval
        self.length_ms = INTERVAL_MS[source.interval]
        self.source = source
        self._stage = Stage(source)
        if saved is not None:
            check_signature(source, saved)
        self._traces = read_traces(source.symbols, saved)
        self._take_states(new_states(source))
        self._open_ms = source.start_ms
        self._drawn: list[Event] | None = None
        self._cursor = 0
        self._stand_at_present()

    def _stand_at_present(self) -> None:
        """Pass over candles already closed, remember the last prints, open the running candle."""
        for symbol, state in self.states.items():
            state.factor = self._traces[symbol].factor
            state.next_id = self._traces[symbol].next_id
        start_ms = self.source.start_ms
        passed = max(0, (self.clock.now_ms() - start_ms) // self.length_ms)
        open_ms = start_ms + passed * self.length_ms
        from_ms = open_ms - (AVERAGE_MS // self.length_ms + 1) * self.length_ms
        for past_ms in range(min(from_ms, start_ms), start_ms, self.length_ms):
            if past_ms >= from_ms:
                self._remember(self._stage.past_events(past_bar(self._by_index, past_ms)))
        for past_ms in range(start_ms, open_ms, self.length_ms):
            bar = self._stage.bar(past_ms)
            for index in np.flatnonzero(bar.present).tolist():
                state = self._by_index[index]
                pass_over(state, self._traces[state.grid.symbol], bar, index)
            if past_ms >= from_ms:
                self._remember(self._stage.events(past_ms))
        self._open_bar(open_ms)
        for symbol, state in self.states.items():
            if self._traces[symbol].running_ms == open_ms == state.store.running_open_ms:
                state.store.add_back(self._traces[symbol].extra)
        self.catch_up()

    def _remember(self, events: list[Event]) -> None:
        """Put prints of closed candles on the tape, so that averages have something."""
        for event in events:
            state = self._by_index[event.place]
            ticks = state.mapped(event.ticks)
            state.record(ticks, event.units, event.time_ms, is_buyer_maker=event.is_buyer_maker)
            state.last_ticks = ticks
            state.book.move(ticks, is_buyer_maker=event.is_buyer_maker)

    def _present_ms(self) -> int:
        if self._playing_ms is not None:
            return self._playing_ms
        return min(self.clock.now_ms(), self._open_ms + self.length_ms - 1)

    def describe(self) -> dict[str, dict[str, Any]]:
        """Return per symbol where its prices come from."""
        return {symbol: self._describe(symbol) for symbol in self.symbols}

    def _describe(self, symbol: str) -> dict[str, Any]:
        about = self.source.describe(symbol)
        if "ends_ms" in about:
            about["ended"] = self.clock.now_ms() >= about["ends_ms"]
        if self.states[symbol].factor != 1.0:
            about["moved_by"] = self.states[symbol].factor
        return about

    # Playing

    @property
    def _events(self) -> list[Event]:
        """The running candle's prints, drawn when they are first asked for."""
        if self._drawn is None:
            self._drawn = self._stage.events(self._open_ms)
        return self._drawn

    async def run(self) -> None:
        """Advance with the clock until cancelled."""
        while True:
            now_ms = self.clock.now_ms()
            while not self._play_some(now_ms):
                await asyncio.sleep(0)
            await self.clock.sleep_until(self._wake_ms())

    def catch_up(self) -> None:
        """Play everything due by the clock's present; a listener's own call does nothing."""
        if self._busy:
            return
        now_ms = self.clock.now_ms()
        while not self._play_some(now_ms):
            pass

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
        far_behind = now_ms >= border + WHOLE_BARS_AHEAD * self.length_ms
        if far_behind and self._script.next_time() is None and self.is_unwatched():
            self._play_whole_bar()
            played, more = 1, False
        else:
            played, more = self._play_prints(min(now_ms, border - 1))
        done = not more and now_ms < border
        if not more and now_ms >= border:
            self._close_bar(border)
            self._open_bar(border)
        if done:
            self._meet_all_users(self._present_ms())
        if played or not done:
            self._tell_batch()
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
        self._print(
            event.place,
            event.ticks,
            event.units,
            event.time_ms,
            is_buyer_maker=event.is_buyer_maker,
            trades=event.trades,
        )

    def _play_whole_bar(self) -> None:
        """Let a candle pass whole, nobody following its prints; a begun one goes on by prints."""
        moved = any(state.factor != 1.0 for state in self._by_index)
        if self._cursor or moved:
            self._remember_in_candles(self._events[self._cursor :])
            self._cursor = len(self._events)
            return
        most = self._stage.prints
        for index in np.flatnonzero(self._bar.present).tolist():
            state, row = self._by_index[index], self._bar.rows[index].tolist()
            state.store.fill_running(row, first_id=state.next_id)
            if row[VOLUME]:
                state.next_id += min(max(row[COUNT], 4), most)
                state.last_ticks = state.source_ticks = row[CLOSE]
                state.book.move(row[CLOSE], is_buyer_maker=row[CLOSE] < row[OPEN])

    def _remember_in_candles(self, events: list[Event]) -> None:
        for event in events:
            state = self._by_index[event.place]
            ticks = state.mapped(event.ticks)
            state.store.add_print(
                ticks=ticks,
                units=event.units,
                quote=state.grid.quote_units(ticks, event.units),
                trades=event.trades,
                is_buyer_maker=event.is_buyer_maker,
                trade_id=state.next_id,
            )
            state.next_id += 1
            state.last_ticks, state.source_ticks = ticks, event.ticks

    # Candles

    def _open_bar(self, open_ms: int) -> None:
        self._open_ms = open_ms
        self._bar, self._drawn, self._cursor = self._stage.bar(open_ms), None, 0
        for index in np.flatnonzero(self._bar.present).tolist():
            state = self._by_index[index]
            leading = self._script.is_leading(index)
            ticks = state.last_ticks if leading else state.mapped(int(self._bar.rows[index, OPEN]))
            state.store.open_candle(open_ms, ticks)
            state.book.set_shape(
                spread_ticks=int(self._bar.spread_ticks[index]),
                depth=float(self._bar.depth[index]),
            )

    def _close_bar(self, border_ms: int) -> None:
        closed = np.flatnonzero(self._bar.present).tolist()
        for index in closed:
            state = self._by_index[index]
            row = self._bar.rows[index].tolist()
            if self.source.tape_is_whole:
                state.store.close_as_played()
                differs = state.store.last_closed()[1] != row
            else:
                differs = state.store.close_candle(row, scale=state.factor)
            if differs:
                self._keep_touched(state.grid.symbol)
        self._open_ms = border_ms
        self._tell_closed(border_ms, closed)

    def _keep_touched(self, symbol: str) -> None:
        open_ms, row = self.states[symbol].store.last_closed()
        for listener in self._touch_listeners:
            listener(symbol, open_ms, row)

    # Keeping

    def snapshot(self) -> dict[str, Any]:
        """Return what an opening needs to go on from here, but for the touched candles."""
        kept = {}
        for index, (symbol, state) in enumerate(self.states.items()):
            factor = state.factor
            if self._script.is_leading(index):
                factor = state.last_ticks / state.source_ticks
            traces = Traces(
                factor=factor,
                next_id=state.next_id,
                running_ms=self._open_ms,
                extra=state.store.extra,
            )
            kept[symbol] = traces.as_json()
        return {
            "source": self.source.signature(),
            "now_ms": self.clock.now_ms(),
            "symbols": kept,
        }

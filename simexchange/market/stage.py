"""Setting a market up: states from a source's history, bars turned into timed prints."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from simexchange.market.bars import COUNT, QUOTE, TAKER_QUOTE, VOLUME, Bar, Ints, Source
from simexchange.market.book import LadderBook, level_table
from simexchange.market.bridge import Tape, draw_tape, prints_per_candle
from simexchange.market.candles import CandleStore
from simexchange.market.intervals import DAY_MS, INTERVAL_MS, MINUTE_MS
from simexchange.market.symbolstate import SymbolState, kept_prints

TABLE_STREAM, TAPE_STREAM, PAST_STREAM = 1, 2, 3
"""Names of the random streams drawn from the one seed."""
CHUNK_PRINTS = 60_000
MOST_CHUNK_BARS = 60


class Event(NamedTuple):
    """A print of the source's tape that is still to come, of the symbol at `place`."""

    time_ms: int
    place: int
    ticks: int
    units: int
    trades: int
    is_buyer_maker: bool


def new_states(source: Source) -> Iterator[SymbolState]:
    """Yield the symbols' states at the source's start, in the source's order.

    Raises:
        ValueError: when a symbol has no candle before the start.
    """
    table = level_table(np.random.default_rng([source.seed, TABLE_STREAM]))
    kept = kept_prints(len(source.symbols))
    length_ms = INTERVAL_MS[source.interval]
    for symbol in source.symbols:
        grid = source.grids[symbol]
        rows, closed = source.candle_rows(symbol)
        if not closed:
            raise ValueError(f"{symbol} has no candle before the start")
        store = CandleStore(source.interval, rows, closed)
        ticks = rows.close_at(closed - 1)
        per_minute = store.usual_volume(DAY_MS // length_ms) * MINUTE_MS / length_ms
        book = LadderBook(grid, table, ticks=ticks, volume_per_minute=per_minute)
        yield SymbolState(grid, store, book, ticks=ticks, kept_prints=kept)


class Stage:
    """A source's candles with their prints, drawn for several candles at a time.

    Args:
        source: asked for its candles in ascending order.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._length_ms = INTERVAL_MS[source.interval]
        self.prints = prints_per_candle(source.interval)
        self._step_units = np.array(
            [source.grids[symbol].step_units for symbol in source.symbols], dtype=np.int64
        )
        grids = [source.grids[symbol] for symbol in source.symbols]
        spare = [max(0, g.price_decimals + g.volume_decimals - g.quote_decimals) for g in grids]
        self._quote_divisor = np.array([10**places for places in spare], dtype=np.int64)
        per_bar = len(source.symbols) * self.prints
        self._chunk_bars = max(1, min(MOST_CHUNK_BARS, CHUNK_PRINTS // per_bar))
        self._chunk_ms = -1
        self._bars: list[Bar] = []
        self._tape: Tape | None = None

    def bar(self, open_ms: int) -> Bar:
        """Return the candles that open at `open_ms`; of a whole tape their sums are the prints'."""
        place = self._load(open_ms)
        bar = self._bars[place]
        if not self._source.tape_is_whole:
            return bar
        return self._settled(bar, *self._drawn(place))

    def events(self, open_ms: int) -> list[Event]:
        """Return the prints of the candles that open at `open_ms`, in order of time."""
        place = self._load(open_ms)
        tape, part = self._drawn(place)
        return in_order(self._bars[place], tape, part)

    def past_events(self, bar: Bar) -> list[Event]:
        """Return prints for candles that closed before the source's start."""
        rng = np.random.default_rng([self._source.seed, PAST_STREAM, bar.open_ms])
        return in_order(bar, self._draw(bar.rows, rng), slice(None))

    def _load(self, open_ms: int) -> int:
        """Have the candles of the chunk that `open_ms` lies in, and return its place there."""
        bars = (open_ms - self._source.start_ms) // self._length_ms
        chunk_ms = self._source.start_ms + (
            bars // self._chunk_bars * self._chunk_bars * self._length_ms
        )
        if chunk_ms != self._chunk_ms:
            self._bars = [
                self._source.bar_at(chunk_ms + place * self._length_ms)
                for place in range(self._chunk_bars)
            ]
            self._chunk_ms, self._tape = chunk_ms, None
        return (open_ms - chunk_ms) // self._length_ms

    def _drawn(self, place: int) -> tuple[Tape, slice]:
        """Return the chunk's prints and where those of the bar at `place` are."""
        symbols = len(self._step_units)
        if self._tape is None:
            rng = np.random.default_rng([self._source.seed, TAPE_STREAM, self._chunk_ms])
            self._tape = self._draw(np.concatenate([bar.rows for bar in self._bars]), rng)
        return self._tape, slice(place * symbols, (place + 1) * symbols)

    def _draw(self, rows: Ints, rng: np.random.Generator) -> Tape:
        return draw_tape(
            rows,
            length_ms=self._length_ms,
            prints=self.prints,
            step_units=np.tile(self._step_units, len(rows) // len(self._step_units)),
            rng=rng,
        )

    def _settled(self, bar: Bar, tape: Tape, part: slice) -> Bar:
        """Return the bar with quote volumes and trade counts as its prints sum to."""
        quotes = tape.ticks[part] * tape.units[part] // self._quote_divisor[:, None]
        quotes = np.where(tape.valid[part], quotes, 0)
        rows = bar.rows.copy()
        rows[:, QUOTE] = quotes.sum(axis=1)
        rows[:, TAKER_QUOTE] = np.where(tape.is_buyer_maker[part], 0, quotes).sum(axis=1)
        rows[:, COUNT] = tape.valid[part].sum(axis=1)
        return replace(bar, rows=rows)


def in_order(bar: Bar, tape: Tape, part: slice) -> list[Event]:
    """Return a bar's prints, all symbols merged in order of time."""
    traded = tape.valid[part] & (bar.present & (bar.rows[:, VOLUME] > 0))[:, None]
    traded &= tape.units[part] > 0
    places = np.broadcast_to(np.arange(len(bar.rows))[:, None], traded.shape)
    columns = [
        column[traded]
        for column in (
            tape.time_ms[part] + bar.open_ms,
            places,
            tape.ticks[part],
            tape.units[part],
            tape.count[part],
            tape.is_buyer_maker[part],
        )
    ]
    order = np.argsort(columns[0], kind="stable")
    listed = [column[order].tolist() for column in columns]
    return [Event(*values) for values in zip(*listed, strict=True)]


def past_bar(states: list[SymbolState], open_ms: int) -> Bar:
    """Return closed candles as a bar, for playing them once more."""
    found = [state.store.row_at(open_ms) for state in states]
    blank = [1] * (TAKER_QUOTE + 1)
    return Bar(
        open_ms=open_ms,
        rows=np.array([row or blank for row in found], dtype=np.int64),
        present=np.array([row is not None for row in found], dtype=np.bool_),
        spread_ticks=np.ones(len(states), dtype=np.int64),
        depth=np.ones(len(states)),
    )

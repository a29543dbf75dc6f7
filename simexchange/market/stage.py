"""Setting a market up: states from a source's history, bars turned into timed prints."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from simexchange.market.bars import CLOSE, SOURCE_COLUMNS, VOLUME, Bar, Ints, Source
from simexchange.market.book import Book, level_table
from simexchange.market.bridge import draw_tape, prints_per_candle
from simexchange.market.candles import CandleStore
from simexchange.market.intervals import DAY_MS, INTERVAL_MS, MINUTE_MS
from simexchange.market.symbolstate import SymbolState

MANY_SYMBOLS = 50
KEPT_PRINTS, KEPT_PRINTS_MANY = 1000, 240
TABLE_STREAM, TAPE_STREAM = 1, 2
"""Names of the random streams drawn from the one seed."""


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
    kept = KEPT_PRINTS if len(source.symbols) <= MANY_SYMBOLS else KEPT_PRINTS_MANY
    length_ms = INTERVAL_MS[source.interval]
    for symbol in source.symbols:
        grid = source.grids[symbol]
        times, rows = source.history(symbol)
        if not len(rows):
            raise ValueError(f"{symbol} has no candle before the start")
        ticks = int(rows[-1, CLOSE])
        newest_day = rows[-max(1, DAY_MS // length_ms) :, VOLUME]
        per_minute = float(newest_day.mean()) * MINUTE_MS / length_ms
        book = Book(grid, table, ticks=ticks, volume_per_minute=per_minute)
        store = CandleStore(source.interval, times, rows)
        yield SymbolState(grid, store, book, ticks=ticks, kept_prints=kept)


def past_bar(states: list[SymbolState], open_ms: int) -> Bar:
    """Return closed candles as a bar, for playing them once more."""
    count = len(states)
    rows: Ints = np.ones((count, SOURCE_COLUMNS), dtype=np.int64)
    present = np.zeros(count, dtype=np.bool_)
    for index, state in enumerate(states):
        times, found = state.store.window(open_ms)
        if len(times) and int(times[0]) == open_ms:
            rows[index] = found[0, :SOURCE_COLUMNS]
            present[index] = True
    return Bar(
        open_ms=open_ms,
        rows=rows,
        present=present,
        spread_ticks=np.ones(count, dtype=np.int64),
        depth=np.ones(count),
    )


def draw_events(bar: Bar, *, interval: str, step_units: Ints, seed: int) -> list[Event]:
    """Return the prints of a bar, all symbols merged in order of time."""
    tape = draw_tape(
        bar,
        length_ms=INTERVAL_MS[interval],
        prints=prints_per_candle(interval),
        step_units=step_units,
        rng=np.random.default_rng([seed, TAPE_STREAM, bar.open_ms]),
    )
    shape = tape.ticks.shape
    traded = np.broadcast_to((bar.present & (bar.rows[:, VOLUME] > 0))[:, None], shape)
    index = np.broadcast_to(np.arange(shape[0])[:, None], shape)
    columns = [
        column[traded]
        for column in (
            tape.time_ms + bar.open_ms,
            index,
            tape.ticks,
            tape.units,
            tape.count,
            tape.is_buyer_maker,
        )
    ]
    order = np.argsort(columns[0], kind="stable")
    listed = [column[order].tolist() for column in columns]
    return [Event(*values) for values in zip(*listed, strict=True)]

"""A symbol's candles: compact rows at the base interval, folded upwards when asked."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from simexchange.market.bars import (
    CLOSE,
    COUNT,
    FIRST_ID,
    HIGH,
    LOW,
    OPEN,
    QUOTE,
    SOURCE_COLUMNS,
    TAKER,
    TAKER_QUOTE,
    VOLUME,
    Ints,
)
from simexchange.market.intervals import INTERVAL_MS, floor_time, floor_times, next_open
from simexchange.market.rows import LARGEST_LONG, NO_ID, CandleRows

SUMS = [VOLUME, QUOTE, COUNT, TAKER, TAKER_QUOTE]


class Candle(NamedTuple):
    """One candle in integers: prices in ticks, volumes in units of the symbol's grid."""

    open_ms: int
    close_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    quote: int
    trades: int
    taker: int
    taker_quote: int
    first_id: int


class CandleStore:
    """Closed candles at the base interval and the running one after them.

    Args:
        interval: the base interval; nothing finer can be served.
        rows: closed candles, and perhaps room for, or the source's own rows of, later ones.
        closed: how many of them are closed.
    """

    def __init__(self, interval: str, rows: CandleRows, closed: int) -> None:
        self.interval = interval
        self._length_ms = INTERVAL_MS[interval]
        self._rows = rows
        self._size = closed
        self._running: list[int] | None = None
        self._running_ms = 0
        self._extra = [0] * SOURCE_COLUMNS

    def __len__(self) -> int:
        """Return the number of candles, the running one included."""
        return self._size + (self._running is not None)

    @property
    def extra(self) -> list[int]:
        """What users and scripts added to the running candle, by source column."""
        return list(self._extra)

    def add_back(self, extra: list[int]) -> None:
        """Put volumes of an earlier life into the running candle."""
        if self._running is None:
            raise ValueError("no candle is open")
        for column, amount in enumerate(extra):
            self._extra[column] += amount
            self._running[column] += amount

    @property
    def running_open_ms(self) -> int | None:
        """Open time of the running candle, None between candles."""
        return self._running_ms if self._running is not None else None

    def serves(self, interval: str) -> bool:
        """Say whether this store can fold its rows into `interval`."""
        return INTERVAL_MS[interval] % self._length_ms == 0

    def open_candle(self, open_ms: int, ticks: int) -> None:
        """Begin the running candle at a price; the previous one must be closed."""
        if self._running is not None:
            raise ValueError("the running candle is still open")
        self._running_ms = open_ms
        self._running = [ticks, ticks, ticks, ticks, 0, 0, 0, 0, 0, NO_ID]
        self._extra = [0] * SOURCE_COLUMNS

    def add_print(
        self,
        *,
        ticks: int,
        units: int,
        quote: int,
        trades: int,
        is_buyer_maker: bool,
        trade_id: int,
    ) -> None:
        """Add a print of the source's tape to the running candle."""
        row = self._running
        if row is None:
            raise ValueError("no candle is open")
        self._touch(row, ticks, trade_id)
        row[VOLUME] += units
        row[QUOTE] += quote
        row[COUNT] += trades
        if not is_buyer_maker:
            row[TAKER] += units
            row[TAKER_QUOTE] += quote

    def add_extra(
        self,
        *,
        ticks: int,
        units: int,
        quote: int,
        is_buyer_maker: bool,
        trade_id: int,
        moves_range: bool,
    ) -> None:
        """Add a print the source knows nothing of: a user's own or a scripted one."""
        row = self._running
        if row is None:
            return
        self._touch(row, ticks if moves_range else row[CLOSE], trade_id)
        taken = 0 if is_buyer_maker else 1
        for column, amount in (
            (VOLUME, units),
            (QUOTE, quote),
            (COUNT, 1),
            (TAKER, units * taken),
            (TAKER_QUOTE, quote * taken),
        ):
            row[column] += amount
            self._extra[column] += amount

    @staticmethod
    def _touch(row: list[int], ticks: int, trade_id: int) -> None:
        row[CLOSE] = ticks
        if ticks > row[HIGH]:
            row[HIGH] = ticks
        elif ticks < row[LOW]:
            row[LOW] = ticks
        if row[FIRST_ID] == NO_ID:
            row[FIRST_ID] = trade_id

    def fill_running(self, row: list[int], *, first_id: int) -> None:
        """Make the running candle what a whole source row is, beside what users added to it."""
        running = self._running
        if running is None:
            raise ValueError("no candle is open")
        running[HIGH], running[LOW] = max(row[HIGH], running[HIGH]), min(row[LOW], running[LOW])
        running[CLOSE] = row[CLOSE]
        for column in (VOLUME, QUOTE, COUNT, TAKER, TAKER_QUOTE):
            running[column] = row[column] + self._extra[column]
        if running[FIRST_ID] == NO_ID:
            running[FIRST_ID] = first_id

    def reprice_running(self, ticks: int) -> None:
        """Let the running candle, so far without a trade, open at this price."""
        if self._running is None:
            raise ValueError("no candle is open")
        self._running[: CLOSE + 1] = [ticks] * (CLOSE + 1)

    def take_running(self, row: Sequence[int], *, first_id: int) -> None:
        """Make the running candle another exchange's, beside what users added to it here.

        One with fewer trades than are known already is late and is left out.
        """
        running = self._running
        if running is None:
            raise ValueError("no candle is open")
        if row[COUNT] < running[COUNT] - self._extra[COUNT]:
            return
        running[: CLOSE + 1] = row[: CLOSE + 1]
        for column in (VOLUME, QUOTE, COUNT, TAKER, TAKER_QUOTE):
            running[column] = row[column] + self._extra[column]
        if running[FIRST_ID] == NO_ID and row[COUNT]:
            running[FIRST_ID] = first_id

    def close_candle(self, source_row: list[int], *, scale: float = 1.0) -> bool:
        """Close the running candle.

        Its prices are the tape's. Its volumes are the source's (a replayed tape may be a thinned
        print of them) plus what users and scripts added.

        Args:
            source_row: the source's nine columns.
            scale: price factor in force, applied to the quote volumes.

        Returns:
            True when the candle differs from the source's row.
        """
        row = self._running
        if row is None:
            raise ValueError("no candle is open")
        for column in (VOLUME, QUOTE, COUNT, TAKER, TAKER_QUOTE):
            amount = source_row[column]
            if scale != 1.0 and column in (QUOTE, TAKER_QUOTE):
                amount = round(amount * scale)
            row[column] = amount + self._extra[column]
        differs = scale != 1.0 or any(self._extra) or row[:SOURCE_COLUMNS] != source_row
        self._keep_running(row, is_sources=not differs)
        return differs

    def close_as_played(self) -> None:
        """Close the running candle as its trades made it."""
        if self._running is None:
            raise ValueError("no candle is open")
        self._keep_running(self._running)

    def _keep_running(self, row: list[int], *, is_sources: bool = False) -> None:
        if is_sources and self._rows.holds(self._size, self._running_ms):
            self._rows.keep_id(self._size, row[FIRST_ID])
        else:
            self._rows.put_one(self._size, self._running_ms, row, row[FIRST_ID])
        self._running = None
        self._extra = [0] * SOURCE_COLUMNS
        self._size += 1

    def append_closed(self, open_ms: int, row: list[int]) -> None:
        """Append a closed candle that was never played, nine columns."""
        self._rows.put_one(self._size, open_ms, row)
        self._size += 1

    def last_closed(self) -> tuple[int, list[int]]:
        """Return open time and source columns of the newest closed candle."""
        return int(self._rows.times[self._size - 1]), self._rows.row(self._size - 1)

    def row_at(self, open_ms: int) -> list[int] | None:
        """Return the source columns of the closed candle that opened at `open_ms`, if any."""
        place = int(np.searchsorted(self._rows.times[: self._size], open_ms))
        if place == self._size or int(self._rows.times[place]) != open_ms:
            return None
        return self._rows.row(place)

    def usual_volume(self, bars: int) -> float:
        """Return the mean volume in units of the newest closed candles, at most `bars` of them."""
        low = max(0, self._size - max(1, bars))
        return self._rows.fold(low, self._size)[VOLUME] / (self._size - low)

    def _place(self, time_ms: int) -> int:
        """Return the place of the first candle that opens at or after a time."""
        place = int(np.searchsorted(self._rows.times[: self._size], time_ms, side="left"))
        if place == self._size and self._running is not None and self._running_ms < time_ms:
            place += 1
        return place

    def _part(self, low: int, high: int) -> tuple[Ints, Ints]:
        """Return times and wide rows of places low..high, the running candle at the end of all."""
        closed = min(high, self._size)
        times, rows = self._rows.times[low:closed], self._rows.block(low, closed)
        if high > self._size and self._running is not None:
            times = np.append(times, self._running_ms)
            is_long = max(self._running) > LARGEST_LONG
            newest = np.array([self._running], dtype=object if is_long else np.int64)
            rows = np.concatenate([rows, newest])
        return times, rows

    def candles(
        self,
        interval: str,
        *,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int,
        shift_ms: int = 0,
    ) -> list[Candle]:
        """Return candles ascending, by Binance's rules for the bounds.

        Args:
            interval: any interval that `serves` allows.
            start_ms: oldest open time wanted; then the oldest `limit` candles are returned.
            end_ms: newest open time wanted.
            limit: most candles returned; without `start_ms` the newest.
            shift_ms: time zone offset of day, week and month borders.
        """
        low, high = self._bounds(interval, start_ms, end_ms, shift_ms)
        per_candle = INTERVAL_MS[interval] // self._length_ms
        oldest_first = start_ms is not None
        if oldest_first:
            high = min(high, low + limit * per_candle)
        else:  # one more candle than wanted, because the cut may halve the first
            low = max(low, high - (limit + 1) * per_candle)
        if high <= low:
            return []
        times, rows = self._part(low, high)
        opens, folded = self._fold(times, rows, interval, shift_ms)
        part = slice(None, limit) if oldest_first else slice(-limit, None)
        return [
            Candle(open_ms, next_open(open_ms, interval, shift_ms) - 1, *row)
            for open_ms, row in zip(opens[part].tolist(), folded[part].tolist(), strict=True)
        ]

    def _bounds(
        self, interval: str, start_ms: int | None, end_ms: int | None, shift_ms: int
    ) -> tuple[int, int]:
        low, high = 0, len(self)
        if start_ms is not None:
            first = floor_time(start_ms, interval, shift_ms)
            if first < start_ms:
                first = next_open(first, interval, shift_ms)
            low = self._place(first)
        if end_ms is not None:
            border = next_open(floor_time(end_ms, interval, shift_ms), interval, shift_ms)
            high = self._place(border)
        return low, high

    @staticmethod
    def _fold(times: Ints, rows: Ints, interval: str, shift_ms: int) -> tuple[Ints, Ints]:
        opens = floor_times(times, interval, shift_ms)
        starts = np.concatenate([[0], np.flatnonzero(np.diff(opens)) + 1])
        if int(rows[:, SUMS].max()) > LARGEST_LONG // len(rows):
            rows = rows.astype(object)
        folded = np.empty((len(starts), rows.shape[1]), dtype=rows.dtype)
        folded[:, OPEN] = rows[starts, OPEN]
        folded[:, HIGH] = np.maximum.reduceat(rows[:, HIGH], starts)
        folded[:, LOW] = np.minimum.reduceat(rows[:, LOW], starts)
        ends = np.concatenate([starts[1:], [len(rows)]]) - 1
        folded[:, CLOSE] = rows[ends, CLOSE]
        folded[:, SUMS] = np.add.reduceat(rows[:, SUMS], starts, axis=0)
        folded[:, FIRST_ID] = rows[starts, FIRST_ID]
        return opens[starts], folded

    def candle_at(self, interval: str, open_ms: int, shift_ms: int = 0) -> Candle | None:
        """Return the candle that opens at `open_ms`, a border of `interval`; None without rows."""
        border_ms = next_open(open_ms, interval, shift_ms)
        row = self.fold(self._place(open_ms), self._place(border_ms))
        return None if row is None else Candle(open_ms, border_ms - 1, *row)

    def fold(self, low: int, high: int) -> list[int] | None:
        """Return places low..high folded into one row of ten columns, None without any."""
        if high <= low:
            return None
        running = self._running if high > self._size else None
        if running is not None and high - low == 1:
            return list(running)
        row = self._rows.fold(low, min(high, self._size))
        if running is not None:
            row[HIGH] = max(row[HIGH], running[HIGH])
            row[LOW] = min(row[LOW], running[LOW])
            row[CLOSE] = running[CLOSE]
            for column in (VOLUME, QUOTE, COUNT, TAKER, TAKER_QUOTE):
                row[column] += running[column]
            if row[FIRST_ID] == NO_ID:
                row[FIRST_ID] = running[FIRST_ID]
        return row

    def close_before(self, place: int) -> int | None:
        """Return the close of the candle before the one at `place`, None before the first."""
        return self._rows.close_at(place - 1) if place > 0 else None

    def since(self, since_ms: int) -> tuple[int, list[int] | None]:
        """Return the place of the first candle that opened then or later, and all from it on."""
        place = self._place(since_ms)
        return place, self.fold(place, len(self))

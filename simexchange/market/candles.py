"""A symbol's candles: compact rows at the base interval, folded upwards when asked."""

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

NO_ID = -1
GROWTH_ROWS = 512


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
    """Closed candles at the base interval and the running one as the last row.

    Args:
        interval: the base interval; nothing finer can be served.
        times_ms: open times of the closed candles, ascending, shape (n,).
        rows: their source columns, shape (n, 9).
    """

    def __init__(self, interval: str, times_ms: Ints, rows: Ints) -> None:
        self.interval = interval
        self._length_ms = INTERVAL_MS[interval]
        self._size = len(times_ms)
        capacity = self._size + GROWTH_ROWS
        self._times = np.empty(capacity, dtype=np.int64)
        self._times[: self._size] = times_ms
        self._rows = np.zeros((capacity, FIRST_ID + 1), dtype=np.int64)
        self._rows[: self._size, :SOURCE_COLUMNS] = rows
        self._rows[: self._size, FIRST_ID] = NO_ID
        self._running: list[int] | None = None
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
        return int(self._times[self._size]) if self._running is not None else None

    def serves(self, interval: str) -> bool:
        """Say whether this store can fold its rows into `interval`."""
        return INTERVAL_MS[interval] % self._length_ms == 0

    def open_candle(self, open_ms: int, ticks: int) -> None:
        """Begin the running candle at a price; the previous one must be closed."""
        if self._running is not None:
            raise ValueError("the running candle is still open")
        self._reserve()
        self._times[self._size] = open_ms
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

    def close_candle(self, source_row: Ints, *, scale: float = 1.0) -> bool:
        """Close the running candle.

        Its prices are the tape's. Its volumes are the source's (the tape is a thinned print of
        them) plus what users and scripts added.

        Args:
            source_row: the source's columns, shape (9,).
            scale: price factor in force, applied to the quote volumes.

        Returns:
            True when the candle differs from the source's row.
        """
        row = self._running
        if row is None:
            raise ValueError("no candle is open")
        for column in (VOLUME, QUOTE, COUNT, TAKER, TAKER_QUOTE):
            amount = int(source_row[column])
            if scale != 1.0 and column in (QUOTE, TAKER_QUOTE):
                amount = round(amount * scale)
            row[column] = amount + self._extra[column]
        differs = scale != 1.0 or any(self._extra) or row[:SOURCE_COLUMNS] != source_row.tolist()
        self._rows[self._size] = row
        self._running = None
        self._extra = [0] * SOURCE_COLUMNS
        self._size += 1
        return differs

    def append_closed(self, open_ms: int, row: Ints) -> None:
        """Append a closed candle that was never played, shape (9,)."""
        self._reserve()
        self._times[self._size] = open_ms
        self._rows[self._size, :SOURCE_COLUMNS] = row
        self._rows[self._size, FIRST_ID] = NO_ID
        self._size += 1

    def last_closed(self) -> tuple[int, list[int]]:
        """Return open time and source columns of the newest closed candle."""
        row: list[int] = self._rows[self._size - 1, :SOURCE_COLUMNS].tolist()
        return int(self._times[self._size - 1]), row

    def _reserve(self) -> None:
        if self._size + 1 < len(self._times):
            return
        more = max(GROWTH_ROWS, len(self._times) // 4)
        self._times = np.concatenate([self._times, np.empty(more, dtype=np.int64)])
        blank = np.zeros((more, FIRST_ID + 1), dtype=np.int64)
        self._rows = np.concatenate([self._rows, blank])

    def _filled(self) -> tuple[Ints, Ints]:
        if self._running is not None:
            self._rows[self._size] = self._running
        count = len(self)
        return self._times[:count], self._rows[:count]

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
        times, rows = self._filled()
        low, high = self._bounds(times, interval, start_ms, end_ms, shift_ms)
        per_candle = INTERVAL_MS[interval] // self._length_ms
        oldest_first = start_ms is not None
        if oldest_first:
            high = min(high, low + limit * per_candle)
        else:  # one more candle than wanted, because the cut may halve the first
            low = max(low, high - (limit + 1) * per_candle)
        if high <= low:
            return []
        opens, folded = self._fold(times[low:high], rows[low:high], interval, shift_ms)
        part = slice(None, limit) if oldest_first else slice(-limit, None)
        return [
            Candle(open_ms, next_open(open_ms, interval, shift_ms) - 1, *row)
            for open_ms, row in zip(opens[part].tolist(), folded[part].tolist(), strict=True)
        ]

    def _bounds(
        self,
        times: Ints,
        interval: str,
        start_ms: int | None,
        end_ms: int | None,
        shift_ms: int,
    ) -> tuple[int, int]:
        low, high = 0, len(times)
        if start_ms is not None:
            first = floor_time(start_ms, interval, shift_ms)
            if first < start_ms:
                first = next_open(first, interval, shift_ms)
            low = int(np.searchsorted(times, first, side="left"))
        if end_ms is not None:
            border = next_open(floor_time(end_ms, interval, shift_ms), interval, shift_ms)
            high = int(np.searchsorted(times, border, side="left"))
        return low, high

    @staticmethod
    def _fold(times: Ints, rows: Ints, interval: str, shift_ms: int) -> tuple[Ints, Ints]:
        opens = floor_times(times, interval, shift_ms)
        starts = np.concatenate([[0], np.flatnonzero(np.diff(opens)) + 1])
        folded = np.empty((len(starts), rows.shape[1]), dtype=np.int64)
        folded[:, OPEN] = rows[starts, OPEN]
        folded[:, HIGH] = np.maximum.reduceat(rows[:, HIGH], starts)
        folded[:, LOW] = np.minimum.reduceat(rows[:, LOW], starts)
        ends = np.concatenate([starts[1:], [len(rows)]]) - 1
        folded[:, CLOSE] = rows[ends, CLOSE]
        sums = [VOLUME, QUOTE, COUNT, TAKER, TAKER_QUOTE]
        folded[:, sums] = np.add.reduceat(rows[:, sums], starts, axis=0)
        folded[:, FIRST_ID] = rows[starts, FIRST_ID]
        return opens[starts], folded

    def candle_at(self, interval: str, open_ms: int, shift_ms: int = 0) -> Candle | None:
        """Return the candle that opens at `open_ms`, a border of `interval`; None without rows."""
        border_ms = next_open(open_ms, interval, shift_ms)
        times, rows = self._filled()
        low, high = np.searchsorted(times, (open_ms, border_ms)).tolist()
        if low == high:
            return None
        if high - low == 1:
            return Candle(open_ms, border_ms - 1, *rows[low].tolist())
        part = rows[low:high]
        first, last, summed = part[0].tolist(), part[-1].tolist(), part.sum(axis=0).tolist()
        return Candle(
            open_ms=open_ms,
            close_ms=border_ms - 1,
            open=first[OPEN],
            high=int(part[:, HIGH].max()),
            low=int(part[:, LOW].min()),
            close=last[CLOSE],
            volume=summed[VOLUME],
            quote=summed[QUOTE],
            trades=summed[COUNT],
            taker=summed[TAKER],
            taker_quote=summed[TAKER_QUOTE],
            first_id=first[FIRST_ID],
        )

    def close_before(self, place: int) -> int | None:
        """Return the close of the candle before the one at `place`, None before the first."""
        return int(self._rows[place - 1, CLOSE]) if place > 0 else None

    def window(self, since_ms: int) -> tuple[Ints, Ints]:
        """Return times and rows of the candles that opened at or after `since_ms`."""
        times, rows = self._filled()
        low = int(np.searchsorted(times, since_ms, side="left"))
        return times[low:], rows[low:]

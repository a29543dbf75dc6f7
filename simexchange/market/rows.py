"""Candles held compactly, column by column: 44 to 60 bytes each instead of 88."""

from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[np.signedinteger]

NO_ID = -1
GROWTH_ROWS = 512
LARGEST_SHORT, LARGEST_LONG = 2**31 - 1, 2**63 - 1
SUMMED = (VOLUME, QUOTE, COUNT, TAKER, TAKER_QUOTE)


def total(column: "Column") -> int:
    """Return the sum of a column of at least one number, exact whatever it takes."""
    if int(column.max()) > LARGEST_LONG // len(column):
        return sum(column.tolist())
    return int(column.sum(dtype=np.int64))


class CandleRows:
    """Rows of candles by place, oldest first; the owner says how many of them count.

    A column takes four bytes a row while its numbers fit, else eight; beyond that, which only
    prices moved by hand reach, it holds Python's integers. Ids of first trades are kept from the
    first row on that has one: what was never played has none.

    Args:
        capacity: rows to have room for.
    """

    def __init__(self, capacity: int) -> None:
        self.times: Ints = np.zeros(capacity, dtype=np.int64)
        self._columns: list[Column] = [
            np.zeros(capacity, dtype=np.int32) for _ in range(SOURCE_COLUMNS)
        ]
        self._ids_from = capacity
        self._ids: Ints = np.zeros(0, dtype=np.int64)

    @classmethod
    def of(cls, times_ms: Ints, rows: Ints) -> "CandleRows":
        """Return compact rows of wide ones, shapes (n,) and (n, 9)."""
        held = cls(len(times_ms))
        held.put(0, times_ms, rows)
        return held

    def __len__(self) -> int:
        """Return for how many rows there is room."""
        return len(self.times)

    def put(self, place: int, times_ms: Ints, rows: Ints) -> None:
        """Write wide rows, shape (n, 9), from `place` on; there must be room."""
        if not len(times_ms):
            return
        end = place + len(times_ms)
        self.times[place:end] = times_ms
        for number, largest in enumerate(rows.max(axis=0).tolist()):
            self._widen(number, largest)
            self._columns[number][place:end] = rows[:, number]

    def put_one(self, place: int, open_ms: int, row: list[int], first_id: int = NO_ID) -> None:
        """Write one row of at least nine source columns, making room when there is none."""
        if place >= len(self.times):
            self._grow(place + 1)
        self.times[place] = open_ms
        for number in range(SOURCE_COLUMNS):
            if row[number] > LARGEST_SHORT:
                self._widen(number, row[number])
            self._columns[number][place] = row[number]
        self.keep_id(place, first_id)

    def holds(self, place: int, open_ms: int) -> bool:
        """Say whether the source's own row of that time is there already."""
        return place < len(self.times) and bool(self.times[place] == open_ms)

    def _widen(self, number: int, largest: int) -> None:
        column = self._columns[number]
        if largest > LARGEST_LONG:
            self._columns[number] = column.astype(object, copy=False)
        elif largest > LARGEST_SHORT and column.dtype == np.int32:
            self._columns[number] = column.astype(np.int64)

    def keep_id(self, place: int, first_id: int) -> None:
        """Note the id of a row's first trade, if it has one."""
        if first_id == NO_ID:
            return
        if not len(self._ids):
            self._ids_from = place
        offset = place - self._ids_from
        if offset < 0:
            return
        if offset >= len(self._ids):
            more = max(GROWTH_ROWS, len(self._ids) // 4, offset + 1 - len(self._ids))
            self._ids = np.concatenate([self._ids, np.full(more, NO_ID, dtype=np.int64)])
        self._ids[offset] = first_id

    def _grow(self, wanted: int) -> None:
        more = max(GROWTH_ROWS, len(self.times) // 8, wanted - len(self.times))
        self.times = np.pad(self.times, (0, more))
        self._columns = [np.pad(column, (0, more)) for column in self._columns]

    def block(self, low: int, high: int) -> Ints:
        """Return the rows of places low..high in wide form, shape (high - low, 10)."""
        is_long = any(column.dtype == object for column in self._columns)
        rows = np.empty((high - low, FIRST_ID + 1), dtype=object if is_long else np.int64)
        for number, column in enumerate(self._columns):
            rows[:, number] = column[low:high]
        rows[:, FIRST_ID] = self.first_ids(low, high)
        return rows

    def first_ids(self, low: int, high: int) -> Ints:
        """Return ids of the first trades of places low..high, -1 where there is none."""
        ids = np.full(high - low, NO_ID, dtype=np.int64)
        start = max(low, self._ids_from)
        end = min(high, self._ids_from + len(self._ids))
        if end > start:
            ids[start - low : end - low] = self._ids[start - self._ids_from : end - self._ids_from]
        return ids

    def row(self, place: int) -> list[int]:
        """Return the nine source columns of one row."""
        return [int(column[place]) for column in self._columns]

    def close_at(self, place: int) -> int:
        """Return the closing price of one row in ticks."""
        return int(self._columns[CLOSE][place])

    def fold(self, low: int, high: int) -> list[int]:
        """Return places low..high, at least one, folded into one row of ten columns."""
        parts = [column[low:high] for column in self._columns]
        folded = [0] * (FIRST_ID + 1)
        folded[OPEN], folded[CLOSE] = int(parts[OPEN][0]), int(parts[CLOSE][-1])
        folded[HIGH], folded[LOW] = int(parts[HIGH].max()), int(parts[LOW].min())
        for number in SUMMED:
            folded[number] = total(parts[number])
        ids = self.first_ids(low, high)
        known = ids[ids != NO_ID]
        folded[FIRST_ID] = int(known[0]) if len(known) else NO_ID
        return folded

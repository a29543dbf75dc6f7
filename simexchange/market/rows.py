"""Candles held compactly, column by column: about 60 bytes each instead of 88."""

from typing import TYPE_CHECKING

import numpy as np

from simexchange.market.bars import (
    CLOSE,
    COUNT,
    FIRST_ID,
    QUOTE,
    SOURCE_COLUMNS,
    TAKER,
    TAKER_QUOTE,
    VOLUME,
    Ints,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

NO_ID = -1
GROWTH_ROWS = 512
LARGEST_SHORT = 2**31 - 1
PRICE_COLUMNS = slice(0, CLOSE + 1)
AMOUNTS = (VOLUME, QUOTE, TAKER, TAKER_QUOTE)


class CandleRows:
    """Rows of candles by place, oldest first; the owner says how many of them count.

    Prices and trade counts take four bytes while they fit. Ids of first trades are kept from the
    first row on that has one: what was never played has none.

    Args:
        capacity: rows to have room for.
    """

    def __init__(self, capacity: int) -> None:
        self.times: Ints = np.zeros(capacity, dtype=np.int64)
        self._prices: NDArray[np.signedinteger] = np.zeros((4, capacity), dtype=np.int32)
        self._counts: NDArray[np.signedinteger] = np.zeros(capacity, dtype=np.int32)
        self._amounts: Ints = np.zeros((len(AMOUNTS), capacity), dtype=np.int64)
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
        end = place + len(times_ms)
        if rows.size and int(rows[:, PRICE_COLUMNS].max()) > LARGEST_SHORT:
            self._prices = self._prices.astype(np.int64, copy=False)
        if rows.size and int(rows[:, COUNT].max()) > LARGEST_SHORT:
            self._counts = self._counts.astype(np.int64, copy=False)
        self.times[place:end] = times_ms
        self._prices[:, place:end] = rows[:, PRICE_COLUMNS].T
        self._counts[place:end] = rows[:, COUNT]
        for row, column in enumerate(AMOUNTS):
            self._amounts[row, place:end] = rows[:, column]

    def put_one(self, place: int, open_ms: int, row: list[int], first_id: int = NO_ID) -> None:
        """Write one row of at least nine source columns, making room when there is none."""
        if place >= len(self.times):
            self._grow(place + 1)
        if max(row[PRICE_COLUMNS]) > LARGEST_SHORT:
            self._prices = self._prices.astype(np.int64, copy=False)
        if row[COUNT] > LARGEST_SHORT:
            self._counts = self._counts.astype(np.int64, copy=False)
        self.times[place] = open_ms
        self._prices[:, place] = row[PRICE_COLUMNS]
        self._counts[place] = row[COUNT]
        self._amounts[:, place] = [row[column] for column in AMOUNTS]
        if first_id != NO_ID:
            self._keep_id(place, first_id)

    def _keep_id(self, place: int, first_id: int) -> None:
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
        self.times = np.concatenate([self.times, np.zeros(more, dtype=np.int64)])
        self._prices = np.pad(self._prices, ((0, 0), (0, more)))
        self._counts = np.pad(self._counts, (0, more))
        self._amounts = np.pad(self._amounts, ((0, 0), (0, more)))

    def block(self, low: int, high: int) -> Ints:
        """Return the rows of places low..high in wide form, shape (high - low, 10)."""
        rows = np.empty((high - low, FIRST_ID + 1), dtype=np.int64)
        rows[:, PRICE_COLUMNS] = self._prices[:, low:high].T
        rows[:, COUNT] = self._counts[low:high]
        for row, column in enumerate(AMOUNTS):
            rows[:, column] = self._amounts[row, low:high]
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
        row = [0] * SOURCE_COLUMNS
        row[PRICE_COLUMNS] = self._prices[:, place].tolist()
        row[COUNT] = int(self._counts[place])
        for column, amount in zip(AMOUNTS, self._amounts[:, place].tolist(), strict=True):
            row[column] = amount
        return row

    def close_at(self, place: int) -> int:
        """Return the closing price of one row in ticks."""
        return int(self._prices[CLOSE, place])

    def fold(self, low: int, high: int) -> list[int]:
        """Return places low..high, at least one, folded into one row of ten columns."""
        folded = [0] * (FIRST_ID + 1)
        prices = self._prices[:, low:high]
        folded[0] = int(prices[0, 0])
        folded[1] = int(prices[1].max())
        folded[2] = int(prices[2].min())
        folded[CLOSE] = int(prices[CLOSE, -1])
        folded[COUNT] = int(self._counts[low:high].sum(dtype=np.int64))
        sums = self._amounts[:, low:high].sum(axis=1).tolist()
        for column, amount in zip(AMOUNTS, sums, strict=True):
            folded[column] = amount
        ids = self.first_ids(low, high)
        known = ids[ids != NO_ID]
        folded[FIRST_ID] = int(known[0]) if len(known) else NO_ID
        return folded

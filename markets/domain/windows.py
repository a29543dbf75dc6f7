"""The newest candles of one instrument as float64 arrays, and the ring that holds them."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from markets.domain.candle import Row
from markets.domain.timeframe import Timeframe

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]

FLOAT_FIELDS = ("open", "high", "low", "close", "volume", "quote_volume", "taker_buy_base")
_ROW_POSITIONS = (2, 3, 4, 5, 6, 7, 9)
_SLACK = 128  # appends between two moves of the buffer's content


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """Closed candles, ascending, one array element each; the last element is the newest.

    Prices are quote per base, `volume` and `taker_buy_base` base units, `quote_volume` quote
    units, all float64. `quote_volume` and `taker_buy_base` are NaN where the source of the candle
    did not publish them. Candles that the exchange never made are absent: look at
    `open_time_ms` before treating neighbours as consecutive.
    """

    open_time_ms: Times
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    quote_volume: Floats
    taker_buy_base: Floats

    def __post_init__(self) -> None:
        for name in FLOAT_FIELDS:
            if getattr(self, name).shape != self.open_time_ms.shape:
                raise ValueError(f"{name} must have shape {self.open_time_ms.shape}")

    def __len__(self) -> int:
        return int(self.open_time_ms.shape[0])

    def tail(self, length: int) -> "Window":
        """Return the newest `length` candles, or all if there are fewer."""
        start = max(0, len(self) - length)
        return Window(
            open_time_ms=self.open_time_ms[start:],
            **{name: getattr(self, name)[start:] for name in FLOAT_FIELDS},
        )


def window_of(times: Times, block: Floats) -> Window:
    """Return a window over `times`, shape (n,), and `block`, shape (7, n), of FLOAT_FIELDS."""
    return Window(open_time_ms=times, **dict(zip(FLOAT_FIELDS, block, strict=True)))


def floats_of(row: Row) -> tuple[float, ...]:
    """Return the FLOAT_FIELDS of a row; NaN where the row has None."""
    return tuple(
        float("nan") if row[position] is None else float(row[position])
        for position in _ROW_POSITIONS
    )


class Change(StrEnum):
    """What a candle did to a ring."""

    APPENDED = "APPENDED"  # the next one
    GAPPED = "GAPPED"  # appended, with candles missing before it
    REPLACED = "REPLACED"  # that open time was there already
    INSERTED = "INSERTED"  # late: put in its place
    IGNORED = "IGNORED"  # older than everything a full ring holds


class RingWindow:
    """The newest `capacity` candles of one instrument and timeframe.

    Appending is O(1): the content moves back to the start of the buffer once per 128 appends.
    """

    def __init__(self, *, timeframe: Timeframe, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be 1 or more, was {capacity}")
        self.timeframe = timeframe
        self.capacity = capacity
        self._times = np.zeros(capacity + _SLACK, dtype=np.int64)
        self._block = np.zeros((len(FLOAT_FIELDS), capacity + _SLACK), dtype=np.float64)
        self._start = 0
        self._end = 0

    def __len__(self) -> int:
        return self._end - self._start

    @property
    def last_open_time_ms(self) -> int | None:
        """Open time of the newest candle; None while empty."""
        return int(self._times[self._end - 1]) if len(self) else None

    @property
    def has_gap(self) -> bool:
        """Whether a candle is missing between the oldest and the newest."""
        if not len(self):
            return False
        span_ms = int(self._times[self._end - 1] - self._times[self._start])
        return span_ms != (len(self) - 1) * self.timeframe.ms

    def fill(self, times: Times, block: Floats) -> None:
        """Replace the content by the newest candles of `times` (n,) and `block` (7, n)."""
        kept = min(times.shape[0], self.capacity)
        self._start, self._end = 0, kept
        self._times[:kept] = times[times.shape[0] - kept :]
        self._block[:, :kept] = block[:, block.shape[1] - kept :]

    def put(self, open_time_ms: int, values: tuple[float, ...]) -> Change:
        """Take one closed candle in, at its place in time.

        Args:
            open_time_ms: On the timeframe's grid.
            values: FLOAT_FIELDS in their order.
        """
        last = self.last_open_time_ms
        if last is None or open_time_ms > last:
            self._append(open_time_ms, values)
            is_next = last is None or open_time_ms == last + self.timeframe.ms
            return Change.APPENDED if is_next else Change.GAPPED
        times = self._times[self._start : self._end]
        place = self._start + int(np.searchsorted(times, open_time_ms))
        if self._times[place] == open_time_ms:
            self._block[:, place] = values
            return Change.REPLACED
        return self._insert(place, open_time_ms, values)

    def window(self, *, length: int, end_ms: int | None = None) -> Window:
        """Return a copy of the newest `length` candles, or of all if there are fewer.

        Args:
            length: Most candles to return.
            end_ms: Leave out candles that close after this time.
        """
        end = self._end
        if end_ms is not None:
            times = self._times[self._start : self._end]
            last_open_ms = end_ms - self.timeframe.ms
            end = self._start + int(np.searchsorted(times, last_open_ms, side="right"))
        start = max(self._start, end - length)
        return window_of(self._times[start:end].copy(), self._block[:, start:end].copy())

    def _append(self, open_time_ms: int, values: tuple[float, ...]) -> None:
        if self._end == self._times.shape[0]:
            self._compact()
        self._times[self._end] = open_time_ms
        self._block[:, self._end] = values
        self._end += 1
        self._start = max(self._start, self._end - self.capacity)

    def _compact(self) -> None:
        length = len(self)
        self._times[:length] = self._times[self._start : self._end].copy()
        self._block[:, :length] = self._block[:, self._start : self._end].copy()
        self._start, self._end = 0, length

    def _insert(self, place: int, open_time_ms: int, values: tuple[float, ...]) -> Change:
        offset = place - self._start
        if len(self) == self.capacity:
            if offset == 0:
                return Change.IGNORED
            self._start += 1
            offset -= 1
        times = np.insert(self._times[self._start : self._end], offset, open_time_ms)
        block = np.insert(self._block[:, self._start : self._end], offset, values, axis=1)
        self.fill(times, block)
        return Change.INSERTED

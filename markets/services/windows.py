"""The newest candles of many instruments, kept in the memory of one process."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from markets.domain.candle import Row
from markets.domain.timeframe import Timeframe
from markets.domain.windows import Change, Floats, RingWindow, Times, Window, floats_of
from markets.selectors import load_series

CAPACITY = 600
_RAREST_RECHECK = 64  # closes between two looks for late history


class _Series:
    """A ring and what is known of its agreement with the database."""

    __slots__ = ("puts_since_load", "recheck_after", "ring")

    def __init__(self, ring: RingWindow) -> None:
        self.ring = ring
        self.puts_since_load = 0
        self.recheck_after = 0

    def is_current(self, last_open_ms: int) -> bool:
        """Whether the ring can be used as it is for the candle that opened at `last_open_ms`."""
        last = self.ring.last_open_time_ms
        if last is None or last < last_open_ms:
            return False
        # A hole or a short past may have been filled in the database meanwhile. Asking at every
        # close would cost a query per close for as long as it lasts, so we ask ever more rarely.
        return not self.is_partial or self.puts_since_load < self.recheck_after

    @property
    def is_partial(self) -> bool:
        """Whether the database may have candles inside the ring's reach that the ring lacks."""
        return self.ring.has_gap or len(self.ring) < self.ring.capacity

    def note_loaded(self) -> None:
        self.puts_since_load = 0
        self.recheck_after = min(_RAREST_RECHECK, max(1, self.recheck_after * 2))


class WindowStore:
    """Rings of closed candles by instrument and timeframe. Belongs to one thread.

    What it returns equals ``selectors.load_window`` on the same candles bit for bit.
    """

    def __init__(self, *, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self._series: dict[tuple[Timeframe, int], _Series] = {}

    def extend(self, *, timeframe: str, rows: Iterable[Row]) -> None:
        """Take closed candles in, in any order; an open time that is there is replaced.

        A series that was never loaded is left to `ensure`, which finds the candle in the
        database together with those before it.
        """
        timeframe = Timeframe(timeframe)
        for row in rows:
            series = self._series.get((timeframe, row[0]))
            if series is None:
                continue
            change = series.ring.put(row[1], floats_of(row))
            series.puts_since_load += 1
            if change is Change.GAPPED:
                series.recheck_after = 0

    def ensure(self, *, timeframe: str, instrument_ids: Sequence[int], close_time_ms: int) -> None:
        """Load what is missing up to the close at `close_time_ms`, with at most one query.

        A series that lacks the newest candle even in the database stays as it is there: the
        caller sees that by the last open time of its window.
        """
        timeframe = Timeframe(timeframe)
        last_open_ms = close_time_ms - timeframe.ms
        missing = []
        for instrument_id in instrument_ids:
            series = self._series.get((timeframe, instrument_id))
            if series is None or not series.is_current(last_open_ms):
                missing.append(instrument_id)
        if not missing:
            return
        loaded = load_series(
            instrument_ids=missing,
            timeframe=timeframe,
            close_time_ms=self._latest_close_ms(timeframe, missing, close_time_ms),
            length=self.capacity,
        )
        for instrument_id in missing:
            self._load(timeframe, instrument_id, loaded.get(instrument_id))

    def window(
        self,
        *,
        timeframe: str,
        instrument_id: int,
        length: int,
        close_time_ms: int | None = None,
    ) -> Window:
        """Return a copy of the newest `length` candles, fewer if there are not so many.

        Args:
            timeframe: Which candles.
            instrument_id: Which instrument; an unknown one has an empty window.
            length: Most candles, at most the store's capacity.
            close_time_ms: Leave out candles that close after, for a close handled late.
        """
        if length > self.capacity:
            raise ValueError(f"length must be at most {self.capacity}, was {length}")
        timeframe = Timeframe(timeframe)
        series = self._series.get((timeframe, instrument_id))
        if series is None:
            # Not kept: `extend` must not fill a ring whose past was never loaded.
            return RingWindow(timeframe=timeframe, capacity=1).window(length=0)
        return series.ring.window(length=length, end_ms=close_time_ms)

    def _latest_close_ms(
        self, timeframe: Timeframe, instrument_ids: Sequence[int], close_time_ms: int
    ) -> int:
        """Return the time to load up to, so that a late close does not cut newer candles off."""
        times = [close_time_ms]
        for instrument_id in instrument_ids:
            series = self._series.get((timeframe, instrument_id))
            last = None if series is None else series.ring.last_open_time_ms
            if last is not None:
                times.append(last + timeframe.ms)
        return max(times)

    def _series_of(self, timeframe: Timeframe, instrument_id: int) -> _Series:
        key = (timeframe, instrument_id)
        if key not in self._series:
            ring = RingWindow(timeframe=timeframe, capacity=self.capacity)
            self._series[key] = _Series(ring)
        return self._series[key]

    def _load(
        self, timeframe: Timeframe, instrument_id: int, found: tuple[Times, Floats] | None
    ) -> None:
        series = self._series_of(timeframe, instrument_id)
        if found is not None:
            series.ring.fill(*found)
        series.note_loaded()


@lru_cache(maxsize=1)
def get_window_store() -> WindowStore:
    """Return the store of this process."""
    return WindowStore()

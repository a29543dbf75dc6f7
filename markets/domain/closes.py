"""Gathering the candles that close together, so that one message carries them all."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from markets.domain.candle import Row
from markets.domain.timeframe import Timeframe


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseBatch:
    """Candles of one timeframe that closed at the same time, in row form."""

    timeframe: Timeframe
    close_time_ms: int
    rows: tuple[Row, ...]


@dataclass(slots=True)
class _Gathering:
    first_at_s: float
    rows: dict[int, Row]


class CloseBatcher:
    """Holds the closes of a moment until all expected are there, or the wait is over.

    Args:
        wait_s: Longest time from the first candle of a close to its batch, wall seconds.
    """

    def __init__(self, *, wait_s: float = 0.25) -> None:
        self._wait_s = wait_s
        self._expected: dict[Timeframe, frozenset[int]] = {}
        self._gathering: dict[tuple[Timeframe, int], _Gathering] = {}

    def expect(self, instruments: Mapping[Timeframe, Collection[int]]) -> None:
        """Set which instruments close in each timeframe."""
        self._expected = {key: frozenset(found) for key, found in instruments.items()}

    def add(self, timeframe: Timeframe, row: Row, *, at_s: float) -> None:
        """Take a closed candle in.

        Args:
            timeframe: Its length.
            row: Its row form.
            at_s: Wall time by any steady clock.
        """
        key = (timeframe, row[1] + timeframe.ms)
        gathering = self._gathering.setdefault(key, _Gathering(at_s, {}))
        gathering.rows[row[0]] = row

    def take(self, *, at_s: float) -> list[CloseBatch]:
        """Return and forget the batches that are complete or have waited enough, oldest first."""
        ready = []
        for (timeframe, close_time_ms), gathering in sorted(self._gathering.items()):
            is_complete = gathering.rows.keys() >= self._expected.get(timeframe, frozenset())
            if is_complete or at_s - gathering.first_at_s >= self._wait_s:
                rows = tuple(gathering.rows.values())
                ready.append(
                    CloseBatch(timeframe=timeframe, close_time_ms=close_time_ms, rows=rows)
                )
        for batch in ready:
            del self._gathering[batch.timeframe, batch.close_time_ms]
        return sorted(ready, key=lambda batch: batch.close_time_ms)

"""Which candles are missing from a series."""

from collections.abc import Iterable
from dataclasses import dataclass

from markets.domain.timeframe import Timeframe


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Missing open times from `start_ms` up to, not including, `end_ms`."""

    start_ms: int
    end_ms: int

    def __post_init__(self) -> None:
        if self.start_ms >= self.end_ms:
            raise ValueError(f"a gap ends after its start, was {self.start_ms}..{self.end_ms}")

    def count(self, timeframe: Timeframe) -> int:
        """Return how many candles are missing."""
        return (self.end_ms - self.start_ms) // timeframe.ms


def find_gaps(
    open_times_ms: Iterable[int], *, timeframe: Timeframe, start_ms: int, end_ms: int
) -> tuple[Gap, ...]:
    """Return the stretches of [start_ms, end_ms) that have no candle, ascending.

    Args:
        open_times_ms: Open times present, ascending; those outside the range are ignored.
        timeframe: Their length.
        start_ms: First open time wanted, rounded up to the grid.
        end_ms: First open time not wanted, rounded up to the grid.
    """
    expected = -(-start_ms // timeframe.ms) * timeframe.ms
    end = -(-end_ms // timeframe.ms) * timeframe.ms
    gaps = []
    for open_time_ms in open_times_ms:
        if open_time_ms < expected:
            continue
        if open_time_ms >= end:
            break
        if open_time_ms > expected:
            gaps.append(Gap(start_ms=expected, end_ms=open_time_ms))
        expected = open_time_ms + timeframe.ms
    if expected < end:
        gaps.append(Gap(start_ms=expected, end_ms=end))
    return tuple(gaps)


def subtract(gaps: Iterable[Gap], known: Iterable[Gap]) -> tuple[Gap, ...]:
    """Return what is left of `gaps` without the stretches in `known` (both ascending)."""
    holes = tuple(known)
    left = []
    for gap in gaps:
        start_ms = gap.start_ms
        for hole in holes:
            if hole.end_ms <= start_ms or hole.start_ms >= gap.end_ms:
                continue
            if hole.start_ms > start_ms:
                left.append(Gap(start_ms=start_ms, end_ms=hole.start_ms))
            start_ms = max(start_ms, hole.end_ms)
        if start_ms < gap.end_ms:
            left.append(Gap(start_ms=start_ms, end_ms=gap.end_ms))
    return tuple(left)

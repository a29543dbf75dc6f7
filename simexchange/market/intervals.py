"""Candle intervals and their borders in UTC (or shifted by a time zone)."""

import numpy as np
from numpy.typing import NDArray

SECOND_MS = 1_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
MONDAY_SHIFT_MS = 4 * DAY_MS
"""1970-01-05 was a Monday; weeks open on Mondays."""
LONGEST_MONTH_MS = 31 * DAY_MS

INTERVAL_MS: dict[str, int] = {
    "1s": SECOND_MS,
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": HOUR_MS,
    "2h": 2 * HOUR_MS,
    "4h": 4 * HOUR_MS,
    "6h": 6 * HOUR_MS,
    "8h": 8 * HOUR_MS,
    "12h": 12 * HOUR_MS,
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
    "1w": WEEK_MS,
    "1M": LONGEST_MONTH_MS,
}
"""Longest length of each interval; only the month varies."""


def floor_times(times_ms: NDArray[np.int64], interval: str, shift_ms: int = 0) -> NDArray[np.int64]:
    """Return the open time of the candle that holds each time.

    Args:
        times_ms: epoch milliseconds, any shape.
        interval: a key of `INTERVAL_MS`.
        shift_ms: offset of the time zone whose days, weeks and months count.

    Returns:
        Epoch milliseconds, same shape.
    """
    local = times_ms + shift_ms
    if interval == "1M":
        months = local.astype("datetime64[ms]").astype("datetime64[M]")
        floored = months.astype("datetime64[ms]").astype(np.int64)
    elif interval == "1w":
        floored = (local - MONDAY_SHIFT_MS) // WEEK_MS * WEEK_MS + MONDAY_SHIFT_MS
    else:
        length = INTERVAL_MS[interval]
        floored = local // length * length
    return np.asarray(floored - shift_ms, dtype=np.int64)


def floor_time(time_ms: int, interval: str, shift_ms: int = 0) -> int:
    """Return the open time of the candle that holds `time_ms`."""
    if interval in {"1M", "1w"}:
        return int(floor_times(np.array([time_ms], dtype=np.int64), interval, shift_ms)[0])
    length = INTERVAL_MS[interval]
    return (time_ms + shift_ms) // length * length - shift_ms


def next_open(open_ms: int, interval: str, shift_ms: int = 0) -> int:
    """Return when the candle that opened at `open_ms` ends and the next one opens."""
    if interval == "1M":
        return floor_time(open_ms + LONGEST_MONTH_MS + DAY_MS, "1M", shift_ms)
    return open_ms + INTERVAL_MS[interval]


def next_opens(opens_ms: NDArray[np.int64], interval: str, shift_ms: int = 0) -> NDArray[np.int64]:
    """Return `next_open` of every element."""
    if interval == "1M":
        return floor_times(opens_ms + LONGEST_MONTH_MS + DAY_MS, "1M", shift_ms)
    return opens_ms + INTERVAL_MS[interval]

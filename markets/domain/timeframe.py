"""The lengths of candle that the system knows."""

from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

from core.clock import from_ms, to_ms

_UNIT_S = {"m": 60, "h": 3600, "d": 86_400}


class Timeframe(StrEnum):
    """One length of candle; every one of them divides the UTC day."""

    M1 = "1m"
    M3 = "3m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H2 = "2h"
    H4 = "4h"
    H6 = "6h"
    H8 = "8h"
    H12 = "12h"
    D1 = "1d"

    @cached_property
    def seconds(self) -> int:
        """Length in seconds."""
        return int(self.value[:-1]) * _UNIT_S[self.value[-1]]

    @cached_property
    def ms(self) -> int:
        """Length in milliseconds."""
        return self.seconds * 1000

    @cached_property
    def delta(self) -> timedelta:
        """Length as a duration: a candle's ``close_time`` is ``open_time + delta``."""
        return timedelta(seconds=self.seconds)

    def floor_ms(self, time_ms: int) -> int:
        """Return the open time of the candle that `time_ms` lies in."""
        return time_ms - time_ms % self.ms

    def floor(self, moment: datetime) -> datetime:
        """Return the open time of the candle that the aware `moment` lies in."""
        return from_ms(self.floor_ms(to_ms(moment)))

"""Windows of candles that walked at random, the same every time."""

from datetime import datetime

import numpy as np

from core.clock import to_ms
from markets.domain.timeframe import Timeframe
from markets.domain.windows import FLOAT_FIELDS, Window


class Walks:
    """A window store whose every symbol walked at random, ending at the given close."""

    def __init__(self, close_time: datetime, *, timeframe: Timeframe, length: int = 200) -> None:
        self.timeframe = timeframe
        self.last_open_ms = to_ms(close_time) - timeframe.ms
        self.length = length
        self.ensured = 0

    def ensure(self, *, timeframe, instrument_ids, close_time_ms) -> None:
        self.ensured += 1

    def window(self, *, timeframe, instrument_id, length, close_time_ms) -> Window:
        count = min(length, self.length)
        steps = np.random.default_rng(instrument_id).normal(0.0, 0.004, count)
        close = 100.0 * np.exp(np.cumsum(steps))
        back = np.arange(count - 1, -1, -1, dtype=np.int64)
        times = self.last_open_ms - self.timeframe.ms * back
        return Window(open_time_ms=times, **dict.fromkeys(FLOAT_FIELDS, close))

"""What the market did, kept: instruments, candles and what we listen to."""

from markets.models.candle import Candle, CandleGap
from markets.models.instrument import Instrument
from markets.models.subscription import Subscription

__all__ = ["Candle", "CandleGap", "Instrument", "Subscription"]

"""What is replayed: one symbol's closed candles, and a finer series of the same market if given."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from markets.domain.instrument import InstrumentRules
from markets.domain.timeframe import Timeframe
from markets.domain.windows import Window

Times = npt.NDArray[np.int64]

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One stretch of prices in time order: all that is known is that `open` came first.

    Attributes:
        open_ms: Its start.
        close_ms: Its end.
        open: Quote per base, float64 like the three that follow.
        volume: Base units.
        spread: Relative range of the stretch before, a measure of volatility known at the open.
    """

    open_ms: int
    close_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    spread: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """Candles of one symbol, ascending, with the rules of its exchange.

    Attributes:
        rules: Filters and grids.
        timeframe: Length of the candles that are decided on.
        candles: Closed candles; those before the replay's start are warm-up.
        detail: Finer candles of the same market, or None: then nothing is known of the order of
            prices inside a candle, and a stop counts as hit before a target.
        detail_timeframe: Their length.
        close_ms: When each candle closed, shape (n,).
    """

    rules: InstrumentRules
    timeframe: Timeframe
    candles: Window
    detail: Window | None = None
    detail_timeframe: Timeframe | None = None
    close_ms: Times = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "close_ms", self.candles.open_time_ms + self.timeframe.ms)
        symbol = self.rules.symbol
        _check(self.candles, symbol)
        if (self.detail is None) != (self.detail_timeframe is None):
            raise ValueError(f"detail and detail_timeframe of {symbol} belong together")
        if self.detail is not None and self.detail_timeframe is not None:
            _check(self.detail, symbol)
            if self.timeframe.ms % self.detail_timeframe.ms:
                raise ValueError(
                    f"{self.detail_timeframe} candles do not divide {self.timeframe} ones"
                )

    def __len__(self) -> int:
        return len(self.candles)

    def bars(self, row: int) -> Iterator[Bar]:
        """Return the stretches that make up candle `row`: its finer candles, or itself."""
        begin = int(self.candles.open_time_ms[row])
        end = begin + self.timeframe.ms
        if self.detail is not None and self.detail_timeframe is not None:
            times = self.detail.open_time_ms
            first, last = times.searchsorted((begin, end))
            if last > first:
                for index in range(int(first), int(last)):
                    yield _bar(self.detail, index, self.detail_timeframe.ms)
                return
        yield _bar(self.candles, row, self.timeframe.ms)


def exact(price: float) -> Decimal:
    """Return the shortest decimal that stands for this float: the one it was read from."""
    return Decimal(repr(float(price)))


def union_of_closes(series: Sequence[Series]) -> Times:
    """Return every moment at which a candle of some symbol closes, ascending, shape (n,)."""
    if len(series) == 1:
        return series[0].close_ms
    return np.unique(np.concatenate([item.close_ms for item in series]))


def _bar(window: Window, index: int, length_ms: int) -> Bar:
    before = max(0, index - 1)
    opened = int(window.open_time_ms[index])
    return Bar(
        open_ms=opened,
        close_ms=opened + length_ms,
        open=float(window.open[index]),
        high=float(window.high[index]),
        low=float(window.low[index]),
        close=float(window.close[index]),
        volume=float(window.volume[index]),
        spread=float((window.high[before] - window.low[before]) / window.close[before]),
    )


def _check(window: Window, symbol: str) -> None:
    times = window.open_time_ms
    if not len(times):
        raise ValueError(f"there are no candles of {symbol}")
    if bool((np.diff(times) <= 0).any()):
        raise ValueError(f"candles of {symbol} must ascend in time")
    for name in ("open", "high", "low", "close"):
        column = getattr(window, name)
        if not bool((np.isfinite(column) & (column > 0)).all()):
            raise ValueError(f"{name} of {symbol} must be finite and above 0 in every candle")

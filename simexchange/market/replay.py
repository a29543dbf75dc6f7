"""Candles from files, several symbols in step, gaps kept."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from simexchange.market.bars import (
    CLOSE,
    COUNT,
    QUOTE,
    SOURCE_COLUMNS,
    TAKER,
    TAKER_QUOTE,
    VOLUME,
    Bar,
    Ints,
    spread_for,
)
from simexchange.market.bridge import prints_per_candle
from simexchange.market.candlefiles import (
    FileRow,
    choose_files,
    find_files,
    places,
    read_rows,
)
from simexchange.market.grid import Grid
from simexchange.market.instruments import usual_step_decimals
from simexchange.market.intervals import INTERVAL_MS, LONGEST_MONTH_MS

SPREAD_BPS = 1.0
MADE_UP = ("quote", "trades", "taker", "taker_quote")
LARGEST_SUM = 2**62
"""A month's quote volume must stay below it; quote decimals are dropped until it does."""


class ReplaySource:
    """Candles exactly as files have them.

    The clock starts at the open of the candle before which `history_bars` candles lie, for the
    symbol where that is latest; everything older is history. After a symbol's last candle its
    price stands still.

    Args:
        paths: files or folders.
        symbols: which symbols; all found when empty.
        seed: orders the walk inside the candles.
        history_bars: closed candles before the start.
        interval: which files to take where several intervals lie together.

    Raises:
        ValueError: when files do not fit or hold too few candles.
    """

    own_trades_move_range = False

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        symbols: Sequence[str] = (),
        seed: int,
        history_bars: int,
        interval: str | None = None,
    ) -> None:
        if history_bars < 1:
            raise ValueError(f"at least one candle of history is needed, was {history_bars}")
        self._settings: dict[str, Any] = {
            "paths": tuple(paths),
            "symbols": tuple(symbols),
            "history_bars": history_bars,
            "interval": interval,
        }
        self.seed = seed
        self.interval, files = choose_files(find_files(paths), symbols=symbols, interval=interval)
        self.symbols = tuple(files)
        self._files = files
        self.grids: dict[str, Grid] = {}
        self._made_up: dict[str, list[str]] = {}
        self._times: dict[str, Ints] = {}
        self._rows: dict[str, Ints] = {}
        for symbol, paths_of_symbol in files.items():
            self._load(symbol, read_rows(paths_of_symbol))
        self.start_ms = max(self._start_of(symbol, history_bars) for symbol in self.symbols)
        self._first = {s: int(np.searchsorted(self._times[s], self.start_ms)) for s in self.symbols}
        for symbol, first in self._first.items():
            if first == 0 or first == len(self._times[symbol]):
                raise ValueError(f"{symbol} has no candles on both sides of the common start")
        self._place = dict(self._first)

    def _start_of(self, symbol: str, history_bars: int) -> int:
        times = self._times[symbol]
        if len(times) <= history_bars:
            raise ValueError(f"{symbol} has {len(times)} candles, history wants {history_bars}")
        return int(times[history_bars])

    def _load(self, symbol: str, found: list[FileRow]) -> None:
        length_ms = INTERVAL_MS[self.interval]
        if not found:
            raise ValueError(f"{symbol} has no candles")
        if self.interval not in {"1w", "1M"} and any(row.open_ms % length_ms for row in found):
            raise ValueError(f"{symbol} has open times off the {self.interval} grid")
        grid = self.grids[symbol] = file_grid(symbol, found, length_ms)
        self._made_up[symbol] = [
            name for name in MADE_UP if any(getattr(row, name) is None for row in found)
        ]
        prints = prints_per_candle(self.interval)
        self._times[symbol] = np.array([row.open_ms for row in found], dtype=np.int64)
        self._rows[symbol] = np.array(
            [_as_units(row, grid, prints) for row in found], dtype=np.int64
        ).reshape(-1, SOURCE_COLUMNS)

    def history(self, symbol: str) -> tuple[Ints, Ints]:
        """Return open times (n,) and rows (n, 9) of the candles before `start_ms`."""
        first = self._first[symbol]
        return self._times[symbol][:first], self._rows[symbol][:first]

    def bar_at(self, open_ms: int) -> Bar:
        """Return the candles that open at `open_ms`; a symbol with a gap there is not present."""
        count = len(self.symbols)
        rows = np.ones((count, SOURCE_COLUMNS), dtype=np.int64)
        present = np.zeros(count, dtype=np.bool_)
        for index, symbol in enumerate(self.symbols):
            times, place = self._times[symbol], self._place[symbol]
            while place < len(times) and times[place] < open_ms:
                place += 1
            self._place[symbol] = place
            if place < len(times) and times[place] == open_ms:
                rows[index] = self._rows[symbol][place]
                present[index] = True
        return Bar(
            open_ms=open_ms,
            rows=rows,
            present=present,
            spread_ticks=spread_for(rows[:, CLOSE], SPREAD_BPS),
            depth=np.ones(count),
        )

    def fresh(self) -> "ReplaySource":
        """Return the same source from its start once more."""
        return ReplaySource(seed=self.seed, **self._settings)

    def describe(self, symbol: str) -> dict[str, Any]:
        """Return the provenance; `made_up` are the columns the file lacks."""
        names = [path.name for path in self._files[symbol]]
        return {
            "source": "replay",
            "file": names[0] if len(names) == 1 else names,
            "interval": self.interval,
            "made_up": self._made_up[symbol],
            "ends_ms": int(self._times[symbol][-1]) + INTERVAL_MS[self.interval],
            "ended": self._place[symbol] >= len(self._times[symbol]),
        }

    def signature(self) -> dict[str, Any]:
        """Return what a snapshot must agree with."""
        return {
            "source": "replay",
            "seed": self.seed,
            "symbols": list(self.symbols),
            "interval": self.interval,
            "files": {s: [path.name for path in self._files[s]] for s in self.symbols},
            "start_ms": self.start_ms,
        }


def file_grid(symbol: str, found: Sequence[FileRow], length_ms: int) -> Grid:
    """Return the grid on which a file's prices and volumes are exact integers.

    The step, to which orders keep, is the usual one for the price and never finer than the file.
    """
    price_decimals = places(price for row in found for price in row.prices)
    volume_decimals = places(row.volume for row in found)
    volume_decimals = max(
        volume_decimals, places(row.taker for row in found if row.taker is not None)
    )
    last = float(found[-1].prices[3])
    step_decimals = min(usual_step_decimals(symbol, last), volume_decimals)
    largest = max(float(row.volume * row.prices[1]) for row in found)
    per_month = largest * LONGEST_MONTH_MS / length_ms
    quote_decimals = min(8, price_decimals + volume_decimals)
    while quote_decimals and per_month * 10.0**quote_decimals > LARGEST_SUM:
        quote_decimals -= 1
    return Grid(
        symbol=symbol,
        price_decimals=price_decimals,
        step_decimals=step_decimals,
        volume_decimals=volume_decimals,
        quote_decimals=quote_decimals,
    )


def _as_units(row: FileRow, grid: Grid, prints: int) -> list[int]:
    """Return a file's candle as integers.

    Columns the file lacks become a typical-price quote volume, an even taker share and the
    tape's own number of trades.
    """
    ticks = [int(price.scaleb(grid.price_decimals)) for price in row.prices]
    volume = grid.units(row.volume)
    typical = grid.quote_units(sum(ticks) // 4, volume)
    quote = typical if row.quote is None else _quote(row.quote, grid)
    taker = volume // 2 if row.taker is None else grid.units(row.taker)
    taker_share = taker / volume if volume else 0.0
    trades = prints if row.trades is None else int(row.trades)
    filled = [0] * SOURCE_COLUMNS
    filled[:4] = ticks
    filled[VOLUME], filled[QUOTE], filled[TAKER] = volume, quote, taker
    filled[COUNT] = trades if volume else 0
    filled[TAKER_QUOTE] = (
        round(quote * taker_share) if row.taker_quote is None else _quote(row.taker_quote, grid)
    )
    return filled


def _quote(value: Decimal, grid: Grid) -> int:
    return int(value.scaleb(grid.quote_decimals).to_integral_value())

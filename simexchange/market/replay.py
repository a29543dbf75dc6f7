"""Candles from files, several symbols in step, gaps kept."""

from collections.abc import Callable, Sequence
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
    WIRE_DECIMALS,
    FileColumns,
    choose_files,
    find_files,
    read_columns,
)
from simexchange.market.grid import Grid
from simexchange.market.instruments import usual_step_decimals
from simexchange.market.intervals import INTERVAL_MS, LONGEST_MONTH_MS
from simexchange.market.rows import CandleRows

SPREAD_BPS = 1.0
MADE_UP = {
    "quote_volume": "quote",
    "trades": "trades",
    "taker_buy_base": "taker",
    "taker_buy_quote": "taker_quote",
}
LARGEST_SUM = 2**62
"""A month's quote volume must stay below it; quote decimals are dropped until it does."""


def say_nothing(_line: str) -> None:
    """Tell nobody."""


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
        say: is told of progress.

    Raises:
        ValueError: when files do not fit or hold too few candles.
    """

    own_trades_move_range = False
    tape_is_whole = False

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        symbols: Sequence[str] = (),
        seed: int,
        history_bars: int,
        interval: str | None = None,
        say: Callable[[str], None] = say_nothing,
    ) -> None:
        if history_bars < 1:
            raise ValueError(f"at least one candle of history is needed, was {history_bars}")
        self.seed = seed
        self.interval, files = choose_files(find_files(paths), symbols=symbols, interval=interval)
        self.symbols = tuple(files)
        self._files = files
        self.grids: dict[str, Grid] = {}
        self._made_up: dict[str, list[str]] = {}
        self._rows: dict[str, CandleRows] = {}
        self._count: dict[str, int] = {}
        for number, (symbol, paths_of_symbol) in enumerate(files.items(), start=1):
            self._load(symbol, read_columns(paths_of_symbol))
            say(f"read {symbol} ({number} of {len(files)}), {self._count[symbol]} candles")
        self.start_ms = max(self._start_of(symbol, history_bars) for symbol in self.symbols)
        self._first = {s: int(np.searchsorted(self._times(s), self.start_ms)) for s in self.symbols}
        for symbol, first in self._first.items():
            if first == 0 or first == self._count[symbol]:
                raise ValueError(f"{symbol} has no candles on both sides of the common start")
        self._place = dict(self._first)

    def _times(self, symbol: str) -> Ints:
        return self._rows[symbol].times[: self._count[symbol]]

    def _start_of(self, symbol: str, history_bars: int) -> int:
        times = self._times(symbol)
        if len(times) <= history_bars:
            raise ValueError(f"{symbol} has {len(times)} candles, history wants {history_bars}")
        return int(times[history_bars])

    def _load(self, symbol: str, found: FileColumns) -> None:
        length_ms = INTERVAL_MS[self.interval]
        if not len(found):
            raise ValueError(f"{symbol} has no candles")
        if self.interval not in {"1w", "1M"} and bool(np.any(found.open_ms % length_ms)):
            raise ValueError(f"{symbol} has open times off the {self.interval} grid")
        grid = self.grids[symbol] = file_grid(symbol, found, length_ms)
        self._made_up[symbol] = [MADE_UP[name] for name in found.missing]
        rows = as_units(found, grid, prints_per_candle(self.interval))
        self._rows[symbol] = CandleRows.of(found.open_ms, rows)
        self._count[symbol] = len(found)

    def candle_rows(self, symbol: str) -> tuple[CandleRows, int]:
        """Hand over all rows and how many closed before the start; they are read here still."""
        return self._rows[symbol], self._first[symbol]

    def bar_at(self, open_ms: int) -> Bar:
        """Return the candles that open at `open_ms`; a symbol with a gap there is not present."""
        count = len(self.symbols)
        rows = np.ones((count, SOURCE_COLUMNS), dtype=np.int64)
        present = np.zeros(count, dtype=np.bool_)
        for index, symbol in enumerate(self.symbols):
            times, last, place = self._rows[symbol].times, self._count[symbol], self._place[symbol]
            while place < last and times[place] < open_ms:
                place += 1
            self._place[symbol] = place
            if place < last and times[place] == open_ms:
                rows[index] = self._rows[symbol].row(place)
                present[index] = True
        return Bar(
            open_ms=open_ms,
            rows=rows,
            present=present,
            spread_ticks=spread_for(rows[:, CLOSE], SPREAD_BPS),
            depth=np.ones(count),
        )

    def describe(self, symbol: str) -> dict[str, Any]:
        """Return the provenance; `made_up` are the columns the file lacks."""
        names = [path.name for path in self._files[symbol]]
        return {
            "source": "replay",
            "file": names[0] if len(names) == 1 else names,
            "interval": self.interval,
            "made_up": self._made_up[symbol],
            "ends_ms": int(self._times(symbol)[-1]) + INTERVAL_MS[self.interval],
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


def file_grid(symbol: str, found: FileColumns, length_ms: int) -> Grid:
    """Return the grid on which a file's prices and volumes are exact integers.

    The step, to which orders keep, is the usual one for the price and never finer than the file.
    """
    price_decimals = found.places("open", "high", "low", "close")
    volume_decimals = found.places("volume", "taker_buy_base")
    last = float(found.floats("close")[-1])
    step_decimals = min(usual_step_decimals(symbol, last), volume_decimals)
    notional = found.floats("volume") * found.floats("high")
    per_month = float(notional.max()) * LONGEST_MONTH_MS / length_ms
    if float(found.floats("volume").sum()) * 10.0**volume_decimals > LARGEST_SUM:
        raise ValueError(f"{symbol} has volumes too large for {volume_decimals} decimals")
    quote_decimals = min(WIRE_DECIMALS, price_decimals + volume_decimals)
    while quote_decimals and per_month * 10.0**quote_decimals > LARGEST_SUM:
        quote_decimals -= 1
    return Grid(
        symbol=symbol,
        price_decimals=price_decimals,
        step_decimals=step_decimals,
        volume_decimals=volume_decimals,
        quote_decimals=quote_decimals,
    )


def as_units(found: FileColumns, grid: Grid, prints: int) -> Ints:
    """Return a file's candles as integers, shape (n, 9).

    Columns the file lacks become a typical-price quote volume, an even taker share and the
    tape's own number of trades.
    """
    rows = np.zeros((len(found), SOURCE_COLUMNS), dtype=np.int64)
    for column, name in enumerate(("open", "high", "low", "close")):
        rows[:, column] = found.units(name, grid.price_decimals)
    rows[:, VOLUME] = volume = found.units("volume", grid.volume_decimals)
    if "quote_volume" in found.missing:
        typical = rows[:, :4].sum(axis=1) // 4
        pairs = zip(typical.tolist(), volume.tolist(), strict=True)
        rows[:, QUOTE] = [grid.quote_units(ticks, units) for ticks, units in pairs]
    else:
        rows[:, QUOTE] = found.units("quote_volume", grid.quote_decimals)
    has_taker = "taker_buy_base" not in found.missing
    taken = found.units("taker_buy_base", grid.volume_decimals) if has_taker else volume // 2
    rows[:, TAKER] = taken
    if "taker_buy_quote" in found.missing:
        share = rows[:, TAKER] / np.maximum(1, volume)
        rows[:, TAKER_QUOTE] = np.rint(rows[:, QUOTE] * share).astype(np.int64)
    else:
        rows[:, TAKER_QUOTE] = found.units("taker_buy_quote", grid.quote_decimals)
    trades = prints if "trades" in found.missing else found.units("trades", 0)
    rows[:, COUNT] = np.where(volume > 0, trades, 0)
    return rows

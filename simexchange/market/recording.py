"""Recorded sessions played tick for tick: raw stream messages, or files of trades.

A raw file has lines ``<receive time in ns> <JSON>``: combined stream messages of one symbol, with
one ``GET depth`` reply among them. A trade file is CSV with a header: `price`, `qty` or
`quantity`, `is_buyer_maker`, and `trade_time` or `transact_time` in milliseconds.
"""

import csv
import gzip
import heapq
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import orjson

from simexchange.clock import SimClock
from simexchange.market.book import LadderBook, level_table
from simexchange.market.candles import CandleStore
from simexchange.market.feedevents import (
    BookSync,
    Fed,
    FedSnapshot,
    FedTrade,
    read_message,
    read_snapshot,
)
from simexchange.market.grid import WIRE_DECIMALS, Grid
from simexchange.market.intervals import MINUTE_MS
from simexchange.market.levelbook import LevelBook
from simexchange.market.rows import CandleRows
from simexchange.market.symbolstate import SymbolState, kept_prints

RAW_NAME = re.compile(r"\.raw(\.gz)?$")
TRADES_NAME = re.compile(r"^(?P<symbol>[A-Z0-9]+)_(trades|aggTrades)_.*\.csv(\.gz)?$")
PRICES, QUANTITIES = ("p", "b", "a"), ("q", "B", "A")
"""Keys of trades and best prices that show how many decimals the symbol has."""
NS_PER_MS = 1_000_000
TABLE_STREAM = 1

Timed = tuple[int, Fed]


def is_recording(path: Path) -> bool:
    """Say whether a file's name is that of a recording."""
    return bool(RAW_NAME.search(path.name) or TRADES_NAME.match(path.name))


def open_text(path: Path) -> IO[bytes]:
    """Open a file, packed or not, for reading bytes."""
    return cast("IO[bytes]", gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb"))


class Recording:
    """A feed out of files, one symbol each; see `simexchange.market.fed.Feed`.

    The clock starts where all books are known. After the last event the prices stand still.

    Args:
        paths: the files.
        symbols: which of them; all when empty.
        seed: shapes the ladder around trades that were recorded without a book.

    Raises:
        ValueError: when a file is not a recording.
    """

    interval = "1m"
    is_live = False

    def __init__(self, paths: Sequence[Path], *, symbols: Sequence[str] = (), seed: int) -> None:
        tracks: list[Track] = [
            RawTrack(path) if RAW_NAME.search(path.name) else TradeTrack(path, seed)
            for path in paths
        ]
        chosen = [track for track in tracks if not symbols or track.symbol in symbols]
        missing = set(symbols) - {track.symbol for track in chosen}
        if missing or not chosen:
            raise ValueError(f"no recording of {', '.join(sorted(missing)) or 'any symbol'}")
        if len({track.symbol for track in chosen}) != len(chosen):
            raise ValueError("one recording per symbol, please")
        self._tracks = {track.symbol: track for track in chosen}
        self.symbols = tuple(self._tracks)
        self.seed = seed
        self.filters: dict[str, list[dict[str, Any]]] = {}
        self.start_ms = max(track.start_ms for track in chosen)
        self._events = heapq.merge(*(t.events() for t in chosen), key=lambda timed: timed[0])
        self._next = next(self._events, None)
        self._last_ms = self.start_ms

    def states(self) -> Iterator[SymbolState]:
        """Yield the symbols' states as they were at the start."""
        for track in self._tracks.values():
            rows = CandleStore(self.interval, CandleRows(0), 0)
            kept = kept_prints(len(self._tracks))
            state = SymbolState(
                track.grid, rows, track.new_book(), ticks=track.first_ticks, kept_prints=kept
            )
            state.next_id = track.first_id
            yield state

    def due(self, until_ms: int) -> Iterator[Timed]:
        """Yield what was recorded up to a time."""
        while self._next is not None and self._next[0] <= until_ms:
            timed, self._next = self._next, next(self._events, None)
            self._last_ms = timed[0]
            yield timed

    @property
    def is_whole(self) -> bool:
        """Say yes: a recording is all there is."""
        return True

    async def wait(self, clock: SimClock, until_ms: int) -> None:
        """Sleep until the next event, but at least until `until_ms` when there is one before."""
        due_ms = until_ms if self._next is None else max(until_ms, self._next[0])
        await clock.sleep_until(due_ms)

    async def run(self) -> None:
        """Fetch nothing: the files are read as they are played."""

    def describe(self, symbol: str) -> dict[str, Any]:
        """Return the provenance."""
        track = self._tracks[symbol]
        return {
            "source": "recording",
            "file": track.path.name,
            "book": track.book_is_from,
            "ended": self._next is None,
            "last_event_ms": self._last_ms,
        }

    def signature(self) -> dict[str, Any]:
        """Return what a snapshot must agree with."""
        return {
            "source": "recording",
            "seed": self.seed,
            "files": {symbol: track.path.name for symbol, track in self._tracks.items()},
            "start_ms": self.start_ms,
        }


class Track:
    """One file: its symbol's grid, where it starts, and its events."""

    path: Path
    symbol: str
    grid: Grid
    start_ms: int
    first_ticks: int
    first_id: int
    book_is_from: str

    def new_book(self) -> LevelBook | LadderBook:
        """Return the symbol's book before the first event."""
        raise NotImplementedError

    def events(self) -> Iterator[Timed]:
        """Yield (exchange time, event), ascending."""
        raise NotImplementedError


def found_grid(symbol: str, price_decimals: int, quantity_decimals: int) -> Grid:
    """Return the grid for the most decimals that a recording has."""
    return Grid(
        symbol=symbol,
        price_decimals=price_decimals,
        step_decimals=quantity_decimals,
        volume_decimals=quantity_decimals,
        quote_decimals=min(WIRE_DECIMALS, price_decimals + quantity_decimals),
    )


class RawTrack(Track):
    """A recorded session of raw stream messages, with its book."""

    book_is_from = "recording"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._scan()

    def new_book(self) -> LevelBook:
        """Return an empty book; the recording's snapshot fills it."""
        return LevelBook(self.grid)

    def _scan(self) -> None:
        """Find symbol, grid, the clock's offset, the first trade and the snapshot."""
        symbol, offset_ms, snapshot_ms = "", None, None
        decimals = [0, 0]
        first: dict[str, Any] | None = None
        for stamp_ms, message in self._messages():
            if "lastUpdateId" in message:
                snapshot_ms = snapshot_ms or stamp_ms
            if offset_ms is None and "E" in message:
                offset_ms, symbol = message["E"] - stamp_ms, message["s"]
            if first is None and message.get("e") == "trade":
                first = message
            for place, names in enumerate((PRICES, QUANTITIES)):
                texts = (message[name] for name in names if isinstance(message.get(name), str))
                decimals[place] = max(decimals[place], *map(_decimals, texts), 0)
        if offset_ms is None or snapshot_ms is None or first is None:
            raise ValueError(f"{self.path.name} needs stream messages, a trade and a snapshot")
        self.symbol, self._offset_ms = symbol, offset_ms
        self.grid = found_grid(symbol, *decimals)
        self.start_ms = snapshot_ms + offset_ms
        self.first_ticks, self.first_id = self.grid.ticks(Decimal(first["p"])), first["t"]

    def _messages(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield (receive time in ms, payload).

        Raises:
            ValueError: with the line's number, when it is none.
        """
        with open_text(self.path) as stream:
            for number, line in enumerate(stream, start=1):
                stamp, _, text = line.partition(b" ")
                if not stamp.isdigit():
                    raise ValueError(f"{self.path.name}, line {number}: no receive time")
                try:
                    message = orjson.loads(text)
                except orjson.JSONDecodeError as error:
                    raise ValueError(f"{self.path.name}, line {number}: no JSON") from error
                yield int(stamp) // NS_PER_MS, message.get("data", message)

    def events(self) -> Iterator[Timed]:
        """Yield what was recorded, the book's part once it can be put together."""
        sync = BookSync()
        for stamp_ms, message in self._messages():
            event: Fed | None
            if "lastUpdateId" in message:
                event = read_snapshot(self.grid, message)
            else:
                event = read_message(self.grid, message)
            if event is None or (isinstance(event, FedSnapshot) and not sync.needs_snapshot):
                continue
            for fit in sync.take(event):
                yield stamp_ms + self._offset_ms, fit


class TradeTrack(Track):
    """A file of trades; the ladder around them is the parametric one."""

    book_is_from = "model"

    def __init__(self, path: Path, seed: int) -> None:
        match = TRADES_NAME.match(path.name)
        if match is None:
            raise ValueError(f"a trade file is named SYMBOL_trades_….csv[.gz], was {path.name}")
        self.path, self.symbol = path, match["symbol"]
        self._seed = seed
        self._scan()

    def _rows(self) -> Iterator[dict[str, str]]:
        with open_text(self.path) as stream:
            yield from csv.DictReader(line.decode() for line in stream)

    def _scan(self) -> None:
        decimals = [0, 0]
        volume, first, last_ms = Decimal(0), None, 0
        for row in self._rows():
            price, quantity, last_ms = _of_trade(self.path, row)
            decimals[0] = max(decimals[0], _decimals(price))
            decimals[1] = max(decimals[1], _decimals(quantity))
            volume += Decimal(quantity)
            if first is None:
                first = row
                self.start_ms = last_ms
        if first is None:
            raise ValueError(f"{self.path.name} has no trade")
        self.grid = found_grid(self.symbol, *decimals)
        self.first_ticks = self.grid.ticks(Decimal(first["price"]))
        self.first_id = int(first.get("trade_id") or first.get("agg_trade_id") or 1)
        minutes = max(1.0, (last_ms - self.start_ms) / MINUTE_MS)
        self._per_minute = self.grid.units(volume) / minutes

    def new_book(self) -> LadderBook:
        """Return a ladder around the first trade, as deep as the file's volume suggests."""
        table = level_table(np.random.default_rng([self._seed, TABLE_STREAM]))
        return LadderBook(
            self.grid, table, ticks=self.first_ticks, volume_per_minute=self._per_minute
        )

    def events(self) -> Iterator[Timed]:
        """Yield the trades."""
        for row in self._rows():
            price, quantity, time_ms = _of_trade(self.path, row)
            first, last = row.get("first_trade_id"), row.get("last_trade_id")
            yield (
                time_ms,
                FedTrade(
                    self.symbol,
                    self.grid.ticks(Decimal(price)),
                    self.grid.units(Decimal(quantity)),
                    time_ms,
                    row["is_buyer_maker"].lower() in {"1", "true"},
                    int(last) - int(first) + 1 if first and last else 1,
                ),
            )


def _of_trade(path: Path, row: dict[str, str]) -> tuple[str, str, int]:
    """Return (price, quantity, time) of a trade file's row.

    Raises:
        ValueError: when a column is missing or no number.
    """
    quantity = row.get("qty") or row.get("quantity")
    time_ms = row.get("trade_time") or row.get("transact_time")
    if not row.get("price") or not quantity or not time_ms or "is_buyer_maker" not in row:
        raise ValueError(f"{path.name}: a trade needs price, qty, trade_time and is_buyer_maker")
    return row["price"], quantity, int(time_ms)


def _decimals(text: str) -> int:
    return len(text.partition(".")[2].rstrip("0"))


def recordings_among(paths: Iterable[Path]) -> list[Path]:
    """Return the recordings among files and in folders, by name."""
    found = []
    for path in paths:
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        found += [one for one in inside if is_recording(one)]
    return found

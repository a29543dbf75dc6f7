"""The live mirror: a real exchange's public streams, for paper trading."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any

import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from simexchange.clock import SimClock
from simexchange.market.candles import CandleStore
from simexchange.market.feedevents import BookSync, Fed, FedCandle, read_message
from simexchange.market.grid import Grid
from simexchange.market.intervals import MINUTE_MS
from simexchange.market.levelbook import LevelBook
from simexchange.market.rows import CandleRows
from simexchange.market.symbolstate import SymbolState, kept_prints
from simexchange.market.venue import Venue, VenueUnreachable, as_rows, grid_of, streams_for

logger = logging.getLogger(__name__)

STREAMS = ("trade", "bookTicker", "depth@100ms", "kline_1m")
SILENCE_S = 30.0
"""A line that says nothing for so long is taken for dead; trades alone come far oftener."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 10.0
BROKEN = (OSError, WebSocketException, TimeoutError, ValueError, KeyError, ArithmeticError)
"""What ends a line: it broke, it went silent, or it says what nobody understands."""


class Mirror:
    """A feed out of a venue's streams; see `simexchange.market.fed.Feed`.

    Opening it asks the venue for its time, filters, candles and books. Then `run` keeps the line:
    after a break the books start anew and missed candles are fetched before any more are closed.

    Args:
        venue: who is mirrored.
        symbols: which symbols.
        history_bars: closed one-minute candles to begin with.
        stream_url: address of its streams, by default what belongs to the venue.

    Raises:
        ValueError: when the venue cannot be reached or has not these symbols.
    """

    interval = "1m"
    is_live = True

    def __init__(
        self,
        venue: Venue,
        symbols: Sequence[str],
        *,
        history_bars: int,
        stream_url: str | None = None,
    ) -> None:
        self._venue = venue
        self._stream_url = stream_url or streams_for(venue.url)
        found = venue.symbols(symbols)
        missing = set(symbols) - found.keys()
        if missing:
            raise ValueError(f"{venue.url} has no {', '.join(sorted(missing))}")
        self.symbols = tuple(symbols)
        self.filters = {symbol: list(found[symbol]["filters"]) for symbol in symbols}
        self.grids: dict[str, Grid] = {symbol: grid_of(found[symbol]) for symbol in symbols}
        self.start_ms = venue.time_ms()
        self._history_bars = history_bars
        self._arrived: deque[Fed] = deque()
        self._syncs = {symbol: BookSync() for symbol in symbols}
        self._fetching: set[asyncio.Task[None]] = set()
        self._newest_ms = self.start_ms // MINUTE_MS * MINUTE_MS
        self._wake = asyncio.Event()
        self._is_whole = True
        self.connects = 0

    def states(self) -> Iterator[SymbolState]:
        """Yield the symbols' states, with candles and books as the venue shows them now."""
        from_ms = self._newest_ms - self._history_bars * MINUTE_MS
        for symbol, grid in self.grids.items():
            candles = self._venue.list_candles(grid, from_ms, self.start_ms)
            times, rows = as_rows(candles)
            if not len(times):
                raise ValueError(f"{self._venue.url} has no closed candle of {symbol}")
            store = CandleStore(self.interval, CandleRows.of(times, rows), len(times))
            self._arrived.extend(candle for candle in candles if not candle.is_closed)
            self._arrived.append(self._venue.depth(grid))
            yield SymbolState(
                grid,
                store,
                LevelBook(grid),
                ticks=candles[-1].row[3],
                kept_prints=kept_prints(len(self.symbols)),
            )

    def due(self, until_ms: int) -> Iterator[tuple[int, Fed]]:
        """Yield what has arrived; it is due at once."""
        while self._arrived:
            yield until_ms, self._arrived.popleft()

    @property
    def is_whole(self) -> bool:
        """Whether the line stands and nothing is missing."""
        return self._is_whole

    async def wait(self, clock: SimClock, until_ms: int) -> None:
        """Return when something arrived, at `until_ms` at the latest."""
        left_s = max(0.0, clock.elapsed_wall_ms(until_ms - clock.now_ms()) / 1000)
        try:
            await asyncio.wait_for(self._wake.wait(), left_s)
        except TimeoutError:
            return
        self._wake.clear()

    def describe(self, symbol: str) -> dict[str, Any]:
        """Return the provenance, and whether the line stands."""
        return {
            "source": "mirror",
            "url": self._venue.url,
            "streams": self._stream_url,
            "connected": self._is_whole and self.connects > 0,
            "connects": self.connects,
            "book": "waits" if self._syncs[symbol].needs_snapshot else "followed",
        }

    def signature(self) -> dict[str, Any]:
        """Return what a snapshot must agree with."""
        return {"source": "mirror", "url": self._venue.url, "start_ms": 0}

    # The line

    async def run(self) -> None:
        """Keep the line, with growing pauses between attempts, until cancelled."""
        pause_s = FIRST_PAUSE_S
        while True:
            connects = self.connects
            try:
                await self._follow()
            except BROKEN as error:
                logger.warning("mirror.line_lost url=%s reason=%s", self._stream_url, error)
            self._is_whole = False
            for task in self._fetching:
                task.cancel()
            for sync in self._syncs.values():
                sync.lose()
            if self.connects > connects:
                pause_s = FIRST_PAUSE_S
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _follow(self) -> None:
        """Follow one connection until it breaks."""
        names = [f"{symbol.lower()}@{stream}" for symbol in self.symbols for stream in STREAMS]
        address = f"{self._stream_url}/stream?streams={'/'.join(names)}"
        async with connect(address, max_queue=None, open_timeout=10) as line:
            self.connects += 1
            await self._fetch_candles()
            self._is_whole = True
            while True:
                text = await asyncio.wait_for(line.recv(), SILENCE_S)
                self._take(orjson.loads(text))

    def _take(self, message: dict[str, Any]) -> None:
        """Take one combined stream message."""
        data = message.get("data")
        grid = self.grids.get(data.get("s", "")) if isinstance(data, dict) else None
        if data is None or grid is None:
            return
        event = read_message(grid, data)
        if event is None:
            return
        if isinstance(event, FedCandle):
            self._newest_ms = max(self._newest_ms, event.open_ms)
        sync = self._syncs[grid.symbol]
        self._arrived.extend(sync.take(event))
        self._wake.set()
        if sync.needs_snapshot and not any(t.get_name() == grid.symbol for t in self._fetching):
            task = asyncio.create_task(self._fetch_book(grid), name=grid.symbol)
            self._fetching.add(task)
            task.add_done_callback(self._fetching.discard)

    async def _fetch_book(self, grid: Grid) -> None:
        try:
            snapshot = await asyncio.to_thread(self._venue.depth, grid)
        except VenueUnreachable as error:
            logger.warning("mirror.no_book symbol=%s reason=%s", grid.symbol, error)
            await asyncio.sleep(1.0)
            return
        self._arrived.extend(self._syncs[grid.symbol].take(snapshot))
        self._wake.set()

    async def _fetch_candles(self) -> None:
        """Fetch what was missed since the newest candle seen, all symbols in step."""
        now_ms = await asyncio.to_thread(self._venue.time_ms)
        missed: list[FedCandle] = []
        for grid in self.grids.values():
            missed += await asyncio.to_thread(
                self._venue.list_candles, grid, self._newest_ms, now_ms
            )
        missed.sort(key=attrgetter("open_ms"))
        self._arrived.extend(missed)
        self._wake.set()

"""Closed candles and last prices from the exchange's sockets, come what may.

python-binance's own reconnecting gives up after five tries and cannot tell silence from a quiet
market, so every connection here is thrown away at the first sign of trouble and made anew. What
closed meanwhile is asked for by REST, and so is a close that does not arrive on time.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from core.clock import Clock, from_ms
from core.errors import TradingError
from core.recording.tape import keep_raw
from markets.adapters.binance_errors import StreamLost, classify
from markets.adapters.sockets import Connect, Message
from markets.domain.candle import Row, check_row
from markets.domain.ticker import Ticker
from markets.domain.timeframe import Timeframe
from markets.ports import KlineSource

logger = logging.getLogger(__name__)

_HEAL_LIMIT = 1000  # candles per series; what is older is the gap filler's


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series of candles to follow."""

    instrument_id: int
    symbol: str
    timeframe: Timeframe

    @property
    def stream(self) -> str:
        """Its name among the exchange's streams."""
        return f"{self.symbol.lower()}@kline_{self.timeframe.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTimes:
    """How patient the stream is. All of it is wall time: lines do not run faster with the market.

    Attributes:
        silence_s: Without any message for so long the connection counts as dead.
        lifetime_s: A connection is replaced after this; the exchange cuts it at 24 hours.
        grace_s: A close later than this is asked for by REST.
        first_wait_s: Pause before the first reconnect; doubles each time.
        longest_wait_s: Longest such pause.
        watch_s: Time between two looks for late closes.
    """

    silence_s: float = 30.0
    lifetime_s: float = 23 * 3600.0
    grace_s: float = 3.0
    first_wait_s: float = 0.5
    longest_wait_s: float = 60.0
    watch_s: float = 0.5


@dataclass(slots=True)
class StreamHealth:
    """Counters for people; all of them only grow."""

    connects: int = 0
    losses: int = 0
    messages: int = 0
    closes: int = 0
    healed: int = 0
    is_connected: bool = False
    last_error: str = ""
    last_message_at_s: float = field(default=0.0)


class MarketStream:
    """Follows series of candles until it is stopped.

    Every closed candle reaches `on_close` exactly once per open time and in order, whether the
    socket or REST brought it. Both callbacks run on the event loop and must not block.

    Args:
        connect: Opens sockets for stream names.
        source: REST for what the sockets missed; called on a thread, one call at a time.
        clock: Market time.
        on_close: Called with the series and the candle's row form.
        on_ticker: Called with each new last price.
        times: Patience.
    """

    def __init__(
        self,
        *,
        connect: Connect,
        source: KlineSource,
        clock: Clock,
        on_close: Callable[[Series, Row], None],
        on_ticker: Callable[[Ticker], None],
        times: StreamTimes | None = None,
    ) -> None:
        self._connect = connect
        self._source = source
        self._clock = clock
        self._on_close = on_close
        self._on_ticker = on_ticker
        self._times = times or StreamTimes()
        self._series: dict[tuple[str, str], Series] = {}
        self._last_open_ms: dict[Series, int] = {}
        # A series that REST has nothing new of (halted, delisted) is asked for ever more rarely.
        self._asked: dict[Series, tuple[int, float]] = {}
        self._changed = asyncio.Event()
        self._healing = asyncio.Lock()
        self._jitter = random.Random()  # noqa: S311 - spreads reconnects, guards nothing
        self.health = StreamHealth()

    def follow(self, series: Iterable[Series], *, newest_ms: dict[Series, int]) -> bool:
        """Set what to follow; a change replaces the connection.

        Args:
            series: All of them.
            newest_ms: Newest open time that is stored already, for those not followed before;
                without one only closes from now on are delivered.

        Returns:
            Whether anything changed.
        """
        wanted = {(item.symbol, item.timeframe.value): item for item in series}
        if wanted == self._series:
            return False
        for item in wanted.values():
            if item not in self._last_open_ms:
                before_ms = item.timeframe.floor_ms(self._clock.now_ms()) - item.timeframe.ms
                self._last_open_ms[item] = newest_ms.get(item, before_ms)
        kept = set(wanted.values())
        self._last_open_ms = {k: v for k, v in self._last_open_ms.items() if k in kept}
        self._series = wanted
        self._changed.set()
        return True

    async def run(self) -> None:
        """Keep a connection, and heal, until cancelled."""
        watcher = asyncio.create_task(self._watch())
        try:
            await self._keep_connected()
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)

    # --- the connection --------------------------------------------------------------------

    async def _keep_connected(self) -> None:
        failures = 0
        while True:
            _end_if_cancelled()
            self._changed.clear()
            if not self._series:
                await self._changed.wait()
                continue
            messages_before = self.health.messages
            try:
                await self._one_connection()
                failures = 0
                continue
            except Exception as error:
                failures = 0 if self.health.messages > messages_before else failures
                self._note_loss(error)
            failures += 1
            await asyncio.sleep(self._wait_s(failures))

    async def _one_connection(self) -> None:
        """Run one connection; return when it is time for another, raise when it is lost."""
        names = sorted(series.stream for series in self._series.values())
        async with self._connect(names) as sockets:
            _end_if_cancelled()
            self.health.connects += 1
            self.health.is_connected = True
            logger.info("stream.connected streams=%s", len(names))
            self._touch()
            readers = [asyncio.create_task(self._read(socket)) for socket in sockets]
            changed = asyncio.create_task(self._changed.wait())
            healing = asyncio.create_task(self._heal(self._series.values()))
            try:
                await self._supervise(readers, changed)
            finally:
                self.health.is_connected = False
                for task in (*readers, changed, healing):
                    task.cancel()
                await asyncio.gather(*readers, changed, healing, return_exceptions=True)

    async def _supervise(self, readers: Sequence[asyncio.Task[None]], changed: Any) -> None:
        loop = asyncio.get_running_loop()
        ends_at_s = loop.time() + self._times.lifetime_s
        while True:
            quiet_until_s = self.health.last_message_at_s + self._times.silence_s
            pause_s = min(quiet_until_s, ends_at_s) - loop.time()
            if pause_s > 0:
                done, _ = await asyncio.wait(
                    {*readers, changed}, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    task.result()
                if done:
                    return
            elif ends_at_s <= loop.time():
                logger.info("stream.planned_reconnect")
                return
            else:
                raise StreamLost(
                    f"WebSocket disconnected: no message for {self._times.silence_s:.0f} s",
                    silence_s=self._times.silence_s,
                )

    async def _read(self, socket: Any) -> None:
        while True:
            message = await socket.recv()
            _end_if_cancelled()
            self._take(message)

    def _take(self, message: Message) -> None:
        kind = message.get("e") or message.get("data", {}).get("e")
        if kind in ("error", "serverShutdown"):
            raise StreamLost(
                f"WebSocket disconnected: {message.get('type', kind)} {message.get('m', '')}"
            )
        self._touch()
        keep_raw("market frame", message)
        self.health.messages += 1
        if kind != "kline":
            return
        kline = message["data"]["k"]
        series = self._series.get((kline["s"], kline["i"]))
        if series is None:
            return
        ticker = parse_ticker(message["data"])
        if kline["x"]:
            row = parse_row(kline, series=series)
            if self._deliver(series, row):
                self.health.closes += 1
        self._on_ticker(ticker)

    def _touch(self) -> None:
        self.health.last_message_at_s = asyncio.get_running_loop().time()

    def _note_loss(self, error: Exception) -> None:
        failure = classify(error)
        self.health.losses += 1
        self.health.last_error = failure.message
        logger.warning("stream.lost error=%s", failure.message)

    def _wait_s(self, failures: int) -> float:
        bound_s = min(
            self._times.longest_wait_s, self._times.first_wait_s * 2.0 ** min(failures - 1, 30)
        )
        return bound_s * (0.5 + self._jitter.random() / 2)

    # --- closes ----------------------------------------------------------------------------

    def _deliver(self, series: Series, row: Row) -> bool:
        """Hand a closed candle on if it is newer than the last; ask for those in between."""
        last_ms = self._last_open_ms.get(series)
        if last_ms is None or row[1] <= last_ms:
            return False
        if row[1] > last_ms + series.timeframe.ms:
            # The watcher brings the missing ones, this one with them and in order.
            return False
        self._last_open_ms[series] = row[1]
        self._asked.pop(series, None)
        self._on_close(series, row)
        return True

    async def _watch(self) -> None:
        """Look for closes that are late, for ever."""
        grace_ms = round(
            self._clock.protocol(timedelta(seconds=self._times.grace_s)) / timedelta(milliseconds=1)
        )
        while True:
            await asyncio.sleep(self._times.watch_s)
            due_ms = self._clock.now_ms() - grace_ms
            now_s = asyncio.get_running_loop().time()
            late = [
                series
                for series, last_ms in self._last_open_ms.items()
                if last_ms + 2 * series.timeframe.ms <= due_ms
                and self._asked.get(series, (0, 0.0))[1] <= now_s
            ]
            if late:
                await self._heal(late)

    async def _heal(self, wanted: Iterable[Series]) -> None:
        """Ask for what closed since the last close seen; a failure is left to the next look."""
        async with self._healing:
            for series in tuple(wanted):
                healed_before = self.health.healed
                try:
                    await self._heal_one(series)
                except TradingError as error:
                    self.health.last_error = error.message
                    logger.warning("stream.heal_failed stream=%s error=%s", series.stream, error)
                if self.health.healed > healed_before:
                    self._asked.pop(series, None)
                else:
                    times = self._asked.get(series, (0, 0.0))[0] + 1
                    wait_s = self._wait_s(times)
                    self._asked[series] = (times, asyncio.get_running_loop().time() + wait_s)

    async def _heal_one(self, series: Series) -> None:
        last_ms = self._last_open_ms.get(series)
        end_ms = series.timeframe.floor_ms(self._clock.now_ms())
        if last_ms is None:
            return
        start_ms = max(last_ms + series.timeframe.ms, end_ms - _HEAL_LIMIT * series.timeframe.ms)
        if start_ms >= end_ms:
            return
        found = await asyncio.to_thread(
            self._source.klines,
            symbol=series.symbol,
            timeframe=series.timeframe,
            start_ms=start_ms,
            end_ms=end_ms,
            limit=_HEAL_LIMIT,
        )
        for values in found:
            last_ms = self._last_open_ms.get(series)
            if last_ms is None or not last_ms < values[0] < end_ms:
                continue
            row = check_row([series.instrument_id, *values], timeframe=series.timeframe)
            self._last_open_ms[series] = row[1]
            self.health.healed += 1
            self._on_close(series, row)


def _end_if_cancelled() -> None:
    """Let a cancellation count that was swallowed on the way.

    Until Python 3.12 ``asyncio.wait_for``, which the library's sockets use, drops one that comes
    just when its result does.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def parse_row(kline: Message, *, series: Series) -> Row:
    """Return the row form of a closed kline of a stream.

    Raises:
        InvalidInput: it is no candle.
    """
    names = ("o", "h", "l", "c", "v", "q", "n", "V", "Q")
    row = [series.instrument_id, kline["t"], *(kline[name] for name in names)]
    return check_row(row, timeframe=series.timeframe)


def parse_ticker(data: Message) -> Ticker:
    """Return the last price that a kline event tells."""
    return Ticker(symbol=data["s"], price=Decimal(data["k"]["c"]), at=from_ms(data["E"]))

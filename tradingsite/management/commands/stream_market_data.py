"""``manage.py stream_market_data``: sockets in, candle closes out to the chain."""

import asyncio
import logging
import signal
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections
from kombu.exceptions import OperationalError
from redis import RedisError

from core import health
from core.checks import SETTINGS
from core.clock import Clock, get_clock
from core.errors import TradingError
from core.management.plain_help import PlainHelpCommand
from core.pulse import Pulse
from core.recording.tape import step, told
from markets.domain.candle import Row
from markets.domain.closes import CloseBatch, CloseBatcher
from markets.domain.ticker import Ticker
from markets.management.streaming import make_stream, read_series
from markets.services.ingestion import store_candles
from markets.services.tickers import record_tickers

if TYPE_CHECKING:
    from markets.domain.timeframe import Timeframe

logger = logging.getLogger(__name__)

COMPONENT = "stream.market"
PULSE = "stream_market_data"
CLOSE = "market close"  # a step of a recorded session
_TICK_S = 0.05
_SERIES_EVERY_S = 3.0
_TICKERS_EVERY_S = 1.0
_BEAT_EVERY_S = 5.0
_RETRY_S = 1.0
# On a market so fast that candles close within it, a close this old may still be traded on.
_PATIENCE = timedelta(seconds=5)
BROKER_ERRORS = (OperationalError, RedisError, OSError)

Result = TypeVar("Result")


class Command(PlainHelpCommand):
    """Follows every active subscription until SIGTERM or SIGINT."""

    help = (
        "Stream candles of all active subscriptions and start the chain at each close. "
        "Survives silence, cuts, overflow, the daily disconnect and a broker that is down."
    )
    requires_system_checks = [SETTINGS]
    epilog = "example:\n  manage.py stream_market_data"

    def handle(self, *args: Any, **options: Any) -> None:
        asyncio.run(MarketStreamer(clock=get_clock()).run())
        self.stdout.write("market stream stopped")


class MarketStreamer:
    """Joins the stream with the chain, the pages and the health board.

    All that may block (database, broker, Redis) runs on one thread, so the loop always reads.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._batcher = CloseBatcher()
        self._tickers: dict[str, Ticker] = {}
        self._pending: deque[CloseBatch] = deque()
        self._stop = asyncio.Event()
        self._started = 0
        self._pulse = Pulse(settings.DATA_DIR, PULSE)
        self._side_thread = ThreadPoolExecutor(1, thread_name_prefix="stream-side")
        self._hot_thread = ThreadPoolExecutor(1, thread_name_prefix="stream-chain")
        self._stream = make_stream(
            clock=clock, on_close=self._take_close, on_ticker=self._take_ticker
        )

    async def run(self) -> None:
        """Stream until a signal says stop, then hand over what is gathered."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        logger.info("stream.started")
        tasks = [
            asyncio.create_task(self._stream.run()),
            asyncio.create_task(self._repeat(_SERIES_EVERY_S, self._read_series)),
            asyncio.create_task(self._repeat(_TICK_S, self._start_chains)),
            asyncio.create_task(self._repeat(_TICKERS_EVERY_S, self._publish_tickers)),
            asyncio.create_task(self._repeat(_BEAT_EVERY_S, self._beat)),
        ]
        stopped = asyncio.create_task(self._stop.wait())
        done, _ = await asyncio.wait({*tasks, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in (*tasks, stopped):
            task.cancel()
        await asyncio.gather(*tasks, stopped, return_exceptions=True)
        await self._start_chains()
        await self._on(self._side_thread, lambda: health.forget(COMPONENT))
        self._hot_thread.shutdown()
        self._side_thread.shutdown()
        logger.info("stream.stopped pending=%s", len(self._pending))
        for task in done:
            task.result()

    # --- in: on the loop, quick -----------------------------------------------------------

    def _take_close(self, series: Any, row: Row) -> None:
        self._batcher.add(series.timeframe, row, at_s=asyncio.get_running_loop().time())

    def _take_ticker(self, ticker: Ticker) -> None:
        self._tickers[ticker.symbol] = ticker

    # --- out: on the two threads ----------------------------------------------------------

    async def _read_series(self) -> None:
        series, newest_ms = await self._on(self._side_thread, read_series)
        by_timeframe: dict[Timeframe, list[int]] = {}
        for item in series:
            by_timeframe.setdefault(item.timeframe, []).append(item.instrument_id)
        self._batcher.expect(by_timeframe)
        if self._stream.follow(series, newest_ms=newest_ms):
            logger.info("stream.follows series=%s", len(series))

    async def _start_chains(self) -> None:
        self._pending += self._batcher.take(at_s=asyncio.get_running_loop().time())
        while self._pending:
            batch = self._pending[0]
            await self._on(self._hot_thread, partial(self._hand_on, batch))
            self._pending.popleft()

    def _hand_on(self, batch: CloseBatch) -> None:
        with step(CLOSE, batch_to_json(batch)):
            self.hand_on(batch)

    def hand_on(self, batch: CloseBatch) -> None:
        """Start the chain for a close, or only store it when a later one is there already."""
        if not told("newest", lambda: self._is_newest(batch)):
            # Nobody should trade on it any more, but the windows need it.
            self._store(batch)
            return
        failure: Exception | None = None
        try:
            _start_chain(batch)
        except BROKER_ERRORS as error:
            failure = error
        if told("chain started", lambda: failure is None):
            self._started += 1
            return
        # The chain would store it; until the broker is back we do.
        self._store(batch)
        raise failure or ConnectionError("the broker did not take it then")

    def _is_newest(self, batch: CloseBatch) -> bool:
        """Whether this is still the close to trade on."""
        if any(
            later.timeframe is batch.timeframe and later.close_time_ms > batch.close_time_ms
            for later in self._pending
        ):
            return False
        patience_ms = self._clock.protocol(_PATIENCE) / timedelta(milliseconds=1)
        age_ms = self._clock.now_ms() - batch.close_time_ms
        return age_ms < max(batch.timeframe.ms, patience_ms)

    def _store(self, batch: CloseBatch) -> None:
        store_candles(timeframe=batch.timeframe, rows=batch.rows, now=self._clock.now())

    async def _publish_tickers(self) -> None:
        tickers, self._tickers = self._tickers, {}
        if tickers:
            await self._on(self._side_thread, lambda: record_tickers(tickers=tickers.values()))

    async def _beat(self) -> None:
        self._pulse.beat()
        state = self._stream.health
        detail = {
            "connects": state.connects,
            "losses": state.losses,
            "messages": state.messages,
            "closes": state.closes,
            "healed": state.healed,
            "chains": self._started,
            "pending": len(self._pending),
            "last_error": state.last_error,
        }
        await self._on(
            self._side_thread,
            lambda: health.beat(
                COMPONENT,
                now=self._clock.now(),
                detail=detail,
                interval_s=_BEAT_EVERY_S,
                is_well=state.is_connected and not self._pending,
            ),
        )

    async def _repeat(self, every_s: float, step: Callable[[], Any]) -> None:
        """Call `step` for ever; what a database, broker or server does is retried, not fatal."""
        while True:
            try:
                await step()
            except (DatabaseError, TradingError, *BROKER_ERRORS) as error:
                logger.warning(
                    "stream.step_failed step=%s error=%s", step.__name__, str(error)[:200]
                )
                await asyncio.sleep(_RETRY_S)
            await asyncio.sleep(every_s)

    async def _on(self, thread: ThreadPoolExecutor, work: Callable[[], Result]) -> Result:
        def call() -> Result:
            close_old_connections()
            return work()

        return await asyncio.get_running_loop().run_in_executor(thread, call)


def batch_to_json(batch: CloseBatch) -> dict[str, Any]:
    """Return a batch as a recorded session keeps it."""
    return {
        "timeframe": batch.timeframe.value,
        "close_time_ms": batch.close_time_ms,
        "rows": [list(row) for row in batch.rows],
    }


def _start_chain(batch: CloseBatch) -> None:
    from tradingsite.pipeline import start_chain

    start_chain(
        timeframe=batch.timeframe.value,
        close_time_ms=batch.close_time_ms,
        rows=[list(row) for row in batch.rows],
    )

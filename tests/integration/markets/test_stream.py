"""The stream against a real WebSocket server that is silent, cuts, floods and tears."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from core.clock import AffineClock
from core.errors import TemporaryExchangeError
from markets.adapters.binance_client import Addresses
from markets.adapters.sockets import market_sockets
from markets.adapters.stream import MarketStream, Series, StreamTimes
from markets.domain.candle import Row
from markets.domain.timeframe import Timeframe

MINUTE = 60_000
START = 1_700_000_000_000 // MINUTE * MINUTE
SERIES = Series(instrument_id=7, symbol="BTCUSDT", timeframe=Timeframe.M1)
QUICK = StreamTimes(
    silence_s=1.0, grace_s=0.05, first_wait_s=0.05, longest_wait_s=0.2, watch_s=0.05
)

Script = Callable[[ServerConnection, int], Awaitable[None]]


def kline(minute: int, *, is_closed: bool = True, symbol: str = "BTCUSDT") -> str:
    opened = START + minute * MINUTE
    fields = {"t": opened, "T": opened + MINUTE - 1, "s": symbol, "i": "1m", "x": is_closed}
    fields |= {"o": "10.0", "h": "11.0", "l": "9.0", "c": f"10.{minute % 10}", "v": "5.5"}
    fields |= {"q": "55", "n": 3, "V": "2", "Q": "20"}
    data = {"e": "kline", "E": opened + MINUTE, "s": symbol, "k": fields}
    return json.dumps({"stream": f"{symbol.lower()}@kline_1m", "data": data})


class Market:
    """A clock that is moved by hand, and REST that knows every closed candle of it."""

    speed = 1.0

    def __init__(self) -> None:
        self.minute = 1.0
        self.requests = 0
        self.fails = 0
        self.absent: set[int] = set()

    def now_ms(self) -> int:
        return START + round(self.minute * MINUTE)

    def protocol(self, duration: Any) -> Any:
        return duration

    def klines(self, *, start_ms: int, end_ms: int, limit: int, **_: Any) -> list[Row]:
        self.requests += 1
        if self.fails:
            self.fails -= 1
            raise TemporaryExchangeError("down")
        return [
            [at, "10", "11", "9", f"10.{(at - START) // MINUTE % 10}", "5.5", "55", 3, "2", "20"]
            for at in range(start_ms, min(end_ms, self.now_ms() - MINUTE + 1), MINUTE)
            if (at - START) // MINUTE not in self.absent
        ][:limit]


@dataclass
class Seen:
    """What the stream delivered."""

    closes: list[int] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    prices: list[str] = field(default_factory=list)

    def take(self, series: Series, row: Row) -> None:
        assert series == SERIES
        self.closes.append((row[1] - START) // MINUTE)
        self.rows.append(row)


@asynccontextmanager
async def streaming(
    script: Script, market: Market, times: StreamTimes = QUICK
) -> AsyncIterator[tuple[MarketStream, Seen]]:
    connections = 0

    async def handle(connection: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        await script(connection, connections)

    seen = Seen()
    async with serve(handle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        addresses = Addresses(rest="", margin="", stream=f"ws://127.0.0.1:{port}/", ws_api="")
        stream = MarketStream(
            connect=market_sockets(addresses),
            source=market,
            clock=market,  # type: ignore[arg-type]
            on_close=seen.take,
            on_ticker=lambda ticker: seen.prices.append(str(ticker.price)),
            times=times,
        )
        stream.follow([SERIES], newest_ms={SERIES: START})
        running = asyncio.create_task(stream.run())
        try:
            yield stream, seen
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


async def until(condition: Callable[[], bool], timeout_s: float = 15.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.02)


async def test_it_delivers_closes_once_and_in_order() -> None:
    market = Market()

    async def script(connection: ServerConnection, _: int) -> None:
        await connection.send(kline(1, is_closed=False))
        market.minute = 4.0
        for minute in (1, 1, 2, 3):
            await connection.send(kline(minute))
        await connection.wait_closed()

    async with streaming(script, market) as (stream, seen):
        await until(lambda: len(seen.closes) >= 3 and len(seen.prices) == 5)

    assert seen.closes == [1, 2, 3]
    assert list(seen.rows[0])[5:] == ["10.1", "5.5", "55", 3, "2", "20"]
    assert seen.prices[-1] == "10.3"
    assert stream.health.connects == 1


@pytest.mark.faults
async def test_it_replaces_a_silent_connection_and_heals_what_closed_meanwhile() -> None:
    market = Market()

    async def script(connection: ServerConnection, number: int) -> None:
        if number == 1:
            await connection.send(kline(1, is_closed=False))
            market.minute = 6.0
        else:
            market.minute = 7.0
            await connection.send(kline(6))
        await connection.wait_closed()

    async with streaming(script, market) as (stream, seen):
        await until(lambda: stream.health.connects >= 2 and 6 in seen.closes)

    assert seen.closes == [1, 2, 3, 4, 5, 6]
    assert stream.health.losses >= 1
    assert stream.health.last_error.startswith("WebSocket disconnected")


@pytest.mark.faults
async def test_it_outlives_more_cuts_than_the_library_does() -> None:
    market = Market()

    async def script(connection: ServerConnection, number: int) -> None:
        market.minute = number + 1.0
        await connection.send(kline(number))
        if number < 9:
            connection.transport.abort()
        await connection.wait_closed()

    async with streaming(script, market) as (stream, seen):
        await until(lambda: 9 in seen.closes, timeout_s=30)

    assert seen.closes == list(range(1, 10))
    assert stream.health.connects >= 9


@pytest.mark.faults
async def test_it_survives_torn_messages_and_a_flood() -> None:
    market = Market()

    async def script(connection: ServerConnection, number: int) -> None:
        market.minute = number + 1.0
        if number == 1:
            await connection.send('{"stream": "btcusdt@kline_1m", "data": {"e": "kli')
        elif number == 2:
            await connection.send(json.dumps({"data": {"e": "kline", "s": "BTCUSDT"}}))
        else:
            for _ in range(5000):
                await connection.send(kline(number, is_closed=False))
            await connection.send(kline(number))
        await connection.wait_closed()

    async with streaming(script, market) as (stream, seen):
        await until(lambda: stream.health.messages > 5000 and 3 in seen.closes)

    assert seen.closes == [1, 2, 3]


@pytest.mark.faults
async def test_it_asks_for_a_close_that_the_socket_leaves_out() -> None:
    market = Market()

    async def script(connection: ServerConnection, _: int) -> None:
        market.minute = 3.5
        while True:
            await connection.send(kline(3, is_closed=False))
            await asyncio.sleep(0.05)

    async with streaming(script, market) as (stream, seen):
        market.fails = 2
        await until(lambda: len(seen.closes) == 2)

    assert seen.closes == [1, 2]
    assert stream.health.connects == 1
    assert stream.health.closes == 0


@pytest.mark.faults
async def test_it_does_not_ask_for_ever_for_what_the_exchange_lacks() -> None:
    market = Market()
    market.absent = {1, 2, 3}

    async def script(connection: ServerConnection, _: int) -> None:
        market.minute = 4.0
        while True:
            await connection.send(kline(4, is_closed=False))
            await asyncio.sleep(0.05)

    times = StreamTimes(silence_s=5, grace_s=0.05, first_wait_s=0.3, watch_s=0.02)
    async with streaming(script, market, times) as (_, seen):
        await until(lambda: market.requests >= 3)
        first_three = time.monotonic()
        await until(lambda: market.requests >= 4)
        market.minute = 5.5
        await until(lambda: seen.closes == [4])

    # The fourth look waited at least half of 4 x first_wait_s, not 0.02 s.
    assert time.monotonic() - first_three > 0.3


async def test_it_follows_what_is_subscribed_while_it_runs() -> None:
    market = Market()
    asked: list[str] = []
    other = Series(instrument_id=8, symbol="ETHUSDT", timeframe=Timeframe.M1)

    async def script(connection: ServerConnection, _: int) -> None:
        assert connection.request is not None
        asked.append(connection.request.path)
        while True:
            await connection.send(kline(1, is_closed=False))
            await asyncio.sleep(0.05)

    async with streaming(script, market) as (stream, _):
        await until(lambda: len(asked) == 1)
        is_changed = stream.follow([SERIES, other], newest_ms={})
        await until(lambda: len(asked) == 2)

    assert is_changed
    assert not stream.follow([SERIES, other], newest_ms={})
    assert "btcusdt@kline_1m" in asked[0]
    assert "ethusdt" not in asked[0]
    assert "ethusdt@kline_1m" in asked[1]


async def test_it_replaces_a_connection_before_the_exchange_would_cut_it() -> None:
    market = Market()

    async def script(connection: ServerConnection, _: int) -> None:
        while True:
            await connection.send(kline(1, is_closed=False))
            await asyncio.sleep(0.02)

    times = StreamTimes(silence_s=5, lifetime_s=0.3)
    async with streaming(script, market, times) as (stream, _):
        await until(lambda: stream.health.connects >= 2)

    assert stream.health.losses == 0


def test_the_clock_of_the_tests_is_like_the_real_one() -> None:
    assert {"now_ms", "protocol", "speed"} <= set(dir(AffineClock()))

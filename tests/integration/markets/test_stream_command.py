"""``stream_market_data``: from closes to the chain, with the broker there or not."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from kombu.exceptions import OperationalError

from core import health
from core.clock import AffineClock
from markets.adapters.stream import Series, StreamHealth
from markets.domain.candle import Row
from markets.domain.timeframe import Timeframe
from markets.models import Candle, Instrument
from markets.services.instruments import subscribe
from tradingsite.management.commands import stream_market_data as command

M5 = Timeframe.M5
NOW_MS = 1_700_000_100_000 // M5.ms * M5.ms + 1000

pytestmark = pytest.mark.django_db(transaction=True)


class StubStream:
    """Stands for the sockets: the test says what closes."""

    def __init__(self, on_close: Callable[[Series, Row], None]) -> None:
        self.on_close = on_close
        self.followed: list[Series] = []
        self.health = StreamHealth(is_connected=True)

    def follow(self, series: list[Series], *, newest_ms: dict[Series, int]) -> bool:
        is_new = list(series) != self.followed
        self.followed = list(series)
        return is_new

    async def run(self) -> None:
        await asyncio.Event().wait()


class Desk:
    """A streamer on a stub stream, and the chains it started."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.chains: list[tuple[int, list[int]]] = []
        self.failures = 0
        self.stream: Any = None
        monkeypatch.setattr(command, "_start_chain", self._start_chain)
        monkeypatch.setattr(command, "make_stream", self._make_stream)
        monkeypatch.setattr(command, "_RETRY_S", 0.05)
        monkeypatch.setattr(command, "_SERIES_EVERY_S", 0.1)
        monkeypatch.setattr(command, "_BEAT_EVERY_S", 0.1)
        wall_ms = time.time_ns() // 1_000_000
        clock = AffineClock(origin_wall_ms=wall_ms, origin_market_ms=NOW_MS)
        self.streamer = command.MarketStreamer(clock=clock)

    def _make_stream(self, *, on_close: Any, **_: Any) -> StubStream:
        self.stream = StubStream(on_close)
        return self.stream

    def _start_chain(self, batch: Any) -> None:
        if self.failures:
            self.failures -= 1
            raise OperationalError("broker down")
        self.chains.append((batch.close_time_ms, sorted(row[0] for row in batch.rows)))

    def close(self, key: int, bars_ago: int = 0) -> None:
        opened = NOW_MS - 1000 - (bars_ago + 1) * M5.ms
        series = Series(instrument_id=key, symbol="X", timeframe=M5)
        self.stream.on_close(series, [key, opened, "1", "2", "1", "2", "1", "1", 1, "1", "1"])

    async def run(self, scenario: Callable[[], Any]) -> None:
        running = asyncio.create_task(self.streamer.run())
        try:
            await scenario()
        finally:
            self.streamer._stop.set()
            await running


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.02)


@pytest.fixture
def ids(make_instrument: Callable[..., Instrument]) -> list[int]:
    found = [make_instrument(symbol).pk for symbol in ("BTCUSDT", "ETHUSDT")]
    for key in found:
        subscribe(instrument_id=key, timeframe=M5)
    return found


async def stored() -> int:
    return await Candle.objects.acount()


def test_one_chain_carries_all_symbols_and_late_closes_are_only_stored(
    ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    async def main() -> None:
        desk = Desk(monkeypatch)

        def beats() -> bool:
            views = health.list_components(now=desk.streamer._clock.now())
            seen[:] = [view.name for view in views]
            return bool(seen)

        async def scenario() -> None:
            await until(lambda: len(desk.stream.followed) == 2)
            desk.close(ids[0], bars_ago=1)
            desk.close(ids[1], bars_ago=1)
            desk.close(ids[1])
            desk.close(ids[0])
            await until(lambda: bool(desk.chains))
            await until(beats)

        await desk.run(scenario)
        assert desk.chains == [(NOW_MS - 1000, sorted(ids))]

    asyncio.run(main())

    assert Candle.objects.count() == 2
    assert seen == ["stream.market"]


@pytest.mark.faults
def test_a_dead_broker_costs_no_candle_and_the_chain_starts_when_it_is_back(
    ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        desk = Desk(monkeypatch)
        desk.failures = 3

        async def scenario() -> None:
            await until(lambda: len(desk.stream.followed) == 2)
            desk.close(ids[0])
            await until(lambda: bool(desk.chains))

        await desk.run(scenario)
        assert desk.chains == [(NOW_MS - 1000, ids[:1])]

    asyncio.run(main())

    assert Candle.objects.count() == 1


def test_what_was_gathered_at_the_stop_is_handed_on(
    ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        desk = Desk(monkeypatch)

        async def scenario() -> None:
            await until(lambda: len(desk.stream.followed) == 2)
            desk.close(ids[0])
            desk.close(ids[1])

        await desk.run(scenario)
        assert desk.chains == [(NOW_MS - 1000, sorted(ids))]

    asyncio.run(main())

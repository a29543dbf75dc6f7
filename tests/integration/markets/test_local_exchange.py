"""The market rooms against the real local exchange, its faults included."""

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from core.clock import AffineClock, from_ms, to_ms
from core.errors import NotFound
from markets.adapters.binance_client import addresses_of, build_client
from markets.adapters.binance_market_data import BinanceMarketData
from markets.adapters.sockets import market_sockets
from markets.adapters.stream import MarketStream, Series, StreamTimes
from markets.domain.timeframe import Timeframe
from markets.models import Candle
from markets.selectors import get_rules_by_symbol, load_window
from markets.services.backfill import backfill
from markets.services.instruments import sync_instruments

SIM_OPTIONS = ("--generate", "--seed", "7", "--speed", "60", "--symbols", "BTCUSDT,ETHUSDT")
M1 = Timeframe.M1


def call(url: str, method: str = "GET", body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data=data, method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=5) as reply:
        return json.loads(reply.read() or b"null")


@pytest.fixture
def clock(sim_exchange: Any) -> AffineClock:
    told = call(f"{sim_exchange.url}/_sim/clock")
    return AffineClock(
        origin_wall_ms=round(told["origin_wall_ms"]),
        origin_market_ms=told["origin_sim_ms"],
        speed=told["speed"],
    )


@pytest.fixture
def market_data(sim_exchange: Any, clock: AffineClock) -> BinanceMarketData:
    client = build_client(mode="demo", sim_url=sim_exchange.url, clock=clock)
    return BinanceMarketData(client, clock, is_local=True)


@pytest.fixture
def no_faults(sim_exchange: Any) -> Iterator[None]:
    yield
    call(f"{sim_exchange.url}/_sim/faults", "DELETE")


@pytest.mark.django_db
def test_instruments_and_history_come_over_exactly(
    market_data: BinanceMarketData, clock: AffineClock
) -> None:
    now = clock.now()
    ids = sync_instruments(market_data=market_data, now=now)
    end_ms = M1.floor_ms(to_ms(now))
    start_ms = end_ms - 2500 * M1.ms

    results = [
        backfill(
            source=market_data,
            instrument_id=ids[0],
            timeframe=M1,
            start=from_ms(start_ms),
            end=from_ms(end_ms),
            now=now,
        )
        for _ in range(2)
    ]

    rules = get_rules_by_symbol("BTCUSDT")
    assert rules.instrument_id == ids[0]
    assert rules.min_notional > 0
    assert [result.stored.new for result in results] == [2500, 0]
    assert [result.requests for result in results] == [3, 0]
    direct = market_data.klines(
        symbol="BTCUSDT", timeframe=M1, start_ms=start_ms, end_ms=end_ms, limit=1000
    )
    window = load_window(instrument_id=ids[0], timeframe=M1)
    assert window.close[:1000].tolist() == [float(row[4]) for row in direct]
    assert set(Candle.objects.values_list("revision", flat=True)) == {0}
    with pytest.raises(NotFound):
        sync_instruments(market_data=market_data, symbols=["NOSUCHUSDT"], now=now)


def test_its_time_is_the_shared_clock(market_data: BinanceMarketData, clock: AffineClock) -> None:
    before = clock.now_ms()
    told = to_ms(market_data.server_time())

    assert before - 100 * clock.speed <= told <= clock.now_ms() + 100 * clock.speed
    assert market_data.provenance()["BTCUSDT"].startswith("generated: planted signal, IC 0.45")
    assert abs(to_ms(market_data.ticker("ETHUSDT").at) - clock.now_ms()) < 60_000


Faulty = Callable[[], None]


async def follow(
    sim_url: str, clock: AffineClock, market_data: BinanceMarketData, fault: Faulty, closes: int
) -> tuple[MarketStream, dict[str, list[int]]]:
    """Stream both symbols through a fault until each closed often enough after it."""
    seen: dict[str, list[int]] = {"BTCUSDT": [], "ETHUSDT": []}
    series = [
        Series(instrument_id=number, symbol=symbol, timeframe=M1)
        for number, symbol in enumerate(seen, start=1)
    ]
    stream = MarketStream(
        connect=market_sockets(addresses_of(mode="demo", sim_url=sim_url)),
        source=market_data,
        clock=clock,
        on_close=lambda item, row: seen[item.symbol].append(row[1] // M1.ms),
        on_ticker=lambda ticker: None,
        times=StreamTimes(silence_s=2.0, grace_s=1.0, first_wait_s=0.1),
    )
    stream.follow(series, newest_ms={})
    running = asyncio.create_task(stream.run())
    deadline = time.monotonic() + 40
    try:
        for stage in (2, closes):
            while min(map(len, seen.values())) < stage:
                assert time.monotonic() < deadline, (seen, stream.health)
                await asyncio.sleep(0.05)
            if stage == 2:
                await asyncio.to_thread(fault)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    return stream, seen


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.parametrize("name", ["none", "cut_streams"])
def test_no_close_is_missed_or_doubled(
    name: str,
    sim_exchange: Any,
    clock: AffineClock,
    market_data: BinanceMarketData,
    no_faults: None,
) -> None:
    def fault() -> None:
        if name != "none":
            call(f"{sim_exchange.url}/_sim/faults", "POST", [{"fault": name, "times": 1}])

    stream, seen = asyncio.run(follow(sim_exchange.url, clock, market_data, fault, closes=8))

    for minutes in seen.values():
        assert minutes == list(range(minutes[0], minutes[0] + len(minutes)))
    if name == "none":
        assert stream.health.losses == 0
    if name == "cut_streams":
        assert stream.health.connects >= 2

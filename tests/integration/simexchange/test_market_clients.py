"""Market data as python-binance gets it from the real process, sixty times faster than life."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
from binance.async_client import AsyncClient
from binance.ws.streams import BinanceSocketManager
from websockets.asyncio.client import connect

from tests.processes import SimExchange

SIM_OPTIONS = ("--generate", "--speed", "60", "--history-days", "3")
MINUTE = 60_000


@pytest.fixture
async def client(
    sim_exchange: SimExchange, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AsyncClient]:
    monkeypatch.setattr(AsyncClient, "API_TESTNET_URL", f"{sim_exchange.url}/api")
    ws_url = f"ws://127.0.0.1:{sim_exchange.port}/"
    monkeypatch.setattr(BinanceSocketManager, "STREAM_TESTNET_URL", ws_url)
    made = await AsyncClient.create(sim_exchange.key, sim_exchange.secret, testnet=True)
    yield made
    await made.close_connection()


async def take(stream: Any, count: int) -> list[dict[str, Any]]:
    async with stream as line:
        return [await asyncio.wait_for(line.recv(), 10) for _ in range(count)]


async def test_it_pages_through_the_whole_history(client: AsyncClient) -> None:
    first = (await client.get_klines(symbol="BTCUSDT", interval="1m", startTime=0, limit=1))[0]

    rows = await client.get_historical_klines("BTCUSDT", "1m", first[0])

    opens = [row[0] for row in rows]
    assert len(opens) > 3 * 24 * 60
    assert all(later - earlier == MINUTE for earlier, later in itertools.pairwise(opens))
    assert opens[0] == first[0]


async def test_its_streams_close_each_candle_once_with_what_rest_shows(
    client: AsyncClient,
) -> None:
    names = ["btcusdt@kline_1m", "ethusdt@kline_1m"]
    finals: list[dict[str, Any]] = []
    rest: list[list[Any]] = []

    async with BinanceSocketManager(client).multiplex_socket(names) as line:
        while len(finals) < 6:
            kline = (await asyncio.wait_for(line.recv(), 10))["data"]["k"]
            if kline["x"]:
                rows = await client.get_klines(
                    symbol=kline["s"], interval="1m", startTime=kline["t"], limit=1
                )
                finals.append(kline)
                rest.append(rows[0])

    assert [row[1:6] for row in rest] == [[kline[key] for key in "ohlcv"] for kline in finals]
    for symbol in ("BTCUSDT", "ETHUSDT"):
        opens = [kline["t"] for kline in finals if kline["s"] == symbol]
        assert opens == [opens[0] + MINUTE * n for n in range(len(opens))]


async def test_its_single_sockets_speak(client: AsyncClient) -> None:
    manager = BinanceSocketManager(client)

    kline, trade, book, ticker = await asyncio.gather(
        take(manager.kline_socket("BTCUSDT", "1m"), 2),
        take(manager.trade_socket("BTCUSDT"), 5),
        take(manager.symbol_book_ticker_socket("BTCUSDT"), 3),
        take(manager.symbol_miniticker_socket("BTCUSDT"), 1),
    )

    assert {message["e"] for message in kline} == {"kline"}
    ids = [message["t"] for message in trade]
    assert ids == list(range(ids[0], ids[0] + 5))
    assert all(float(message["b"]) < float(message["a"]) for message in book)
    assert ticker[0]["e"] == "24hrMiniTicker"


async def test_its_depth_can_be_followed_from_a_snapshot(client: AsyncClient) -> None:
    async with BinanceSocketManager(client).depth_socket("BTCUSDT", interval=100) as line:
        first = await asyncio.wait_for(line.recv(), 10)
        snapshot = await client.get_order_book(symbol="BTCUSDT", limit=1000)
        events = [first] + [await asyncio.wait_for(line.recv(), 10) for _ in range(10)]

    fresh = [event for event in events if event["u"] > snapshot["lastUpdateId"]]
    assert fresh[0]["U"] <= snapshot["lastUpdateId"] + 1
    assert all(later["U"] == earlier["u"] + 1 for earlier, later in itertools.pairwise(events))


async def test_it_streams_uncompressed_whatever_a_client_offers(sim_exchange: SimExchange) -> None:
    address = f"ws://127.0.0.1:{sim_exchange.port}/ws/btcusdt@bookTicker"
    async with connect(address, compression="deflate") as line:
        assert line.response is not None
        assert "sec-websocket-extensions" not in line.response.headers

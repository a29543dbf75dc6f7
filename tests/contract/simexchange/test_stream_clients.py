"""Streams as clients that nobody here wrote get them: python-binance and ccxt.pro."""

import asyncio
import warnings
from collections.abc import AsyncIterator
from typing import Any

import pytest
from binance.async_client import AsyncClient
from binance.ws.depthcache import DepthCacheManager
from binance.ws.streams import BinanceSocketManager

from tests.fakes.sim_clients import control
from tests.processes import SimExchange

pytestmark = pytest.mark.contract
SIM_OPTIONS = (
    *("--generate", "--symbols", "BTCUSDT,ETHUSDT", "--history-days", "1"),
    *("--balance", "BTC=10,USDT=1000000"),
)
PATIENCE_S = 20


@pytest.fixture
async def ccxt_client(sim_exchange: SimExchange) -> AsyncIterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ccxt.pro as ccxtpro

    rest, stream = sim_exchange.url, f"ws://127.0.0.1:{sim_exchange.port}"
    made = ccxtpro.binance(
        {
            "apiKey": sim_exchange.key,
            "secret": sim_exchange.secret,
            "urls": {
                "api": {
                    "public": f"{rest}/api/v3",
                    "private": f"{rest}/api/v3",
                    "sapi": f"{rest}/sapi/v1",
                    "ws": {"spot": f"{stream}/ws", "ws-api": {"spot": f"{stream}/ws-api/v3"}},
                }
            },
            "options": {
                "defaultType": "spot",
                "fetchMarkets": {"types": ["spot"]},
                "fetchCurrencies": False,
                "fetchMargins": False,
            },
        }
    )
    yield made
    await made.close()


async def soon(awaitable: Any) -> Any:
    return await asyncio.wait_for(awaitable, PATIENCE_S)


async def test_ccxt_watches_the_market(ccxt_client: Any) -> None:
    markets = await soon(ccxt_client.load_markets())

    ticker = await soon(ccxt_client.watch_ticker("BTC/USDT"))
    trades = await soon(ccxt_client.watch_trades("BTC/USDT"))
    candles = await soon(ccxt_client.watch_ohlcv("BTC/USDT", "1m"))
    best = await soon(ccxt_client.watch_bids_asks(["BTC/USDT", "ETH/USDT"]))

    assert {"BTC/USDT", "ETH/USDT"} <= set(markets)
    assert ticker["last"] > 0
    assert {"price", "amount", "side", "timestamp"} <= trades[-1].keys()
    assert trades[-1]["price"] > 0
    assert candles[-1][4] > 0
    assert all(one["bid"] < one["ask"] for one in best.values())


async def test_ccxts_order_book_is_the_exchanges(
    ccxt_client: Any, sim_exchange: SimExchange
) -> None:
    await soon(ccxt_client.load_markets())

    async with asyncio.timeout(PATIENCE_S):
        while True:  # until both are of one update id
            book = await ccxt_client.watch_order_book("BTC/USDT", 1000)
            mine, nonce = [list(level[:2]) for level in book["bids"][:5]], book["nonce"]
            rest = await ccxt_client.fetch_order_book("BTC/USDT", 20)
            if rest["nonce"] == nonce:
                break

    assert mine == [list(level[:2]) for level in rest["bids"][:5]]
    assert control(sim_exchange, "GET", "ledger")["orders"] == []


async def test_ccxt_hears_of_its_orders(ccxt_client: Any) -> None:
    await soon(ccxt_client.load_markets())
    heard = asyncio.ensure_future(ccxt_client.watch_my_trades("BTC/USDT"))
    placed = {}
    # It may still be on its way to the exchange: trade until it has heard.
    while not heard.done():
        order = await soon(ccxt_client.create_order("BTC/USDT", "market", "buy", 0.01))
        placed[order["id"]] = order["status"]
        await asyncio.wait([heard], timeout=1)

    assert set(placed.values()) == {"closed"}
    assert {one["order"] for one in heard.result()} <= set(placed)


async def test_python_binance_keeps_a_depth_cache(
    sim_exchange: SimExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AsyncClient, "API_TESTNET_URL", f"{sim_exchange.url}/api")
    ws_url = f"ws://127.0.0.1:{sim_exchange.port}/"
    monkeypatch.setattr(BinanceSocketManager, "STREAM_TESTNET_URL", ws_url)
    client = await AsyncClient.create(sim_exchange.key, sim_exchange.secret, testnet=True)
    try:
        async with DepthCacheManager(client, symbol="BTCUSDT", ws_interval=100) as line:
            caches = [await soon(line.recv()) for _ in range(5)]
    finally:
        await client.close_connection()

    bids, asks = caches[-1].get_bids(), caches[-1].get_asks()
    assert len(bids) > 100
    assert bids[0][0] < asks[0][0]
    assert bids == sorted(bids, reverse=True)

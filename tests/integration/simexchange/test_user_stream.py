"""The WebSocket API and its user stream, with python-binance's own sockets."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from binance.async_client import AsyncClient
from binance.exceptions import BinanceAPIException
from binance.ws.streams import BinanceSocketManager

from tests.fakes.sim_clients import control
from tests.processes import SimExchange

SIM_OPTIONS = (
    "--generate",
    "--symbols",
    "BTCUSDT",
    "--history-days",
    "1",
    "--balance",
    "BTC=10,USDT=1000000",
)


@pytest.fixture
async def client(sim_exchange: SimExchange) -> AsyncIterator[AsyncClient]:
    class LocalClient(AsyncClient):
        API_URL = f"{sim_exchange.url}/api"
        WS_API_URL = f"ws://127.0.0.1:{sim_exchange.port}/ws-api/v3"

    opened = await LocalClient.create(sim_exchange.key, sim_exchange.secret)
    yield opened
    control(sim_exchange, "DELETE", "faults")
    # Its own way of closing waits for a read that may last ten seconds, or for ever after a cut.
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await opened.session.close()


async def take(socket: Any, until: str) -> list[dict[str, Any]]:
    """Return events up to the first of the kind, that one included."""
    events = []
    while not events or events[-1]["e"] != until:
        events.append(await asyncio.wait_for(socket.recv(), 5))
    return events


def steps(events: list[dict[str, Any]]) -> list[str]:
    return [
        f"{one['x']} {one['X']}" if one["e"] == "executionReport" else one["e"] for one in events
    ]


async def test_it_tells_orders_in_the_exchanges_order(client: AsyncClient) -> None:
    async with BinanceSocketManager(client).user_socket() as socket:
        await client.order_market_buy(symbol="BTCUSDT", quantity="0.01", newClientOrderId="s-1")
        bought = await take(socket, "outboundAccountPosition")
        last = float((await client.get_symbol_ticker(symbol="BTCUSDT"))["price"])
        await client.create_oco_order(
            symbol="BTCUSDT",
            side="SELL",
            quantity="0.01",
            aboveType="LIMIT_MAKER",
            abovePrice=f"{last * 1.05:.2f}",
            belowType="STOP_LOSS",
            belowStopPrice=f"{last * 0.95:.2f}",
        )
        listed = await take(socket, "listStatus")
        await client._delete("openOrders", True, data={"symbol": "BTCUSDT"})
        canceled = await take(socket, "listStatus")

    assert steps(bought) == ["NEW NEW", "TRADE FILLED", "outboundAccountPosition"]
    assert (bought[1]["c"], bought[1]["N"], bought[1]["n"]) == ("s-1", "BTC", "0.00001000")
    assert {row["a"] for row in bought[2]["B"]} == {"BTC", "USDT"}
    assert steps(listed) == ["NEW NEW", "NEW NEW", "outboundAccountPosition", "listStatus"]
    assert steps(canceled) == [
        "CANCELED CANCELED",
        "CANCELED CANCELED",
        "outboundAccountPosition",
        "listStatus",
    ]
    assert canceled[0]["C"] in {row["c"] for row in canceled[-1]["O"]}
    assert canceled[0]["c"] != canceled[0]["C"]


async def test_it_trades_over_the_socket_api(client: AsyncClient) -> None:
    placed = await client.ws_create_order(
        symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.001"
    )
    shown = await client.ws_get_order(symbol="BTCUSDT", orderId=placed["orderId"])
    account = await client.ws_get_account()

    assert (placed["status"], shown["status"]) == ("FILLED", "FILLED")
    assert {row["asset"] for row in account["balances"]} == {"BTC", "USDT"}
    with pytest.raises(BinanceAPIException) as refusal:
        await client.ws_cancel_order(symbol="BTCUSDT", orderId=placed["orderId"])
    assert refusal.value.code == -2011


async def test_it_cuts_the_user_stream_without_a_word(
    client: AsyncClient, sim_exchange: SimExchange
) -> None:
    async with BinanceSocketManager(client).user_socket() as socket:
        control(sim_exchange, "POST", "faults", [{"fault": "cut_streams", "times": 1}])
        told = await asyncio.wait_for(socket.recv(), 5)
        client.ws_api.unregister_subscription_queue(socket._subscription_id)
        socket._subscription_id = None

    assert told["e"] == "error"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("dup_event", ["NEW NEW", "TRADE FILLED", "TRADE FILLED", "outboundAccountPosition"]),
        ("drop_event", ["NEW NEW", "outboundAccountPosition"]),
        ("reorder_events", ["NEW NEW", "outboundAccountPosition", "TRADE FILLED"]),
    ],
)
async def test_it_bends_events(
    client: AsyncClient, sim_exchange: SimExchange, fault: str, expected: list[str]
) -> None:
    async with BinanceSocketManager(client).user_socket() as socket:
        match = {"event": "executionReport", "execution_type": "TRADE"}
        control(sim_exchange, "POST", "faults", [{"match": match, "fault": fault}])
        await client.order_market_buy(symbol="BTCUSDT", quantity="0.001")
        events = [await asyncio.wait_for(socket.recv(), 5) for _ in expected]

    assert steps(events) == expected


async def test_it_withholds_events_for_a_while(
    client: AsyncClient, sim_exchange: SimExchange
) -> None:
    async with BinanceSocketManager(client).user_socket() as socket:
        control(sim_exchange, "POST", "faults", [{"fault": "mute_stream", "ms": 60_000}])
        await client.order_market_buy(symbol="BTCUSDT", quantity="0.001", newClientOrderId="m-1")
        control(sim_exchange, "DELETE", "faults")
        await client.order_market_buy(symbol="BTCUSDT", quantity="0.001", newClientOrderId="m-2")
        first = await asyncio.wait_for(socket.recv(), 5)

    assert first["c"] == "m-2"

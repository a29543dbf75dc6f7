"""One contract, clients nobody here wrote: from start-up to the user stream."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.contract.simexchange.clients import (
    SYMBOL,
    UNIFIED,
    AsyncDesk,
    CcxtDesk,
    ProDesk,
    Refused,
    SyncDesk,
    truth,
)
from tests.contract.simexchange.program_clients import (
    ConnectorDesk,
    SdkDesk,
    SdkSocketDesk,
    end_programs,
)
from tests.processes import SimExchange

pytestmark = pytest.mark.contract
SIM_OPTIONS = (
    *("--generate", "--symbols", "BTCUSDT,ETHUSDT", "--history-days", "1"),
    *("--balance", "BTC=10,USDT=1000000", "--orders-limit", "5000"),
)


DESKS = {
    "python-binance": SyncDesk,
    "python-binance-async": AsyncDesk,
    "ccxt": CcxtDesk,
    "ccxt-pro": ProDesk,
    "binance-sdk-spot": SdkDesk,
    "binance-sdk-spot-socket": SdkSocketDesk,
    "binance-connector": ConnectorDesk,
}


@pytest.fixture(scope="module", autouse=True)
def _programs_end(sim_exchange: SimExchange) -> Iterator[None]:
    yield
    end_programs()


@pytest.fixture(params=DESKS)
async def desk(request: pytest.FixtureRequest, sim_exchange: SimExchange) -> AsyncIterator[Any]:
    opened = DESKS[request.param](sim_exchange)
    await opened.start()
    yield opened
    for name in await opened.open_names():
        await opened.cancel(name)
    await opened.close()


@pytest.fixture
async def pro(sim_exchange: SimExchange) -> AsyncIterator[ProDesk]:
    opened = ProDesk(sim_exchange)
    await opened.start()
    yield opened
    await opened.close()


async def test_it_buys_and_its_wallet_agrees_with_the_ledger(
    desk: Any, sim_exchange: SimExchange
) -> None:
    before = await desk.free("BTC")

    bought = await desk.market("BUY", "0.02")
    sold = await desk.market("SELL", "0.01")

    assert (bought["status"], bought["filled"]) == ("FILLED", Decimal("0.02"))
    assert (sold["status"], sold["filled"]) == ("FILLED", Decimal("0.01"))
    assert bought["paid"] > sold["paid"] > 0
    held = truth(sim_exchange)
    assert await desk.free("BTC") == held["BTC"][0] == before + Decimal("0.00998")
    assert await desk.free("USDT") == held["USDT"][0]
    assert {one["fee"] for one in await desk.trades()} == {"BTC", "USDT"}


async def test_it_places_finds_and_cancels_by_its_own_id(
    desk: Any, sim_exchange: SimExchange
) -> None:
    price = f"{await desk.price() * Decimal('0.8'):.2f}"

    placed = await desk.limit("BUY", "0.01", price, "mine-1")
    found = await desk.find("mine-1")
    names = await desk.open_names()
    locked = truth(sim_exchange)["USDT"][1]
    canceled = await desk.cancel("mine-1")

    assert (placed["name"], placed["status"]) == ("mine-1", "NEW")
    assert (found["name"], found["status"], found["filled"]) == ("mine-1", "NEW", 0)
    assert names == ["mine-1"]
    assert locked == Decimal(price) * Decimal("0.01")
    assert (canceled["name"], canceled["status"]) == ("mine-1", "CANCELED")
    assert await desk.open_names() == []
    assert truth(sim_exchange)["USDT"][1] == 0


async def test_it_may_use_an_id_again_once_the_order_is_over(desk: Any) -> None:
    price = f"{await desk.price() * Decimal('0.8'):.2f}"
    await desk.limit("BUY", "0.01", price, "again")

    with pytest.raises(Refused, match="Duplicate order sent"):
        await desk.limit("BUY", "0.01", price, "again")
    await desk.cancel("again")
    placed = await desk.limit("BUY", "0.01", price, "again")

    assert placed["status"] == "NEW"


async def test_it_hears_why_it_is_refused(desk: Any) -> None:
    with pytest.raises(Refused, match="insufficient balance"):
        await desk.market("BUY", "100")
    with pytest.raises(Refused, match="Filter failure: NOTIONAL"):
        await desk.market("BUY", "0.00005")
    with pytest.raises(Refused, match="Order does not exist"):
        await desk.find("nobody")
    with pytest.raises(Refused, match="Unknown order sent"):
        await desk.cancel("nobody")


async def test_python_binance_hears_of_its_orders(sim_exchange: SimExchange) -> None:
    desk = AsyncDesk(sim_exchange)
    await desk.start()
    async with desk.user_socket() as socket:
        await desk.market("BUY", "0.01")
        events = [await asyncio.wait_for(socket.recv(), 10) for _ in range(3)]
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await desk.close()

    assert [(one["e"], one.get("x")) for one in events[:2]] == [
        ("executionReport", "NEW"),
        ("executionReport", "TRADE"),
    ]


async def test_ccxt_pro_watches_its_orders_trades_and_balance(pro: ProDesk) -> None:
    watching = [
        asyncio.ensure_future(pro.client.watch_orders(UNIFIED)),
        asyncio.ensure_future(pro.client.watch_my_trades(UNIFIED)),
        asyncio.ensure_future(pro.client.watch_balance()),
    ]
    # What it watches may still be on its way to the exchange: trade until all has been heard of.
    while not all(one.done() for one in watching):
        bought = await pro.market("BUY", "0.01")
        await asyncio.wait(watching, timeout=1)
    orders, trades, balance = [one.result() for one in watching]

    assert bought["status"] == "FILLED"
    assert orders[-1]["symbol"] == UNIFIED
    assert Decimal(str(trades[-1]["amount"])) == Decimal("0.01")
    assert balance["BTC"]["free"] > 0


async def test_ccxt_starts_with_its_defaults_and_knows_the_rules(
    sim_exchange: SimExchange,
) -> None:
    desk = CcxtDesk(sim_exchange)
    await desk.start()
    market = desk.client.market(UNIFIED)

    assert market["active"]
    assert market["precision"] == {"amount": 1e-05, "price": 0.01, "base": 1e-08, "quote": 1e-08}
    assert market["limits"]["cost"]["min"] == 5
    assert desk.client.fetch_status()["status"] == "ok"
    assert desk.client.fetch_trading_fee(UNIFIED)["taker"] == 0.001
    assert set(desk.client.fetch_currencies()) >= {"BTC", "USDT"}


async def test_ccxt_spends_a_cost_edits_and_stops(sim_exchange: SimExchange) -> None:
    desk = CcxtDesk(sim_exchange)
    await desk.start()
    client, last = desk.client, float(await desk.price())

    bought = client.create_market_buy_order_with_cost(UNIFIED, 500)
    low = round(last * 0.8, 2)
    order = client.create_order(UNIFIED, "limit", "buy", 0.01, low)
    edited = client.edit_order(order["id"], UNIFIED, "limit", "buy", 0.02, low)
    stop = client.create_order(
        UNIFIED, "market", "sell", 0.01, None, {"stopLossPrice": round(last * 0.9, 2)}
    )
    shown = {one["id"]: one for one in client.fetch_open_orders(UNIFIED)}
    canceled = client.cancel_all_orders(UNIFIED)

    assert 499 < bought["cost"] <= 500
    assert edited["id"] != order["id"]
    assert shown[edited["id"]]["amount"] == 0.02
    assert shown[stop["id"]]["triggerPrice"] == round(last * 0.9, 2)
    assert len(canceled) == len(shown)


async def test_python_binance_places_lists(sim_exchange: SimExchange) -> None:
    desk = SyncDesk(sim_exchange)
    await desk.start()
    client, last = desk.client, await desk.price()
    pair = {
        "AboveType": "LIMIT_MAKER",
        "AbovePrice": f"{last * Decimal('1.1'):.2f}",
        "BelowType": "STOP_LOSS",
        "BelowStopPrice": f"{last * Decimal('0.9'):.2f}",
    }
    working = {
        "symbol": SYMBOL,
        "workingType": "LIMIT",
        "workingSide": "BUY",
        "workingTimeInForce": "GTC",
        "workingPrice": f"{last * Decimal('1.01'):.2f}",
        "workingQuantity": "0.01",
        "pendingSide": "SELL",
    }

    placed = client._post(
        "orderList/otoco",
        True,
        data={**working, "pendingQuantity": "0.01", **{f"pending{k}": v for k, v in pair.items()}},
    )
    shown = client._get("openOrderList", True, data={})
    canceled = client._delete(
        "orderList", True, data={"symbol": SYMBOL, "orderListId": placed["orderListId"]}
    )
    await desk.close()

    assert [one["status"] for one in placed["orderReports"]] == [
        "FILLED",
        "PENDING_NEW",
        "PENDING_NEW",
    ]
    assert [one["orderListId"] for one in shown] == [placed["orderListId"]]
    assert [one["status"] for one in canceled["orderReports"]] == ["CANCELED", "CANCELED"]


async def test_the_connector_hears_streams_and_orders_over_the_socket(
    sim_exchange: SimExchange,
) -> None:
    desk = ConnectorDesk(sim_exchange)
    await desk.start()

    heard = await desk.ask("market_events")
    answers = await desk.ask("socket_calls")

    assert set(heard) == {"aggTrade", "kline", "depthUpdate", "bookTicker"}
    assert {one["status"] for one in answers.values()} == {200}
    assert answers["order"]["result"]["status"] == "FILLED"
    assert answers["account"]["result"]["accountType"] == "SPOT"

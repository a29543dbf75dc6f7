"""The depth stream, put together by Binance's rules, is the book that REST shows."""

from decimal import Decimal
from typing import Any

import numpy as np

from simexchange.market.resting import RestingOrders
from tests.fakes.sim_streams import Connection, LocalBook, StreamedMarket

SYMBOL = "BTCUSDT"


def order(number: int, side: str, price: str, quantity: str, **more: Any) -> dict[str, Any]:
    return {
        "order_id": number,
        "symbol": SYMBOL,
        "side": side,
        "type": "LIMIT",
        "price": price,
        "quantity": quantity,
        "executed": "0",
        "iceberg_quantity": "0",
        "status": "NEW",
        "working_ms": 5,
        **more,
    }


async def test_the_rebuilt_book_equals_rest_at_every_update_id() -> None:
    exchange = StreamedMarket((SYMBOL,))
    line = Connection(exchange, "/ws/btcusdt@depth@100ms/btcusdt@bookTicker")
    await line.settle()
    exchange.advance(5_000)
    local = LocalBook(exchange.get("depth", symbol=SYMBOL, limit="5000"))
    resting = RestingOrders(exchange.market)
    rng = np.random.default_rng(3)
    compared = 0

    for turn in range(60):
        exchange.advance(int(rng.integers(1, 2_000)))
        bid, ask = exchange.market.best(SYMBOL)
        act = rng.integers(4)
        if act == 0:
            exchange.market.consume(SYMBOL, "BUY", ask, Decimal("1.5"))
        elif act == 1:
            resting.take({"o": [order(turn, "BUY", str(bid - 3_000), "0.7")]})
        elif act == 2:
            resting.take({"o": [order(int(rng.integers(turn + 1)), "BUY", "1", "1", status="X")]})
        exchange.beat()
        for message in await line.messages():
            if "e" in message:
                local.apply(message)
        rest = exchange.get("depth", symbol=SYMBOL, limit="5000")
        if rest["lastUpdateId"] == local.last_id:
            assert local.shown() == rest
            compared += 1
        touch = exchange.get("ticker/bookTicker", symbol=SYMBOL)
        assert [touch["bidPrice"], touch["bidQty"]] == rest["bids"][0]
        assert [touch["askPrice"], touch["askQty"]] == rest["asks"][0]
        assert Decimal(rest["bids"][0][0]) < Decimal(rest["asks"][0][0])
    await line.leave()

    assert compared == 60


async def test_the_public_book_shows_users_orders() -> None:
    exchange = StreamedMarket((SYMBOL,))
    resting = RestingOrders(exchange.market)
    bid, ask = exchange.market.best(SYMBOL)
    inside = bid + exchange.market.instrument(SYMBOL).tick_size
    assert inside < ask
    before = exchange.get("depth", symbol=SYMBOL)

    resting.take({"o": [order(1, "BUY", str(inside), "0.4"), order(2, "BUY", str(inside), "0.1")]})
    both = exchange.get("depth", symbol=SYMBOL)
    resting.take({"o": [order(1, "BUY", str(inside), "0.4", executed="0.15")]})
    part = exchange.get("depth", symbol=SYMBOL)
    resting.take({"o": [order(n, "BUY", str(inside), "0.4", status="CANCELED") for n in (1, 2)]})

    assert both["bids"][0] == [f"{inside:.8f}", "0.50000000"]
    assert part["bids"][0][1] == "0.35000000"
    assert part["lastUpdateId"] > both["lastUpdateId"] > before["lastUpdateId"]
    assert exchange.get("depth", symbol=SYMBOL)["bids"] == before["bids"]
    assert exchange.market.best(SYMBOL)[0] == bid, "the engine's makers are the market's alone"


async def test_waiting_stops_and_icebergs_are_not_shown_whole() -> None:
    exchange = StreamedMarket((SYMBOL,))
    resting = RestingOrders(exchange.market)
    bid, _ = exchange.market.best(SYMBOL)
    inside = bid + exchange.market.instrument(SYMBOL).tick_size

    resting.take({"o": [order(1, "BUY", str(inside), "9", working_ms=-1)]})
    hidden = exchange.get("ticker/bookTicker", symbol=SYMBOL)
    resting.take({"o": [order(2, "BUY", str(inside), "9", iceberg_quantity="2")]})
    tip = exchange.get("ticker/bookTicker", symbol=SYMBOL)

    assert Decimal(hidden["bidPrice"]) == bid
    assert (Decimal(tip["bidPrice"]), tip["bidQty"]) == (inside, "2.00000000")


async def test_seconds_come_once_each_in_exchange_time() -> None:
    exchange = StreamedMarket((SYMBOL,))
    line = Connection(exchange, "/ws/btcusdt@kline_1s")
    await line.settle()

    opens: list[int] = []
    for _ in range(40):
        exchange.advance(1_700)
        exchange.beat()
        opens += [message["k"]["t"] for message in await line.messages()]
    rest = exchange.get("klines", symbol=SYMBOL, interval="1s", limit="1000")
    await line.leave()

    assert len(opens) == 68
    assert opens == list(range(opens[0], opens[0] + 68_000, 1_000))
    assert [row[0] for row in rest][-69:-1] == opens

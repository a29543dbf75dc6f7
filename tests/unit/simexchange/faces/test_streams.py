import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest

from tests.fakes.sim_streams import START, Connection, StreamedMarket

MINUTE = 60_000


async def test_each_candle_is_final_exactly_once_and_rest_has_it_by_then() -> None:
    exchange = StreamedMarket()
    line = Connection(exchange, "/stream", "streams=btcusdt@kline_1m/ethusdt@kline_5m")
    await line.settle()

    finals: list[dict[str, Any]] = []
    for _ in range(30):
        exchange.advance(21_000)
        exchange.beat(7)
        for message in await line.messages():
            kline = message["data"]["k"]
            if kline["x"]:
                finals.append(kline)
                rows = exchange.get("klines", symbol=kline["s"], interval=kline["i"])
                row = next(row for row in rows if row[0] == kline["t"])
                assert row[1:6] == [kline[key] for key in "ohlcv"]
                assert row[6:11] == [kline[key] for key in "TqnVQ"]
                assert rows[-1][0] > kline["t"]
    await line.leave()

    ones = [kline["t"] for kline in finals if kline["i"] == "1m"]
    fives = [kline["t"] for kline in finals if kline["i"] == "5m"]
    assert ones == [START + MINUTE * n for n in range(len(ones))]
    assert len(ones) == 10
    assert fives == [START, START + 5 * MINUTE]


async def test_running_candles_come_every_two_seconds_of_wall_time() -> None:
    exchange = StreamedMarket()
    line = Connection(exchange, "/ws/btcusdt@kline_1h")
    await line.settle()
    exchange.advance(5_000)

    exchange.beat(19)
    early = await line.messages()
    exchange.beat(1)
    updates = await line.messages()
    exchange.beat(20)
    nothing_new = await line.messages()
    await line.leave()

    assert early == nothing_new == []
    assert [message["k"]["x"] for message in updates] == [False]


async def test_trades_carry_every_print_and_own_ones_too() -> None:
    exchange = StreamedMarket()
    line = Connection(exchange, "/ws/btcusdt@trade/btcusdt@aggTrade")
    await line.settle()

    exchange.advance(30_000)
    own = exchange.market.consume("BTCUSDT", "BUY", Decimal(60_000), Decimal("0.5"))
    heard = await line.messages()
    await line.leave()

    trades = [message for message in heard if message["e"] == "trade"]
    ids = [trade["t"] for trade in trades]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert (trades[-1]["t"], trades[-1]["q"]) == (own.trade_id, "0.50000000")
    assert len(heard) == 2 * len(trades)


async def test_the_diff_stream_goes_on_from_the_rest_snapshot() -> None:
    exchange = StreamedMarket()
    line = Connection(exchange, "/ws/btcusdt@depth@100ms")
    await line.settle()
    exchange.advance(10_000)
    exchange.beat()
    buffered = await line.messages()
    snapshot = exchange.get("depth", symbol="BTCUSDT", limit="5000")
    book = {side: dict(snapshot[side]) for side in ("bids", "asks")}
    last_id = snapshot["lastUpdateId"]

    for turn in range(40):
        exchange.advance(700)
        if turn % 5 == 0:
            ask = exchange.market.best("BTCUSDT")[1]
            exchange.market.consume("BTCUSDT", "BUY", ask, Decimal("0.2"))
        exchange.beat()
        buffered += await line.messages()
    now = exchange.get("depth", symbol="BTCUSDT", limit="20")
    exchange.beat()
    buffered += await line.messages()
    await line.leave()

    assert [e["U"] for e in buffered[1:]] == [e["u"] + 1 for e in buffered[:-1]]
    fresh = [event for event in buffered if event["u"] > last_id]
    assert fresh[0]["U"] <= last_id + 1 <= fresh[0]["u"]
    for event in fresh:
        for side, changes in (("bids", event["b"]), ("asks", event["a"])):
            for price, quantity in changes:
                book[side][price] = quantity
                if Decimal(quantity) == 0:
                    del book[side][price]
    bids = sorted(book["bids"].items(), key=lambda level: -Decimal(level[0]))[:20]
    asks = sorted(book["asks"].items(), key=lambda level: Decimal(level[0]))[:20]
    assert bids == [tuple(level) for level in now["bids"]]
    assert asks == [tuple(level) for level in now["asks"]]


async def test_subscriptions_change_while_connected() -> None:
    exchange = StreamedMarket()
    line = Connection(exchange, "/ws/0")
    await line.settle()

    assert await line.command(method="SUBSCRIBE", params=["btcusdt@trade"], id=1) == {
        "result": None,
        "id": 1,
    }
    listed = await line.command(method="LIST_SUBSCRIPTIONS", id="a")
    exchange.advance(20_000)
    heard = await line.messages()
    assert (await line.command(method="UNSUBSCRIBE", params=["btcusdt@trade"], id=2))["id"] == 2
    exchange.advance(20_000)
    silent = await line.messages()
    await line.leave()

    assert "btcusdt@trade" in listed["result"]
    assert heard
    assert silent == []
    assert exchange.streams.count() == {"connections": 0, "streams": 0}


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"method": "NOPE", "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": [], "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": [7], "id": 1}, 1),
        ({"method": "GET_PROPERTY", "params": ["odd"], "id": 1}, 0),
        ({"method": "SET_PROPERTY", "params": ["combined", "yes"], "id": 1}, 1),
        ({"method": "SUBSCRIBE", "params": ["x@trade"], "id": 1.5}, 2),
    ],
)
async def test_it_refuses_odd_commands(command: dict[str, Any], code: int) -> None:
    line = Connection(StreamedMarket(), "/ws")
    await line.settle()

    answer = await line.command(**command)
    await line.leave()

    assert answer["error"]["code"] == code


async def test_combined_wrapping_can_be_switched() -> None:
    exchange = StreamedMarket()
    line = Connection(exchange, "/ws/ethusdt@bookTicker")
    await line.settle()

    await line.command(method="SET_PROPERTY", params=["combined", True], id=1)
    exchange.advance(10_000)
    heard = await line.messages()
    await line.leave()

    assert {message["stream"] for message in heard} == {"ethusdt@bookTicker"}
    assert set(heard[0]["data"]) == {"u", "s", "b", "B", "a", "A"}


async def test_every_stream_speaks() -> None:
    exchange = StreamedMarket()
    names = [
        "btcusdt@miniTicker", "btcusdt@ticker", "btcusdt@ticker_1h", "btcusdt@avgPrice",
        "btcusdt@depth5", "btcusdt@depth20@100ms", "btcusdt@depth", "!miniTicker@arr",
        "!ticker_4h@arr", "btcusdt@kline_1m@+08:00", "btcusdt@bookTicker",
    ]  # fmt: skip
    line = Connection(exchange, "/stream", "streams=" + "/".join(names).replace("+", "%2B"))
    await line.settle()

    exchange.advance(3_000)
    exchange.beat(20)
    heard = await line.messages()
    await line.leave()

    assert {message["stream"] for message in heard} == set(names)


async def test_the_line_can_be_cut_and_muted() -> None:
    exchange = StreamedMarket()
    line = Connection(exchange, "/ws/btcusdt@trade/ethusdt@trade")
    await line.settle()

    exchange.streams.mute(60_000, "btcusdt")
    exchange.advance(10_000)
    half = await line.messages()
    exchange.streams.cut()
    await line.settle()
    await asyncio.wait_for(line.task, 1)

    assert {message["s"] for message in half} == {"ETHUSDT"}
    assert line.sent[-1] == {"type": "websocket.close", "code": 1001}


async def test_too_many_commands_end_the_connection() -> None:
    exchange = StreamedMarket()
    line = Connection(exchange, "/ws")
    await line.settle()

    for number in range(6):
        line.inbox.put_nowait(
            {
                "type": "websocket.receive",
                "text": json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}),
            }
        )
    await asyncio.wait_for(line.task, 1)

    assert line.sent[-1] == {"type": "websocket.close", "code": 1008}


async def test_a_hundred_symbols_close_in_one_go() -> None:
    symbols = tuple(f"A{n:02d}USDT" for n in range(100))
    exchange = StreamedMarket(symbols)
    line = Connection(
        exchange, "/stream", "streams=" + "/".join(f"{s.lower()}@kline_1m" for s in symbols)
    )
    await line.settle()

    exchange.advance(MINUTE)
    heard = await line.messages()
    await line.leave()

    assert {m["data"]["s"] for m in heard if m["data"]["k"]["x"]} == set(symbols)

"""What befalls stream connections: faults, limits, microseconds."""

from typing import Any

import pytest

from simexchange.faces.stream_wire import asked_streams
from simexchange.faces.streams import MOST_CONNECTS
from simexchange.faults import Faults, read_fault
from tests.fakes.sim_streams import Connection, StreamedMarket

STREAM = "btcusdt@trade"


async def heard(exchange: StreamedMarket, rule: dict[str, Any]) -> list[int]:
    """Return the ids of 30 seconds' trades under a fault."""
    line = Connection(exchange, f"/ws/{STREAM}/btcusdt@kline_1m")
    await line.settle()
    exchange.faults.add([read_fault(rule)])
    exchange.advance(30_000)
    ids = [message["t"] for message in await line.messages() if message["e"] == "trade"]
    await line.leave()
    return ids


@pytest.mark.parametrize("fault", ["dup_event", "drop_event", "reorder_events"])
async def test_market_streams_are_bent_where_a_rule_names_them(fault: str) -> None:
    exchange = StreamedMarket()
    rule = {"fault": fault, "match": {"stream": STREAM}, "skip": 2, "times": 1}

    ids = await heard(exchange, rule)

    whole = list(range(ids[0], max(ids) + 1))
    if fault == "dup_event":
        assert ids == [*whole[:3], whole[2], *whole[3:]]
    elif fault == "drop_event":
        assert ids == [*whole[:2], *whole[3:]]
    else:
        assert ids == [*whole[:2], whole[3], whole[2], *whole[4:]]
    assert exchange.faults.describe()[0]["fired"] == 1


async def test_rules_for_user_events_leave_market_streams_alone() -> None:
    exchange = StreamedMarket()

    ids = await heard(exchange, {"fault": "drop_event", "times": 0})

    assert ids == list(range(ids[0], ids[0] + len(ids)))


async def test_times_come_in_microseconds_where_asked_for() -> None:
    exchange = StreamedMarket()
    plain = Connection(exchange, "/ws/btcusdt@trade/btcusdt@kline_1m/!miniTicker@arr")
    micro = Connection(
        exchange, "/stream", "streams=btcusdt@trade/btcusdt@kline_1m&timeUnit=MICROSECOND"
    )
    await micro.settle()
    exchange.advance(90_000)
    exchange.beat(20)
    in_ms, in_us = await plain.messages(), [m["data"] for m in await micro.messages()]
    await plain.leave()
    await micro.leave()

    def of(kind: str, messages: list[Any]) -> list[Any]:
        return [m for m in messages if isinstance(m, dict) and m["e"] == kind]

    trades = of("trade", in_us)
    assert [m["T"] for m in trades] == [1000 * m["T"] for m in of("trade", in_ms)]
    assert [m["t"] for m in trades] == [m["t"] for m in of("trade", in_ms)]
    final = next(m["k"] for m in of("kline", in_us) if m["k"]["x"])
    assert final["T"] - final["t"] == 60_000_000 - 1


async def test_too_many_connections_are_refused_for_a_while() -> None:
    exchange = StreamedMarket()
    exchange.streams._connects.roll(exchange.clock.wall_ms())
    exchange.streams._connects.count = MOST_CONNECTS

    line = Connection(exchange, "/ws/btcusdt@trade")
    await line.task

    assert [message["type"] for message in line.sent] == ["websocket.close"]


def test_a_rule_ends_after_its_time() -> None:
    wall = [1_000.0]
    faults = Faults(lambda: wall[0])
    faults.add([read_fault({"fault": "drop_event", "times": 0, "after_ms": 50, "for_ms": 100})])
    names = frozenset({"drop_event"})

    found = []
    for at_ms in (1_000, 1_050, 1_149, 1_151):
        wall[0] = at_ms
        found.append(faults.take({}, names) is not None)

    assert found == [False, True, True, False]


@pytest.mark.parametrize("name", ["btcusdt@kline_1d@+08:00", "btcusdt%40kline_1d%40%2B08%3A00"])
@pytest.mark.parametrize("address", ["/ws/{}", "/stream?streams={}"])
def test_a_time_zones_plus_is_read_as_one(name: str, address: str) -> None:
    path, _, query = address.format(name).partition("?")

    asked = asked_streams({"path": path, "query_string": query.encode()})

    assert asked == ["btcusdt@kline_1d@+08:00"]

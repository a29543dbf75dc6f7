"""Times in microseconds, asked for by header; and the second look at the timestamp."""

import pytest

from tests.fakes.sim_clients import control
from tests.fakes.sim_raw import RawClient, sign
from tests.processes import SimExchange

SIM_OPTIONS = (
    *("--generate", "--symbols", "BTCUSDT", "--history-days", "1"),
    *("--balance", "BTC=10,USDT=1000000"),
)
MICRO = {"X-MBX-TIME-UNIT": "MICROSECOND"}
LEAST_MICROSECONDS = 10**15


@pytest.fixture(scope="module")
def raw(sim_exchange: SimExchange) -> RawClient:
    return RawClient(sim_exchange)


def test_it_answers_in_microseconds(raw: RawClient) -> None:
    order_id = raw.order()[1]["orderId"]
    stamp = raw.now_ms() * 1000
    query = f"symbol=BTCUSDT&orderId={order_id}&timestamp={stamp}"
    signature = sign(raw.secret, query)

    _, order = raw.send(
        "GET", f"order?{query}&signature={signature}", {**MICRO, "X-MBX-APIKEY": raw.key}
    )
    _, time = raw.send("GET", "time", MICRO)
    _, klines = raw.send("GET", "klines?symbol=BTCUSDT&interval=1m&limit=2", MICRO)
    _, plain = raw.send("GET", "time", {})

    times = [order["time"], order["updateTime"], order["workingTime"], time["serverTime"]]
    assert all(held > LEAST_MICROSECONDS for held in (*times, klines[0][0], klines[0][6]))
    assert klines[0][8] < LEAST_MICROSECONDS > plain["serverTime"]


def test_it_refuses_another_unit(raw: RawClient) -> None:
    status, body = raw.send("GET", "time", {"X-MBX-TIME-UNIT": "DAY"})

    assert (status, body["code"]) == (400, -1194)


def test_it_looks_at_the_time_again_before_the_engine(raw: RawClient) -> None:
    def count() -> int:
        return int(raw.call("GET", "rateLimit/order")[1][1]["count"])

    before = count(), len(raw.ledger()["orders"])
    late = {"fault": "delay", "ms": 1700, "when": "engine", "match": {"path": "/api/v3/order"}}
    control(raw.sim, "POST", "faults", late)
    status, body = raw.order(recvWindow=1500)

    assert (status, body["code"]) == (400, -1021)
    assert (count(), len(raw.ledger()["orders"])) == (before[0] + 1, before[1])

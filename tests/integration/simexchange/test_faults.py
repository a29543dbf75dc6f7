"""Each fault as python-binance meets it, and what the exchange's own ledger says then."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from binance.client import Client
from binance.exceptions import BinanceAPIException, BinanceRequestException

from tests.fakes.sim_clients import control, open_client
from tests.processes import SimExchange

pytestmark = pytest.mark.faults
SIM_OPTIONS = (
    "--generate",
    "--symbols",
    "BTCUSDT",
    "--history-days",
    "1",
    "--balance",
    "BTC=10,USDT=1000000",
)
ORDER = {"method": "POST", "path": "/api/v3/order"}


@pytest.fixture
def client(sim_exchange: SimExchange) -> Iterator[Client]:
    opened = open_client(sim_exchange)
    yield opened
    control(sim_exchange, "DELETE", "faults")
    opened.close_connection()


def buy(client: Client, client_order_id: str) -> Any:
    return client.order_market_buy(
        symbol="BTCUSDT", quantity="0.001", newClientOrderId=client_order_id
    )


def is_known(client: Client, client_order_id: str) -> bool:
    """Ask the exchange whether it has the order."""
    try:
        client.get_order(symbol="BTCUSDT", origClientOrderId=client_order_id)
    except BinanceAPIException as error:
        if error.code != -2013:
            raise
        return False
    return True


@pytest.mark.parametrize(
    ("fault", "accepted"), [("accept_then_drop_reply", True), ("drop_before_accept", False)]
)
def test_it_drops_the_line(
    client: Client, sim_exchange: SimExchange, fault: str, accepted: bool
) -> None:
    rule = {"match": {**ORDER, "client_order_id_prefix": "drop"}, "fault": fault, "times": 1}
    control(sim_exchange, "POST", "faults", [rule])

    buy(client, f"other-{fault}")
    with pytest.raises(requests.ConnectionError):
        buy(client, f"drop-{fault}")

    assert is_known(client, f"drop-{fault}") is accepted
    assert control(sim_exchange, "GET", "faults")[0]["fired"] == 1
    assert buy(client, f"drop-{fault}-2")["status"] == "FILLED"


@pytest.mark.parametrize(
    ("options", "status", "code", "accepted"),
    [
        ({"status": 503, "accepted": True}, 503, 0, True),
        ({"status": 503, "accepted": False}, 503, 0, False),
        ({"status": 504, "code": -1007, "msg": "Timeout", "accepted": True}, 504, -1007, True),
        ({"status": 429, "code": -1015, "msg": "Too many new orders."}, 429, -1015, False),
        ({"status": 403}, 403, 0, False),
    ],
)
def test_it_answers_with_another_status(
    client: Client,
    sim_exchange: SimExchange,
    options: dict[str, Any],
    status: int,
    code: int,
    accepted: bool,
) -> None:
    name = f"http-{status}-{accepted}"
    control(sim_exchange, "POST", "faults", [{"match": ORDER, "fault": "http", **options}])

    with pytest.raises(BinanceAPIException) as refusal:
        buy(client, name)

    assert (refusal.value.status_code, refusal.value.code) == (status, code)
    assert is_known(client, name) is accepted


def test_it_truncates_a_reply(client: Client, sim_exchange: SimExchange) -> None:
    control(sim_exchange, "POST", "faults", [{"match": ORDER, "fault": "truncate_reply"}])

    with pytest.raises(BinanceRequestException):
        buy(client, "cut-1")

    assert is_known(client, "cut-1")


def test_it_delays_a_reply_past_the_clients_patience(
    client: Client, sim_exchange: SimExchange
) -> None:
    rule = {"match": ORDER, "fault": "delay", "ms": 1_500}
    control(sim_exchange, "POST", "faults", [rule])
    client.REQUEST_TIMEOUT = 0.3

    with pytest.raises(requests.Timeout):
        buy(client, "late-1")

    client.REQUEST_TIMEOUT = 10
    assert is_known(client, "late-1")


def test_it_hides_a_fresh_order_from_queries(client: Client, sim_exchange: SimExchange) -> None:
    match = {"method": "GET", "path": "/api/v3/order"}
    rule = {"match": match, "fault": "not_found_for", "ms": 60_000, "times": 1}
    control(sim_exchange, "POST", "faults", [rule])
    buy(client, "hidden-1")

    seen = [is_known(client, "hidden-1") for _ in range(2)]

    assert seen == [False, True]


def test_it_bans_and_lifts_the_ban(client: Client, sim_exchange: SimExchange) -> None:
    control(sim_exchange, "POST", "faults", [{"fault": "ban", "seconds": 60}])

    with pytest.raises(BinanceAPIException) as refusal:
        client.ping()
    control(sim_exchange, "DELETE", "faults")

    assert (refusal.value.status_code, refusal.value.code) == (418, -1003)
    assert 0 < int(refusal.value.response.headers["Retry-After"]) <= 60
    assert client.ping() == {}


def test_its_clock_can_be_wrong(client: Client, sim_exchange: SimExchange) -> None:
    control(sim_exchange, "POST", "faults", [{"fault": "clock_offset", "ms": -5_000}])

    with pytest.raises(BinanceAPIException) as refusal:
        client.get_account()

    assert refusal.value.code == -1021
    assert "1000ms ahead" in refusal.value.message


def test_it_changes_filters_while_running(client: Client, sim_exchange: SimExchange) -> None:
    lot = {"filterType": "LOT_SIZE", "stepSize": "0.01000000"}
    change = {"fault": "filters", "symbol": "BTCUSDT", "filters": [lot]}
    control(sim_exchange, "POST", "faults", [change])

    with pytest.raises(BinanceAPIException) as refusal:
        buy(client, "step-1")
    info = client.get_symbol_info("BTCUSDT")
    lot["stepSize"] = "0.00001000"
    control(sim_exchange, "POST", "symbol", {"symbol": "BTCUSDT", "filters": [lot]})

    assert refusal.value.message == "Filter failure: LOT_SIZE"
    assert info is not None
    assert info["filters"][1]["stepSize"] == "0.01000000"
    assert buy(client, "step-2")["status"] == "FILLED"


@pytest.mark.parametrize(
    "rule",
    [
        {"fault": "nothing_known"},
        {"fault": "delay"},
        {"fault": "http", "status": 500, "match": {"colour": "red"}},
        {"fault": "drop_before_accept", "times": -1},
        "not an object",
    ],
)
def test_it_refuses_a_fault_it_does_not_understand(sim_exchange: SimExchange, rule: Any) -> None:
    reply = requests.post(f"{sim_exchange.url}/_sim/faults", json=[rule], timeout=5)

    assert reply.status_code == 400
    assert reply.json()["error"]


def test_faults_of_one_rule_befall_a_request_together(
    client: Client, sim_exchange: SimExchange
) -> None:
    other = {"fault": "http", "status": 503, "accepted": True}
    rule = {"match": ORDER, "fault": "delay", "ms": 300, "with": [other]}
    control(sim_exchange, "POST", "faults", [rule])
    started = time.monotonic()

    with pytest.raises(BinanceAPIException) as refusal:
        buy(client, "both-1")

    assert time.monotonic() - started >= 0.3
    assert refusal.value.status_code == 503
    assert is_known(client, "both-1")
    told = requests.get(f"{sim_exchange.url}/_sim/faults", timeout=5).json()
    assert (told[0]["fired"], told[0]["with"][0]["fired"]) == (1, 1)


def test_a_rule_can_wait_its_turn(client: Client, sim_exchange: SimExchange) -> None:
    rule = {"match": ORDER, "fault": "http", "status": 500, "code": -1000, "skip": 2, "times": 1}
    control(sim_exchange, "POST", "faults", [rule])

    outcomes = []
    for number in range(4):
        try:
            outcomes.append(buy(client, f"turn-{number}")["status"])
        except BinanceAPIException as error:
            outcomes.append(error.code)

    assert outcomes == ["FILLED", "FILLED", -1000, "FILLED"]
    told = requests.get(f"{sim_exchange.url}/_sim/faults", timeout=5).json()
    assert (told[0]["fired"], told[0]["seen"]) == (1, 3)


def test_chance_repeats_itself_with_its_seed(client: Client, sim_exchange: SimExchange) -> None:
    found = []
    for _ in range(2):
        match = {"method": "GET", "path": "/api/v3/time"}
        rule = {"match": match, "fault": "http", "status": 500, "times": 0}
        control(sim_exchange, "DELETE", "faults")
        control(sim_exchange, "POST", "faults", [{**rule, "probability": 0.4, "seed": 5}])
        url = f"{sim_exchange.url}/api/v3/time"
        found.append([requests.get(url, timeout=5).status_code for _ in range(30)])

    assert found[0] == found[1]
    assert 3 < found[0].count(500) < 25


def test_a_rule_waits_for_its_time(client: Client, sim_exchange: SimExchange) -> None:
    match = {"method": "GET", "path": "/api/v3/time"}
    rule = {"match": match, "fault": "http", "status": 500, "times": 0, "after_ms": 3_600_000}
    control(sim_exchange, "POST", "faults", [rule])

    assert client.get_server_time()
    assert requests.get(f"{sim_exchange.url}/_sim/faults", timeout=5).json()[0]["seen"] == 0


@pytest.mark.parametrize(
    "rule",
    [
        {"fault": "delay", "ms": "soon"},
        {"fault": "delay", "ms": 5, "colour": 1},
        {"fault": "delay", "ms": 5, "probability": 2},
        {"fault": "delay", "ms": 5, "skip": -1},
        {"fault": "delay", "ms": 5, "with": [{"fault": "dup_event"}]},
        {"fault": "dup_event", "with": [{"fault": "delay", "ms": 5}]},
        {"fault": "delay", "ms": 5, "with": "all"},
    ],
)
def test_it_names_what_is_wrong_with_a_rule(sim_exchange: SimExchange, rule: Any) -> None:
    reply = requests.post(f"{sim_exchange.url}/_sim/faults", json=[rule], timeout=5)

    assert reply.status_code == 400
    assert any(word in reply.json()["error"] for word in (*rule, "together"))

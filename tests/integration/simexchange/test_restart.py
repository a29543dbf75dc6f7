"""Killed without warning, it comes back with every order, balance, id and its time."""

import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from tests import processes
from tests.fakes.sim_clients import control, open_client, price_of

pytestmark = pytest.mark.faults
OPTIONS = (
    "--generate",
    "--symbols",
    "BTCUSDT",
    "--history-days",
    "1",
    "--speed",
    "20",
    "--start-ms",
    "1790000000000",
    "--balance",
    "BTC=10,USDT=1000000",
)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., object]:
    runs = itertools.count()

    def start(*more: str) -> object:
        return processes.sim_exchange(
            *OPTIONS,
            "--state",
            str(tmp_path / "state.jsonl"),
            *more,
            folder=tmp_path / f"run-{next(runs)}",
            environment=os.environ,
        )

    return start


def trade_a_little(sim: processes.SimExchange) -> None:
    client = open_client(sim)
    client.timestamp_offset = 0
    follow(client, sim)
    last = price_of(client)
    follow(client, sim)
    client.order_market_buy(symbol="BTCUSDT", quantity="0.01", newClientOrderId="before-1")
    follow(client, sim)
    client.order_limit_buy(
        symbol="BTCUSDT", quantity="0.01", price=f"{last * 0.6:.2f}", newClientOrderId="before-2"
    )
    client.close_connection()


def follow(client: object, sim: processes.SimExchange) -> None:
    """Set the client's clock by the exchange's, as its accelerated time needs."""
    shown = control(sim, "GET", "clock")
    client.timestamp_offset = shown["now_ms"] - shown["wall_ms"]


def test_it_loses_nothing_when_killed(run: Callable[..., object], tmp_path: Path) -> None:
    with run() as sim:
        trade_a_little(sim)
        before = control(sim, "GET", "ledger")
        sim.child.process.send_signal(signal.SIGKILL)
        sim.child.process.wait()
    with (tmp_path / "state.jsonl").open("ab") as torn:
        torn.write(b'{"k":"x","t":17')
    with run() as sim:
        after = control(sim, "GET", "ledger")
        now_ms = control(sim, "GET", "clock")["now_ms"]
        client = open_client(sim)
        follow(client, sim)
        canceled = client.cancel_order(symbol="BTCUSDT", origClientOrderId="before-2")
        follow(client, sim)
        placed = client.order_market_buy(symbol="BTCUSDT", quantity="0.01")
        client.close_connection()

    assert after["accounts"] == before["accounts"]
    assert after["orders"] == before["orders"]
    assert after["trades"] == before["trades"]
    posted = [one for one in before["requests"] if one["method"] == "POST"]
    assert [one for one in after["requests"] if one["method"] == "POST"] == posted
    last_ms = max(order["updateTime"] for order in before["orders"])
    assert last_ms <= now_ms < last_ms + 600_000
    assert canceled["status"] == "CANCELED"
    assert placed["orderId"] > max(order["orderId"] for order in before["orders"])
    used = {trade["id"] for trade in before["trades"]}
    assert used.isdisjoint(fill["tradeId"] for fill in placed["fills"])


def buy_for_ever(client: object, sim: processes.SimExchange, acknowledged: list[str]) -> None:
    for turn in itertools.count():
        follow(client, sim)
        client.order_market_buy(symbol="BTCUSDT", quantity="0.001", newClientOrderId=f"turn-{turn}")
        acknowledged.append(f"turn-{turn}")


def test_it_knows_every_order_it_acknowledged_before_the_kill(run: Callable[..., object]) -> None:
    acknowledged = []
    with run() as sim:
        client = open_client(sim)
        killer = threading.Timer(0.5, sim.child.process.send_signal, (signal.SIGKILL,))
        killer.start()
        with pytest.raises(requests.ConnectionError):
            buy_for_ever(client, sim, acknowledged)
        killer.join()
        sim.child.process.wait()
        client.close_connection()
    with run() as sim:
        after = control(sim, "GET", "ledger")

    known = [order["clientOrderId"] for order in after["orders"]]
    assert acknowledged
    assert known[: len(acknowledged)] == acknowledged
    assert len(known) - len(acknowledged) <= 1
    held = {row["asset"]: Decimal(row["free"]) for row in after["accounts"][0]["balances"]}
    paid = sum(Decimal(trade["quoteQty"]) for trade in after["trades"])
    got = sum(Decimal(trade["qty"]) - Decimal(trade["commission"]) for trade in after["trades"])
    assert held == {"BTC": 10 + got, "USDT": 1_000_000 - paid}


def test_it_goes_on_with_a_shared_clock(run: Callable[..., object]) -> None:
    with run() as sim:
        trade_a_little(sim)
        shown = control(sim, "GET", "clock")
    origin = f"{shown['origin_wall_ms']}:{shown['origin_sim_ms']}:{shown['speed']}"
    with run("--clock", origin) as sim:
        after = control(sim, "GET", "clock")

    passed_ms = (after["wall_ms"] - shown["wall_ms"]) * shown["speed"]
    assert abs(after["now_ms"] - shown["now_ms"] - passed_ms) < 2_000


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--host", "0.0.0.0"), "i-know-it-is-exposed"),  # noqa: S104 - it must refuse this
        (("--key", "SIMx"), "--key and --secret go together"),
        (("--balance", "BTC=many"), "has no number"),
        (("--speed", "-1"), "speed must be above zero"),
    ],
)
def test_it_refuses_options_that_make_no_sense(
    tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    child = start_plain(tmp_path, "--port", "0", *arguments)

    assert child.process.wait(20) == 2
    assert reason in child.output()


def test_it_names_a_busy_port_in_one_line(run: Callable[..., object], tmp_path: Path) -> None:
    with run() as sim:
        child = start_plain(tmp_path / "second", "--port", str(sim.port))
        code = child.process.wait(20)
        assert requests.get(f"{sim.url}/api/v3/ping", timeout=5).json() == {}

    assert code == 2
    assert child.output().count("\n") == 1
    assert f"127.0.0.1:{sim.port}" in child.output()


def start_plain(folder: Path, *arguments: str) -> processes.Child:
    command = [sys.executable, "-m", "simexchange", *arguments]
    return processes.start("simexchange", command, folder=folder, environment=os.environ)

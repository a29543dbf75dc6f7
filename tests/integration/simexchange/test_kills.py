"""Killed again and again at random moments, it forgets nothing that it acknowledged."""

import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from binance.exceptions import BinanceAPIException

from tests import processes
from tests.fakes.sim_clients import control, open_client, price_of

pytestmark = [pytest.mark.faults, pytest.mark.slow]
KILLS = int(os.environ.get("SIM_KILLS", "4"))
"""Nightly runs take more."""
OPTIONS = (
    *("--generate", "--symbols", "BTCUSDT", "--history-days", "1", "--seed", "5"),
    *("--key", "SIMkey", "--secret", "SIMsecret", "--orders-limit", "100000"),
    *("--balance", "BTC=10,USDT=1000000", "--compact-mb", "0.01"),
)
"""Its file is compacted all the time, so that some of the kills meet it then."""


class Diary:
    """What the exchange acknowledged: client ids with the status they had then."""

    def __init__(self, seed: int) -> None:
        self.status: dict[str, str] = {}
        self.unsure: str = ""
        self._numbers = itertools.count(seed * 100_000)

    def trade_for_ever(self, client: Any, chance: random.Random) -> None:
        """Go on until the line breaks."""
        while True:
            self.trade(client, chance)

    def trade(self, client: Any, chance: random.Random) -> None:
        """Do one thing; note it first as unsure, and as known once it is acknowledged."""
        resting = [name for name, status in self.status.items() if status == "NEW"]
        if resting and chance.random() < 0.4:
            self.unsure = chance.choice(resting)
            client.cancel_order(symbol="BTCUSDT", origClientOrderId=self.unsure)
            self.status[self.unsure] = "CANCELED"
            return
        self.unsure = f"n{next(self._numbers)}"
        if chance.random() < 0.5:
            told = client.order_market_buy(
                symbol="BTCUSDT", quantity="0.001", newClientOrderId=self.unsure
            )
        else:
            price = f"{price_of(client) * chance.uniform(0.6, 0.9):.2f}"
            told = client.order_limit_buy(
                symbol="BTCUSDT", quantity="0.002", price=price, newClientOrderId=self.unsure
            )
        self.status[self.unsure] = told["status"]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Any]:
    runs = itertools.count()

    def start(*more: str) -> Any:
        options = (*OPTIONS, "--state", str(tmp_path / "state.jsonl"), *more)
        folder = tmp_path / f"run-{next(runs)}"
        return processes.sim_exchange(*options, folder=folder, environment=os.environ)

    return start


def check(ledger: dict[str, Any], diary: Diary) -> None:
    """Hold the books against the diary and against themselves."""
    orders = {order["clientOrderId"]: order for order in ledger["orders"]}
    for name, status in diary.status.items():
        if name != diary.unsure:
            assert orders[name]["status"] == status, name
    assert orders.keys() - diary.status.keys() <= {diary.unsure}
    ids = [order["orderId"] for order in ledger["orders"]]
    assert ids == sorted(set(ids))
    trades = [trade["id"] for trade in ledger["trades"]]
    assert len(set(trades)) == len(trades)
    held = {row["asset"]: row for row in ledger["accounts"][0]["balances"]}
    paid = sum(Decimal(trade["quoteQty"]) for trade in ledger["trades"])
    got = sum(Decimal(trade["qty"]) - Decimal(trade["commission"]) for trade in ledger["trades"])
    locked = sum(
        Decimal(order["price"]) * Decimal(order["origQty"])
        for order in ledger["orders"]
        if order["status"] == "NEW"
    )
    assert Decimal(held["USDT"]["locked"]) == locked
    assert Decimal(held["USDT"]["free"]) == 1_000_000 - paid - locked
    assert Decimal(held["BTC"]["free"]) == 10 + got
    for name, status in ((n, o["status"]) for n, o in orders.items()):
        diary.status[name] = status
    diary.unsure = ""


@pytest.mark.parametrize("sync", ["1", "0"])
def test_nothing_acknowledged_is_lost_whenever_it_is_killed(
    run: Callable[..., Any], sync: str
) -> None:
    chance = random.Random(11)
    diary = Diary(1)
    for _ in range(KILLS // 2):
        with run("--sync-every", sync) as sim:
            check(control(sim, "GET", "ledger"), diary)
            client = open_client(sim)
            delay = threading.Timer(
                chance.uniform(0.05, 1.0), sim.child.process.send_signal, (signal.SIGKILL,)
            )
            delay.start()
            with pytest.raises((requests.RequestException, BinanceAPIException)):
                diary.trade_for_ever(client, chance)
            delay.join()
            assert sim.child.process.wait() == -signal.SIGKILL
            client.close_connection()
    with run() as sim:
        check(control(sim, "GET", "ledger"), diary)
    assert diary.status


def test_killed_while_it_starts_it_keeps_its_books(run: Callable[..., Any], tmp_path: Path) -> None:
    chance, diary = random.Random(3), Diary(2)
    with run() as sim:
        client = open_client(sim)
        for _ in range(15):
            diary.trade(client, chance)
        client.close_connection()
        before = control(sim, "GET", "ledger")
    command = [sys.executable, "-m", "simexchange", "--port", "0", *OPTIONS]
    for _ in range(KILLS):
        child = subprocess.Popen(
            [*command, "--state", str(tmp_path / "state.jsonl")],
            cwd=processes.ROOT,
            stdout=subprocess.DEVNULL,
        )
        time.sleep(chance.uniform(0.2, 1.5))
        child.kill()
        child.wait()

    with run() as sim:
        after = control(sim, "GET", "ledger")
    assert after["orders"] == before["orders"]
    assert after["trades"] == before["trades"]
    assert after["accounts"] == before["accounts"]

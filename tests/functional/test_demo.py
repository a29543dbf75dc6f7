"""The demo as its user meets it: it trades by itself, its books agree, and it ends cleanly."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.functional.desk import Desk, errors_in_logs, running_desk

# A test may start a whole desk and wait for its market.
pytestmark = pytest.mark.timeout(600)
SOME_FILLS = 3
# Everything that may be killed while it trades; the exchange is not ours to kill.
COMPONENTS = (
    *("worker.orders", "worker.pipeline", "worker.train", "worker.default", "beat", "guard"),
    *("stream-market", "stream-user", "web", "broker", "template"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("desk") / "var"


@pytest.fixture(scope="module")
def desk(folder: Path) -> Iterator[Desk]:
    with running_desk(folder, SIM_SPEED="150") as running:
        yield running


def test_it_trades_by_itself(desk: Desk) -> None:
    desk.wait(
        lambda: len(desk.get("/trades?limit=50")["results"]) >= SOME_FILLS,
        limit_s=240,
        what="the first fills",
    )

    orders = desk.get("/orders?limit=200")["results"]

    assert any(order["leg"] == "ENTRY" and order["state"] == "FILLED" for order in orders)
    assert any(order["leg"] == "STOP_LOSS" for order in orders)


def test_it_decides_once_per_symbol_and_close(desk: Desk) -> None:
    decisions = desk.get("/decisions?limit=500")["results"]

    closes = Counter((item["symbol"], item["close_time"]) for item in decisions)

    assert len({symbol for symbol, _ in closes}) == 7
    assert set(closes.values()) == {1}
    assert all(item["reason"] for item in decisions)
    assert {item["action"] for item in decisions if item["symbol"] == "SOLUSDT"} == {"HOLD"}


def test_it_explains_a_decision_down_to_the_fill(desk: Desk) -> None:
    entered = desk.get("/decisions?action=ENTER&limit=50")["results"][-1]

    told = desk.get(f"/decisions/why?symbol={entered['symbol']}&at={entered['close_time']}")

    (decision,) = told["decisions"]
    assert decision["action"] == "ENTER"
    assert decision["prediction"]["state"] == "OK"
    assert decision["orders"][0]["verdict"]["approved"] is True
    assert decision["orders"][0]["fills"]


def test_its_books_equal_the_exchanges(desk: Desk) -> None:
    done = desk.manage("reconcile", "--against-ledger", desk.exchange_url)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "GREEN" in done.stdout


def test_no_order_is_lost_or_doubled_and_each_cent_is_accounted_for(desk: Desk) -> None:
    done = desk.manage("check_world", "--against-ledger", desk.exchange_url)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "SOUND" in done.stdout


def test_the_contracts_snippet_works(desk: Desk) -> None:
    status = requests.get(f"{desk.url}/system/status", timeout=10).json()
    headers = {"Authorization": f"Bearer {desk.token}"}
    positions = requests.get(f"{desk.url}/positions", headers=headers, timeout=10).json()

    assert status["mode"] == "demo"
    assert status["is_running"] is True
    assert "results" in positions


def test_it_logs_no_error(desk: Desk) -> None:
    assert errors_in_logs(desk.data_dir) == []


@pytest.mark.parametrize("component", COMPONENTS)
def test_it_survives_the_kill_of_one_process(desk: Desk, component: str) -> None:
    victim = desk.process_named(component)
    assert victim is not None

    victim.kill()

    desk.wait(
        lambda: (new := desk.process_named(component)) and new.pid != victim.pid,
        limit_s=60,
        what=f"a new {component}",
    )


def test_it_trades_on_after_the_kills_and_nothing_is_lost(desk: Desk) -> None:
    desk.wait(lambda: _is_ready(desk), limit_s=60, what="the web server")
    newest = desk.get("/decisions?limit=1")["results"][0]["id"]
    desk.wait(
        lambda: desk.get("/decisions?limit=1")["results"][0]["id"] > newest + 14,
        limit_s=90,
        what="two more closes",
    )

    for command in ("reconcile", "check_world"):
        done = desk.manage(command, "--against-ledger", desk.exchange_url)
        assert done.returncode == 0, done.stdout + done.stderr


def test_it_halts_from_another_terminal(desk: Desk) -> None:
    done = desk.manage("halt", "--level", "CANCEL", "--reason", "the test says so")

    assert done.returncode == 0, done.stdout + done.stderr
    assert desk.get("/system/status")["kill_level"] == "CANCEL"
    assert desk.get("/system/status")["is_running"] is False


def test_it_resumes_where_it_stopped(desk: Desk, folder: Path) -> None:
    trades = {item["id"] for item in desk.get("/trades?limit=500")["results"]}
    os.kill(desk.child.process.pid, 2)
    desk.child.process.wait(60)

    with running_desk(folder, SIM_SPEED="150") as again:
        kept = {item["id"] for item in again.get("/trades?limit=500")["results"]}
        level = again.get("/system/status")["kill_level"]
        done = again.manage("reconcile", "--against-ledger", again.exchange_url)
        checked = again.manage("check_world", "--against-ledger", again.exchange_url)

    assert trades <= kept
    assert level == "CANCEL"
    assert done.returncode == 0, done.stdout + done.stderr
    assert checked.returncode == 0, checked.stdout + checked.stderr


def _is_ready(desk: Desk) -> bool:
    try:
        return requests.get(f"{desk.url}/readyz", timeout=2).ok
    except requests.RequestException:
        return False

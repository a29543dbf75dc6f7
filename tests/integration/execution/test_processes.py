"""The guardian and the user stream as processes of their own."""

import signal
import sys
import time

import pytest

from execution.models import Fill, Order, Position, Reconciliation
from tests.floor import D, build_floor
from tests.integration.execution import test_exchange as exchange

pytestmark = [pytest.mark.faults, pytest.mark.slow]
SIM_OPTIONS = exchange.SIM_OPTIONS


@pytest.fixture
def environment(child_environment, sim_exchange):
    return {
        **child_environment,
        "TRADING_MODE": "demo",
        "SIM_URL": sim_exchange.url,
        "BINANCE_API_KEY": sim_exchange.key,
        "BINANCE_API_SECRET": sim_exchange.secret,
        "ACCOUNT_NAME": "floor",
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture
def committed_floor(transactional_db, sim_exchange):
    floor = build_floor(sim_exchange)
    yield floor
    floor.call("DELETE", "/_sim/faults")
    floor.broker.cancel_all("BTCUSDT")


def manage(*arguments):
    return [sys.executable, "manage.py", *arguments]


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False


def test_the_guardian_places_protects_resolves_and_ends_cleanly(
    committed_floor, environment, start_process
):
    floor = committed_floor
    rule = {"match": {"method": "POST", "path": "/api/v3/order"}, "times": 1}
    floor.call("POST", "/_sim/faults", [{**rule, "fault": "accept_then_drop_reply"}])
    floor.decide("BTCUSDT")  # and no worker is there to place it
    guard = start_process("guard", manage("guard", "--interval", "0.2"), environment)

    is_protected = wait_for(lambda: Order.objects.filter(leg="PROTECT", state="NEW").exists())

    assert is_protected, guard.output()
    assert Order.objects.filter(leg="ENTRY").count() == 1
    assert Position.objects.get().status == "open"
    assert wait_for(lambda: Reconciliation.objects.filter(is_green=True).count() >= 2)
    guard.process.send_signal(signal.SIGTERM)
    assert guard.process.wait(timeout=15) == 0


def test_the_user_stream_books_a_stop_without_anybody_asking(
    committed_floor, environment, start_process
):
    floor = committed_floor
    stream = start_process("stream", manage("stream_user_data"), environment)
    assert wait_for(lambda: "connected" in stream.output()), stream.output()
    floor.place(floor.decide("BTCUSDT"))

    fallen = (floor.price("BTCUSDT") * D("0.95")).quantize(D("1"))
    floor.call("POST", "/_sim/price", {"symbol": "BTCUSDT", "price": str(fallen)})

    assert wait_for(lambda: Position.objects.get().status == "closed"), stream.output()
    assert wait_for(lambda: Order.objects.get(leg="PROTECT").state == "FILLED")
    assert Fill.objects.filter(side="SELL").exists()
    stream.process.send_signal(signal.SIGTERM)
    assert stream.process.wait(timeout=15) == 0


def test_reconcile_shows_the_ledgers_equal(committed_floor, environment, start_process):
    floor = committed_floor
    floor.place(floor.decide("ETHUSDT"))

    against = ("reconcile", "--against-ledger", floor.url)
    command = start_process("reconcile", manage(*against), environment)

    assert command.process.wait(timeout=60) == 0, command.output()
    assert "GREEN" in command.output()
    assert command.output().count("equal to the last digit") == 5

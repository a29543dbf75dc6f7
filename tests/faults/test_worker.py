"""Processes that lose their broker, go deaf or stand still: FI-24, and a guardian that hangs."""

import os
import signal
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from alerts.models import Alert
from core import pulse
from core.models import AuditRecord
from execution.models import Order
from risk.domain.trading_state import Level
from tests import processes
from tests.faults.conftest import wait_until
from tradingsite.celery import app
from tradingsite.supervisor.child import Child
from tradingsite.supervisor.launching import Duty, ProcessSpec, execute
from tradingsite.supervisor.probes import BrokerLine
from tradingsite.supervisor.watchdog import Watchdog

WORKER = (
    *(sys.executable, "-m", "celery", "-A", "tradingsite", "worker", "-Q", "orders"),
    *("--pool", "solo", "--without-gossip", "-l", "INFO"),
)


@pytest.fixture
def environment(cell) -> dict[str, str]:
    """What a worker of this cell finds, its broker behind a proxy."""
    redis_url = cell.environment.get("REDIS_URL", cell.zygote.environment["REDIS_URL"])
    proxy = cell.proxy(int(redis_url.rsplit(":", 1)[1].split("/")[0]))
    return {
        **cell.zygote.environment,
        **cell.environment,
        "REDIS_URL": f"redis://127.0.0.1:{proxy.port}/0",
        "COMPONENT": "worker.orders",
        "LOG_LEVEL": "INFO",
    }


def ask_for_order(cell) -> None:
    """Decide, and send the orders' worker its message."""
    decision = cell.decide("BTCUSDT")
    app.send_task("execution.place_orders", kwargs={"decision_ids": [decision.pk]}, queue="orders")


def is_protected() -> bool:
    return Order.objects.filter(leg="PROTECT", state="NEW").exists()


def test_fi24_a_worker_works_on_after_its_connection_was_reset_three_times(
    cell, environment, start_process
):
    proxy = cell.proxies[0]
    worker = start_process("worker", list(WORKER), environment)
    worker.wait_until(lambda: "ready" in worker.output(), timeout_s=60, waiting_for="ready")
    for _ in range(3):
        before = proxy.connections
        proxy.cut()
        proxy.restore()
        wait_until(lambda: proxy.connections > before, what="a new connection")  # noqa: B023

    ask_for_order(cell)
    wait_until(is_protected, what="protected position")

    assert len(cell.posts(cell.entry().client_order_id)) == 1
    assert processes.accepts(proxy.port)
    cell.guard()


@pytest.fixture
def watch(environment, redis_url, tmp_path):
    """Start a program under the watchdog's eyes, which asks the broker directly."""
    records = tmp_path / "records.log"
    environment["DATA_DIR"] = str(tmp_path)
    watchdog = Watchdog(
        broker=BrokerLine(redis_url, prefix="trading:"),
        data_dir=tmp_path,
        say=lambda line: sys.stdout.write(f"{line}\n"),
        start=lambda spec: execute(spec, {**environment, "REDIS_URL": redis_url}, records),
    )
    children: list[Child] = []

    def start(spec: ProcessSpec) -> tuple[Child, Callable[[], None]]:
        child = Child(spec, log_dir=tmp_path, environment=environment, launch=execute)
        children.append(child)
        child.start()

        def look() -> None:
            child.revive()
            watchdog.look([child])

        return child, look

    yield start
    for child in children:
        child.kill()
        child.wait_stopped()
        sys.stdout.write(child.last_lines(40))
    sys.stdout.write(records.read_text() if records.exists() else "")


@pytest.mark.parametrize("fault", ["stopped", "deaf"])
def test_fi24_a_worker_that_takes_nothing_is_started_again_and_the_queue_drains(
    cell, watch, redis_url, fault
):
    child, look = watch(
        ProcessSpec(name="worker-orders", argv=WORKER, duty=Duty(queue="orders", patience_s=8))
    )
    wait_until(lambda: "ready" in child.last_lines(), what="ready worker", limit_s=60)
    if fault == "stopped":
        os.kill(child.pid, signal.SIGSTOP)
    else:
        cell.proxies[0].deafen()
    first = psutil.Process(child.pid)

    # The broker hands the first message to the pop that was under way: it is gone with the worker.
    app.send_task("core.tick_queue", kwargs={"name": "orders"}, queue="orders")
    ask_for_order(cell)
    wait_until(_looking(look, is_protected), what="protected position", limit_s=100)
    wait_until(
        _looking(look, AuditRecord.objects.filter(action="process.restart").exists),
        what="record of the restart",
        limit_s=60,
    )

    assert child.restarts >= 1
    assert BrokerLine(redis_url, prefix="trading:").oldest("orders") == b""
    assert not first.is_running() or first.status() == psutil.STATUS_ZOMBIE
    assert len(cell.posts(cell.entry().client_order_id)) == 1
    alert = Alert.objects.get(code="PROCESS_RESTARTED")
    assert alert.context["lapse"] == "took nothing from its queue orders"
    assert int(alert.context["stood_s"]) >= 8
    row = AuditRecord.objects.filter(action="process.restart").first()
    assert (row.actor, row.subject) == ("auto:watchdog", "process:worker-orders")
    cell.guard()


def test_a_guardian_that_hangs_is_started_again_and_obeys_the_kill_switch(cell, watch, tmp_path):
    order = cell.rest()
    child, look = watch(
        ProcessSpec(
            name="guard",
            argv=(sys.executable, "manage.py", "guard", "--interval", "0.1"),
            env={"CRASHPOINT": "stop:guard.round"},  # not while it holds what the test needs
            duty=Duty(pulse="guard", patience_s=8),
        )
    )
    hangs = psutil.Process(child.pid)
    wait_until(lambda: hangs.status() == psutil.STATUS_STOPPED, what="hanging guardian", limit_s=60)
    assert pulse.read(tmp_path, "guard", pid=hangs.pid)

    cell.raise_level(Level.CANCEL)
    wait_until(
        _looking(look, lambda: Order.objects.get(pk=order.pk).state == "CANCELED"),
        what="cancelled order",
        limit_s=100,
    )
    wait_until(
        _looking(look, AuditRecord.objects.filter(action="process.restart").exists),
        what="record of the restart",
        limit_s=60,
    )

    assert child.restarts >= 1
    assert not hangs.is_running() or hangs.status() == psutil.STATUS_ZOMBIE
    assert Alert.objects.get(code="PROCESS_RESTARTED").context["lapse"] == "ended no round"


def _looking(look, condition):
    def attempt():
        look()
        time.sleep(0.1)
        return condition()

    return attempt

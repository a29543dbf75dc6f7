"""A worker of Celery's own whose connection to the broker breaks again and again: FI-24."""

import sys

from execution.models import Order
from tests import processes
from tests.faults.conftest import wait_until


def test_fi24_a_worker_works_on_after_its_connection_was_reset_three_times(
    cell, redis_url, tmp_path, start_process
):
    from tradingsite.celery import app

    proxy = cell.proxy(int(redis_url.rsplit(":", 1)[1].split("/")[0]))
    environment = {
        **cell.zygote.environment,
        **cell.environment,
        "REDIS_URL": f"redis://127.0.0.1:{proxy.port}/0",
        "COMPONENT": "worker.orders",
        "LOG_LEVEL": "INFO",
    }
    command = ["-m", "celery", "-A", "tradingsite", "worker", "-Q", "orders", "--pool", "solo"]
    worker = start_process(
        "worker", [sys.executable, *command, "--without-gossip", "-l", "INFO"], environment
    )
    worker.wait_until(lambda: "ready" in worker.output(), timeout_s=60, waiting_for="ready")
    for _ in range(3):
        before = proxy.connections
        proxy.cut()
        proxy.restore()
        wait_until(lambda: proxy.connections > before, what="a new connection")  # noqa: B023

    decision = cell.decide("BTCUSDT")
    app.send_task("execution.place_orders", kwargs={"decision_ids": [decision.pk]}, queue="orders")
    wait_until(
        lambda: Order.objects.filter(leg="PROTECT", state="NEW").exists(), what="protected position"
    )

    assert len(cell.posts(cell.entry().client_order_id)) == 1
    assert processes.accepts(proxy.port)
    cell.guard()

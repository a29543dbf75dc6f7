"""A stop that always stops: FI-12, FI-19 to FI-23, FI-62 and FI-64."""

import random
import signal
import time

import pytest

from core.models import AuditRecord
from execution.models import Order
from risk.domain.trading_state import Level
from risk.services.trading_state import rearm
from tests.faults.conftest import SYMBOLS, wait_until

OFFSETS = 12  # of the kill, in one run; `make chaos` tries more


def confirmations():
    return AuditRecord.objects.filter(action="kill.confirmed")


def test_fi12_the_guardian_dies_in_the_middle_of_its_sweep(cell):
    orders = [cell.rest(symbol) for symbol in SYMBOLS[:3]]
    cell.raise_level(Level.CANCEL)
    cell.run("guard", "--interval", "0.1", CRASHPOINT="cancel.replied")
    assert not confirmations().exists()

    cell.guard()
    wait_until(confirmations().exists, what="confirmation")

    states = Order.objects.filter(pk__in=[order.pk for order in orders])
    assert set(states.values_list("state", flat=True)) == {"CANCELED"}
    assert confirmations().count() == 1
    assert float(confirmations().get().after["wall_seconds"]) > 0


@pytest.mark.parametrize("slow_s", [0, 2], ids=["fi19 fi23 gone", "fi22 slow"])
def test_without_redis_orders_go_out_and_a_kill_stops_them(cell, redis_url, slow_s):
    port = int(redis_url.rsplit(":", 1)[1].split("/")[0])
    proxy = cell.proxy(port)
    proxy.delay_s = slow_s
    if not slow_s:
        proxy.cut()
    broken = {"REDIS_URL": f"redis://127.0.0.1:{proxy.port}/0"}
    resting = cell.rest("ETHUSDT")
    cell.decide("BTCUSDT")  # and nobody places it but the guardian

    cell.guard(**broken)
    wait_until(lambda: cell.pairs() == ["NEW"], what="protected position")
    cell.raise_level(Level.CANCEL)
    wait_until(confirmations().exists, what="confirmation")

    resting.refresh_from_db()
    assert resting.state == "CANCELED"
    assert cell.pairs() == ["NEW"]  # the stop survives


def test_fi20_redis_loses_everything(cell, redis_url):
    import redis

    cell.decide("BTCUSDT")
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()

    cell.guard()
    wait_until(lambda: cell.pairs() == ["NEW"], what="protected position")


def test_fi62_nothing_begins_after_the_kill_whenever_it_comes(cell):
    dice = random.Random(62)
    for _ in range(OFFSETS):
        decisions = [cell.decide(symbol).pk for symbol in SYMBOLS]
        gateway = cell.start("place", decisions)
        time.sleep(dice.uniform(0, 0.12))

        cell.raise_level(Level.HALT)

        # Whoever was past the last look has let its request go before the kill returned.
        sent = _entries_sent(cell)
        gateway.wait()
        assert _entries_sent(cell) == sent
        rearm(reason="the next turn", actor="tester", now=cell.clock.now())
        _let_duplicates_pass(cell)
    cell.guard()


def _entries_sent(cell) -> int:
    names = set(Order.objects.filter(leg="ENTRY").values_list("client_order_id", flat=True))
    return sum(
        row["method"] == "POST" and row["client_order_id"] in names
        for row in cell.ledger()["requests"]
    )


def _let_duplicates_pass(cell) -> None:
    """The gate refuses the same order within seconds; have the next turn's be another one."""
    from risk.models import RiskLimits

    RiskLimits.objects.update(duplicate_window_s=0)


def test_fi64_the_exchange_cannot_be_reached_while_the_kill_is_raised(cell):
    proxy = cell.proxy(int(cell.url.rsplit(":", 1)[1]))
    orders = [cell.rest(symbol) for symbol in SYMBOLS[:2]]
    through = {"SIM_URL": f"http://127.0.0.1:{proxy.port}"}
    guard = cell.ready_guard(**through)
    proxy.cut()
    cell.raise_level(Level.CANCEL)
    cell.run("place", [cell.decide("BNBUSDT").pk])
    assert Order.objects.get(leg="ENTRY").state == "DENIED"
    wait_until(lambda: "duty_failed" in guard.output(), what="failing round")
    assert not confirmations().exists()

    proxy.restore()
    wait_until(confirmations().exists, what="confirmation")

    for order in orders:
        order.refresh_from_db()
        assert order.state == "CANCELED"


def test_flatten_sells_everything_and_is_confirmed_only_then(cell):
    cell.run("place", [cell.decide(symbol).pk for symbol in SYMBOLS[:2]])
    cell.raise_level(Level.FLATTEN)

    cell.guard()
    wait_until(confirmations().exists, what="confirmation")

    from execution.models import Position

    assert set(Position.objects.values_list("status", flat=True)) == {"closed"}
    assert confirmations().get().after["open_orders_left"] == "0" or not [
        row for row in cell.ledger()["orders"] if row["status"] == "NEW"
    ]


def test_one_symbol_is_stopped_and_the_others_go_on(cell):
    cell.raise_level(Level.HALT, scope="symbol:BTCUSDT")

    cell.run("place", [cell.decide(symbol).pk for symbol in SYMBOLS[:2]])

    states = Order.objects.filter(leg="ENTRY").order_by("pk").values_list("state", flat=True)
    assert list(states) == ["DENIED", "FILLED"]
    cell.guard()


def test_a_signal_to_the_guardian_stops_everything(cell):
    order = cell.rest()
    guard = cell.ready_guard()

    guard.send(signal.SIGUSR1)
    wait_until(confirmations().exists, what="confirmation")

    order.refresh_from_db()
    assert order.state == "CANCELED"
    assert AuditRecord.objects.filter(actor="signal:guard").count() == 1


def test_a_file_stops_everything_while_the_workers_and_redis_are_gone(cell, redis_url):
    proxy = cell.proxy(int(redis_url.rsplit(":", 1)[1].split("/")[0]))
    proxy.cut()
    order = cell.rest()
    cell.ready_guard(REDIS_URL=f"redis://127.0.0.1:{proxy.port}/0")

    file = cell.data_dir / "KILL"
    file.write_text("CANCEL the owner says so")
    try:
        wait_until(confirmations().exists, what="confirmation")
    finally:
        file.unlink()

    order.refresh_from_db()
    assert order.state == "CANCELED"
    assert AuditRecord.objects.filter(actor="file:kill").exists()

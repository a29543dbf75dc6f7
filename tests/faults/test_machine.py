"""The machine itself: disks, clocks, other builds, busy cores, hanging addresses."""

import json
import resource
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.db import connection

from alerts.models import Alert, Channel, Delivery
from alerts.services.channels import sealed
from core.clock import to_ms
from core.models import AuditRecord
from execution.models import Decision, Fill, Order
from markets.models import Instrument
from risk.domain.trading_state import Level
from risk.models import TradingStateChange
from risk.services.trading_state import read_state
from tests import processes
from tests.faults.conftest import SYMBOLS, wait_until

FIVE_MINUTES_MS = 300_000


@pytest.fixture
def deciding(cell):
    """Return a cell whose strategy decides by itself, and the close to decide at."""
    cell.strategy.timeframe = "5m"
    cell.strategy.save()
    cell.strategy.instruments.add(Instrument.objects.get(symbol="BTCUSDT"))
    cell.quote("BTCUSDT")
    return cell, to_ms(cell.clock.now()) // FIVE_MINUTES_MS * FIVE_MINUTES_MS


@pytest.mark.parametrize("place", ["decision.before_commit", "decision.committed"])
def test_fi01_fi16_a_close_is_decided_once_whoever_dies(deciding, place):
    cell, close_ms = deciding
    cell.run("decide", "BTCUSDT", close_ms, CRASHPOINT=place)
    first = list(Decision.objects.values_list("pk", flat=True))
    assert len(first) == (place == "decision.committed")

    # The message comes again: it was never acknowledged, or its worker took too long.
    cell.run("decide", "BTCUSDT", close_ms)
    cell.run("decide", "BTCUSDT", close_ms)

    again = list(Decision.objects.values_list("pk", flat=True))
    assert len(again) == 1
    assert first in ([], again)
    cell.guard()


def test_fi17_two_schedules_send_the_same_close(deciding):
    cell, close_ms = deciding

    for actor in [cell.start("decide", "BTCUSDT", close_ms) for _ in range(3)]:
        actor.wait()

    assert Decision.objects.count() == 1
    cell.guard()


def test_fi21_redis_comes_back_empty_while_orders_rest(cell, tmp_path):
    server, port = processes.start_valkey(folder=tmp_path, environment=cell.environment)
    order = cell.rest()
    guard = cell.ready_guard(REDIS_URL=f"redis://127.0.0.1:{port}/0")
    try:
        server.stop()
        cell.run("place", [cell.decide("ETHUSDT").pk])
        wait_until(lambda: cell.pairs() == ["NEW"], what="protected position")
        server, _ = processes.start_valkey(folder=tmp_path, environment=cell.environment, port=port)
        wait_until(lambda: _has_beat(port), what="a heart-beat of the guardian")
    finally:
        server.stop()

    order.refresh_from_db()
    assert guard.is_alive()
    assert order.state == "NEW"


def _has_beat(port: int) -> bool:
    import redis

    with redis.Redis.from_url(f"redis://127.0.0.1:{port}/0") as client:
        return any(b"guard" in client.hkeys(key) for key in client.keys("*health"))


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="no prlimit on this system")
def test_fi30_the_disk_is_full_when_a_fill_is_booked(cell):
    if connection.vendor != "sqlite":
        pytest.skip("the server's disk is not ours to fill; on SQLite it is a limit on files")
    guard = cell.ready_guard(CRASHPOINT="stop:storage.noted")
    resource.prlimit(guard.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    gateway = cell.start("place", [cell.decide("BTCUSDT").pk], CRASHPOINT="stop:send.replied")
    wait_until(gateway.is_stopped, what="stop")
    resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    gateway.send(signal.SIGCONT)
    gateway.wait()
    cell.decide("ETHUSDT")
    wait_until(guard.is_stopped, what="write of the guardian that fails")

    # Without a write-ahead record nothing leaves, and nothing is lost.
    assert Fill.objects.count() == 0
    assert [row["symbol"] for row in cell.ledger()["orders"]] == ["BTCUSDT"]
    resource.prlimit(guard.pid, resource.RLIMIT_FSIZE, (-1, resource.RLIM_INFINITY))
    guard.send(signal.SIGCONT)
    wait_until(Fill.objects.exists, what="booked fill")
    assert guard.is_alive()
    # The first thing that can be stored again is the halt: only what protects leaves.
    halt = TradingStateChange.objects.get(actor="auto:storage")
    assert (halt.to_level, read_state().level) == ("HALT", Level.HALT)
    assert (
        halt.pk < Fill.objects.get().pk or halt.timestamp <= Fill.objects.get().position.updated_at
    )
    assert Alert.objects.filter(code="KILL_SWITCH", severity="CRITICAL").exists()
    wait_until(lambda: cell.pairs() == ["NEW"], what="protected position")
    wait_until(_rounds_of(cell), what="a round that would place what is left")
    assert [row["symbol"] for row in cell.ledger()["orders"] if row["side"] == "BUY"] == ["BTCUSDT"]


def _rounds_of(cell):
    """Return whether the other decision was judged: denied, or nothing was made of it."""
    order = Order.objects.filter(instrument__symbol="ETHUSDT")
    return lambda: order.exists() and order.get().state == "DENIED"


@pytest.mark.parametrize("off_s", [-60, 60], ids=["behind", "ahead"])
def test_fi44_fi45_nothing_is_traded_until_the_difference_is_known(cell, off_s):
    cell.call("POST", "/_sim/faults", [{"fault": "clock_offset", "ms": off_s * 1000}])

    cell.run("place", [cell.decide("BTCUSDT").pk])

    refused, *others = Order.objects.filter(leg="ENTRY").order_by("pk")
    assert (refused.state, refused.reason, refused.reserved_quantity) == (
        "REJECTED",
        "VENUE_1021",
        0,
    )
    # Asked for at most once more, by the exchange's time, if the data are not too old by it.
    assert [order.state for order in others] in ([], ["DENIED"], ["FILLED"])
    assert len(cell.posts(refused.client_order_id)) == 1
    cell.guard()
    wait_until(lambda: read_state().level is Level.REDUCE_ONLY, what="closed door")
    assert "auto:clock" in AuditRecord.objects.values_list("actor", flat=True)
    cell.run("place", [cell.decide("ETHUSDT").pk])
    assert Order.objects.filter(leg="ENTRY").latest("pk").state == "DENIED"
    cell.call("DELETE", "/_sim/faults")


def test_fi63_a_kill_while_both_cores_are_busy_and_the_queue_is_long(cell, redis_url):
    import redis

    with redis.Redis.from_url(redis_url) as client:
        client.rpush("orders", *[json.dumps({"number": number}) for number in range(10_000)])
    orders = [cell.rest(symbol) for symbol in SYMBOLS]
    cell.ready_guard()
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        cell.raise_level(Level.CANCEL)
        wait_until(AuditRecord.objects.filter(action="kill.confirmed").exists, what="confirmation")
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()

    states = Order.objects.filter(pk__in=[order.pk for order in orders])
    assert set(states.values_list("state", flat=True)) == {"CANCELED"}


@pytest.fixture
def webhook():
    """A server that hangs, fails or sends elsewhere: `answer` is its status, 0 hangs."""
    seen, release = [], threading.Event()

    class Handler(BaseHTTPRequestHandler):
        answer = 0

        def do_POST(self):
            seen.append(self.path)
            if not type(self).answer:
                release.wait(20)
                return
            self.send_response(type(self).answer)
            self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Handler, f"http://127.0.0.1:{server.server_port}/hook", seen
    release.set()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("answer", [0, 500, 302], ids=["hangs", "fails", "redirects"])
def test_fi71_no_address_of_an_alert_delays_a_kill(cell, webhook, settings, answer):
    handler, url, seen = webhook
    handler.answer = answer
    Channel.objects.create(
        name="hook", kind="WEBHOOK", sealed_target=sealed(url), min_severity="INFO"
    )
    order = cell.rest()
    cell.ready_guard()

    cell.raise_level(Level.CANCEL)
    courier = cell.start("deliver", SECRET_KEY=settings.SECRET_KEY)
    wait_until(lambda: seen, what="a delivery under way")
    wait_until(AuditRecord.objects.filter(action="kill.confirmed").exists, what="confirmation")

    order.refresh_from_db()
    assert order.state == "CANCELED"
    if answer:
        courier.wait()
        tried = Delivery.objects.exclude(attempts=0).first()
        assert tried.state == ("FAILED" if answer == 302 else "PENDING")
        assert str(answer) in tried.last_error


def test_fi72_a_process_that_runs_something_else_trades_nothing(cell):
    cell.ready_guard()

    cell.run("place", [cell.decide("BTCUSDT").pk], TRADING_MODE="paper")

    assert (cell.entry().state, cell.entry().reason) == ("LAPSED", "BUILD_DIFFERS")
    assert read_state().level is Level.HALT
    assert "different code" in read_state_reason()
    cell.run("place", [cell.decide("ETHUSDT").pk])
    assert cell.ledger()["orders"] == []


def read_state_reason() -> str:
    from risk.models import TradingState

    return TradingState.objects.get(scope="GLOBAL").reason

"""The database goes away, comes back, or answers nothing: FI-25 to FI-29. On PostgreSQL."""

import contextlib
import os
import signal
import subprocess

import pytest
from django.db import OperationalError, connection

from execution.models import Fill, Order, SubmitAttempt
from tests.faults.conftest import Cell, wait_until

pytestmark = pytest.mark.skipif(
    "postgres" not in os.environ.get("DATABASE_URL", ""),
    reason="needs a PostgreSQL server to break: make test-postgres",
)


def database_proxy(cell: Cell):
    """Return a proxy before the database and what an actor needs to go through it."""
    proxy = cell.proxy(int(connection.settings_dict["PORT"]))
    return proxy, {"DATABASE_PORT": str(proxy.port)}


@pytest.mark.skipif(
    "PYTEST_XDIST_WORKER" in os.environ,
    reason="restarts the server that other workers use; make test-postgres runs it alone",
)
def test_fi25_the_server_restarts_before_the_claim(cell):
    decision = cell.decide("BTCUSDT")
    # The server of the tests does not wait for its disk; what is proved here needs that it does.
    kept = {"PGOPTIONS": "-c synchronous_commit=on"}
    cell.run("place", [decision.pk], CRASHPOINT="claim.before_commit", **kept)
    guard = cell.guard(**kept)

    _restart_server()
    # Whatever our own connection still was, it is not any more.
    wait_until(_reconnected, what="the database")
    wait_until(lambda: cell.pairs() == ["NEW"], what="protected position")

    assert guard.is_alive()
    assert len(cell.posts(cell.entry().client_order_id)) == 1


def test_fi26_the_commit_of_the_claim_fails(cell):
    proxy, through = database_proxy(cell)
    gateway = cell.start(
        "place", [cell.decide("BTCUSDT").pk], CRASHPOINT="stop:claim.before_commit", **through
    )
    wait_until(gateway.is_stopped, what="stop")
    proxy.cut()

    gateway.send(signal.SIGCONT)
    gateway.wait()

    assert cell.ledger()["orders"] == []
    # The server notices that its client is gone, and takes approval and claim back.
    wait_until(_none_is_open, what="the claim taken back")
    assert not Order.objects.exists()
    cell.guard()
    wait_until(lambda: cell.pairs() == ["NEW"], what="protected position")
    cell.come_to_rest()
    assert len(cell.posts(cell.entry().client_order_id)) == 1


def test_fi27_the_commit_of_the_claim_is_done_and_its_reply_lost(cell):
    proxy, through = database_proxy(cell)
    gateway = cell.start(
        "place", [cell.decide("BTCUSDT").pk], CRASHPOINT="stop:claim.before_commit", **through
    )
    wait_until(gateway.is_stopped, what="stop")
    proxy.reset_after = b"COMMIT"

    gateway.send(signal.SIGCONT)
    gateway.wait()

    assert cell.entry().state == "SENDING"  # it is committed, and nobody may know
    assert cell.posts(cell.entry().client_order_id) == []
    cell.guard()
    cell.come_to_rest()
    assert cell.entry().state == "NOT_ACCEPTED"
    assert len(SubmitAttempt.objects.get().evidence["clean_rounds_ms"]) >= 2


def test_fi28_the_database_is_away_when_the_reply_comes(cell):
    proxy, through = database_proxy(cell)
    gateway = cell.start(
        "place", [cell.decide("BTCUSDT").pk], CRASHPOINT="stop:send.replied", **through
    )
    wait_until(gateway.is_stopped, what="stop")
    proxy.cut()

    gateway.send(signal.SIGCONT)
    gateway.wait()

    assert cell.entry().state == "SENDING"
    cell.guard()
    cell.come_to_rest()
    assert cell.entry().state == "FILLED"
    assert len(cell.posts(cell.entry().client_order_id)) == 1
    assert cell.pairs() == ["NEW"]


def test_fi29_the_booking_of_a_fill_is_thrown_out_by_the_server(cell):
    stream = cell.start("stream_user_data", CRASHPOINT="stop:fills.before_commit")
    wait_until(lambda: "connected" in stream.output(), what="stream")
    order = cell.rest(share="0.999")
    fallen = (cell.price("BTCUSDT") * 997 / 1000).quantize(cell.price("BTCUSDT"))
    cell.call("POST", "/_sim/price", {"symbol": "BTCUSDT", "price": str(fallen)})
    wait_until(stream.is_stopped, what="stop in the booking")
    wait_until(_end_open_transactions, what="a transaction to end")

    stream.send(signal.SIGCONT)
    wait_until(lambda: Order.objects.get(pk=order.pk).state == "FILLED", what="booked fill")

    assert stream.is_alive()
    assert Fill.objects.count() == len(cell.ledger()["trades"])
    cell.guard()


def _end_open_transactions() -> list[tuple[bool]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE state LIKE 'idle in transaction%' AND datname = current_database()"
            " AND pid <> pg_backend_pid()"
        )
        return cursor.fetchall()


def _none_is_open() -> bool:
    """Tell whether every transaction has come to its end."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE state LIKE 'idle in transaction%' AND datname = current_database()"
            " AND pid <> pg_backend_pid()"
        )
        return cursor.fetchone() == (0,)


def _restart_server() -> None:
    """End the server as a crash does, and start it again; all sessions are gone."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW data_directory")
        folder = cursor.fetchone()[0]
    connection.close()
    programs = os.environ["PG_BIN"]
    command = [f"{programs}/pg_ctl", "-D", folder, "-m", "immediate", "-w", "restart"]
    as_server = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run([*as_server, *command], cwd="/", check=True, stdout=subprocess.DEVNULL)


def _reconnected() -> bool:
    with contextlib.suppress(OperationalError):
        connection.close()
        connection.ensure_connection()
        return True
    return False

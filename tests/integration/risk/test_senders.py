"""A kill waits for senders that are past their last look, and never for a stuck one."""

import logging
import threading
from pathlib import Path

import pytest
from django.db import connection, connections

from risk.services.senders import sending, wait_for_senders


def run_sender(inside: threading.Event, leave: threading.Event) -> threading.Thread:
    def send() -> None:
        try:
            with sending():
                inside.set()
                leave.wait(10)
        finally:
            connections.close_all()

    thread = threading.Thread(target=send)
    thread.start()
    assert inside.wait(10)
    return thread


@pytest.mark.django_db(transaction=True)
def test_it_is_clear_without_senders() -> None:
    assert wait_for_senders()
    with sending():
        pass
    assert wait_for_senders()


@pytest.mark.django_db(transaction=True)
def test_many_may_send_at_once_and_a_stuck_one_does_not_hold_a_kill_up() -> None:
    leave = threading.Event()
    threads = [run_sender(threading.Event(), leave) for _ in range(3)]

    assert not wait_for_senders()  # and it returned: the kill goes on

    leave.set()
    for thread in threads:
        thread.join(10)
    assert wait_for_senders()


@pytest.mark.django_db(transaction=True)
def test_it_waits_for_a_sender_that_is_about_to_be_done(monkeypatch) -> None:
    monkeypatch.setattr("risk.services.senders.LIMIT_MS", 10_000)
    leave = threading.Event()
    thread = run_sender(threading.Event(), leave)
    cleared = threading.Event()

    def kill() -> None:
        if wait_for_senders():
            cleared.set()
        connections.close_all()

    waiter = threading.Thread(target=kill)
    waiter.start()
    assert not cleared.is_set()
    leave.set()
    thread.join(10)
    waiter.join(10)

    assert cleared.is_set()


@pytest.mark.django_db(transaction=True)
def test_its_file_is_made_anew_for_us_alone() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL has locks of its own")
    file = Path(f"{connection.settings_dict['NAME']}-senders")
    file.unlink(missing_ok=True)

    with sending():
        assert file.stat().st_mode & 0o777 == 0o600

    file.unlink()
    assert wait_for_senders()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.django_db(transaction=True)
def test_it_says_only_of_a_stuck_sender_that_one_is_still_inside(caplog) -> None:
    caplog.set_level(logging.WARNING, logger="risk.services.senders")
    assert wait_for_senders()
    assert caplog.messages == []
    leave = threading.Event()
    thread = run_sender(threading.Event(), leave)

    assert not wait_for_senders()

    leave.set()
    thread.join(10)
    assert caplog.messages == ["senders.still_inside after_ms=50"]

"""The kill switch with a real database, alone and against a competitor."""

import threading
from datetime import UTC, datetime

import pytest
from django.db import connection, connections, transaction
from django.db.transaction import TransactionManagementError

from alerts.models import Alert
from core.errors import Conflict, Denied, InvalidInput, NotFound
from core.models import AuditRecord
from risk.domain.trading_state import CLOSED, GLOBAL, Level
from risk.models import TradingState, TradingStateChange
from risk.services.setup import create_rows
from risk.services.trading_state import (
    lock_account,
    raise_level,
    read_state,
    rearm,
    start_trading,
    stop_trading,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BY = {"reason": "odd prices", "actor": "anna", "now": NOW}


@pytest.mark.django_db
def test_a_new_system_is_active_and_stopped() -> None:
    state = read_state()

    assert (state.level, state.is_running) == (Level.ACTIVE, False)


@pytest.mark.django_db
def test_it_raises_the_level_with_epoch_history_and_audit() -> None:
    before = read_state()

    after = raise_level(level=Level.HALT, **BY)

    assert after.level is Level.HALT
    assert after.epoch == before.epoch + 1
    change = TradingStateChange.objects.get()
    assert (change.from_level, change.to_level) == ("ACTIVE", "HALT")
    assert (change.epoch, change.actor, change.reason) == (after.epoch, "anna", "odd prices")
    audited = AuditRecord.objects.get()
    assert (audited.action, audited.actor) == ("risk.raise_level", "anna")
    assert audited.after["level"] == "HALT"


@pytest.mark.django_db
@pytest.mark.parametrize("first", list(Level)[1:])
@pytest.mark.parametrize("second", list(Level)[1:])
def test_the_level_only_rises(first: Level, second: Level) -> None:
    raise_level(level=first, **BY)

    after = raise_level(level=second, **BY)

    assert after.level is max(first, second)
    assert TradingStateChange.objects.count() == (2 if second > first else 1)


@pytest.mark.django_db
def test_it_takes_a_person_and_a_reason_to_rearm() -> None:
    raise_level(level=Level.HALT, **BY)

    for actor in ("auto:guard", ""):
        with pytest.raises(Denied):
            rearm(reason="looks fine", actor=actor, now=NOW)
    with pytest.raises(InvalidInput):
        rearm(reason="  ", actor="anna", now=NOW)
    assert read_state().level is Level.HALT

    assert rearm(reason="checked", actor="anna", now=NOW).level is Level.ACTIVE


@pytest.mark.django_db
def test_it_does_not_rearm_a_state_that_the_person_has_not_seen() -> None:
    seen = raise_level(level=Level.HALT, **BY)
    raise_level(level=Level.FLATTEN, reason="worse", actor="auto:drawdown", now=NOW)

    with pytest.raises(Conflict):
        rearm(reason="checked", actor="anna", now=NOW, expected_epoch=seen.epoch)

    assert read_state().level is Level.FLATTEN


@pytest.mark.django_db
def test_rearming_an_active_system_changes_nothing() -> None:
    before = read_state()

    assert rearm(reason="checked", actor="anna", now=NOW) == before
    assert not TradingStateChange.objects.exists()


@pytest.mark.django_db
def test_active_is_no_level_to_raise_to() -> None:
    with pytest.raises(InvalidInput):
        raise_level(level=Level.ACTIVE, **BY)


@pytest.mark.django_db
def test_starting_and_stopping_change_the_epoch_once() -> None:
    epoch = read_state().epoch

    start_trading(reason="go", actor="anna", now=NOW)
    started = start_trading(reason="go", actor="anna", now=NOW)
    stopped = stop_trading(reason="enough", actor="anna", now=NOW)

    assert (started.is_running, started.epoch) == (True, epoch + 1)
    assert (stopped.is_running, stopped.epoch) == (False, epoch + 2)


@pytest.mark.django_db
def test_a_missing_row_is_shut_and_comes_back_shut() -> None:
    raise_level(level=Level.CANCEL, **BY)
    epoch = read_state().epoch
    TradingState.objects.all().delete()

    assert read_state() == CLOSED
    create_rows()

    assert read_state().level is Level.HALT
    assert read_state().epoch > epoch


@pytest.mark.django_db
def test_a_halt_without_a_row_is_on_record() -> None:
    TradingState.objects.all().delete()

    assert raise_level(level=Level.FLATTEN, **BY).level is Level.FLATTEN


@pytest.mark.parametrize("scope", [GLOBAL, "symbol:BTCUSDT"])
@pytest.mark.django_db
def test_it_tells_of_a_kill_after_the_commit(
    scope, django_capture_on_commit_callbacks, monkeypatch
) -> None:
    told = []
    monkeypatch.setattr("risk.services.notices.push.publish", told.append)
    with django_capture_on_commit_callbacks(execute=True):
        state = raise_level(level=Level.HALT, scope=scope, **BY)
        assert not Alert.objects.exists()

    alert = Alert.objects.get(code="KILL_SWITCH")
    assert alert.severity == "CRITICAL"
    assert alert.message == f"Kill switch ({scope}) ACTIVE to HALT by anna: odd prices"
    assert alert.context == {
        "scope": scope,
        "level": "HALT",
        "epoch": state.epoch,
        "actor": "anna",
    }
    # The pages show the switch of everything.
    page = {
        "type": "risk_state",
        "at": NOW,
        "level": "HALT",
        "epoch": state.epoch,
        "is_running": False,
        "reason": "odd prices",
    }
    pages = [each for each in told if each["type"] == "risk_state"]
    assert pages == ([page] if scope == GLOBAL else [])


@pytest.mark.django_db(transaction=True)
def test_a_failing_alert_is_survived_by_a_real_commit(monkeypatch) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("no alerts today")

    monkeypatch.setattr("risk.services.notices.raise_alert", fail)

    state = raise_level(level=Level.HALT, **BY)

    assert state.level is Level.HALT
    assert read_state().level is Level.HALT


@pytest.mark.django_db(transaction=True)
def test_a_halt_stands_though_nobody_could_wait_for_the_senders(monkeypatch) -> None:
    def fail() -> bool:
        raise OSError("no file for the lock")

    monkeypatch.setattr("risk.services.trading_state.wait_for_senders", fail)

    assert raise_level(level=Level.HALT, **BY).level is Level.HALT

    assert read_state().level is Level.HALT


@pytest.mark.parametrize("scope", [GLOBAL, "symbol:BTCUSDT"])
@pytest.mark.django_db(transaction=True)
def test_a_send_and_a_halt_have_an_order(scope: str) -> None:
    """What a sender read for share stays true until its transaction ends.

    Also when what is halted has no row yet that the sender could have read.
    """
    sender_has_read, may_commit = threading.Event(), threading.Event()
    seen: list[tuple[str, int]] = []

    def send() -> None:
        try:
            with transaction.atomic():
                state = read_state(for_share=True)
                sender_has_read.set()
                may_commit.wait(10)
                seen.append(("sent", state.epoch))
        finally:
            connections.close_all()

    def halt() -> None:
        try:
            state = raise_level(level=Level.HALT, scope=scope, **BY)
            seen.append(("halted", state.epoch))
        finally:
            connections.close_all()

    before = read_state().epoch
    sender, killer = threading.Thread(target=send), threading.Thread(target=halt)
    sender.start()
    assert sender_has_read.wait(10)
    killer.start()
    killer.join(0.3)
    was_waiting = killer.is_alive()
    may_commit.set()
    sender.join(10)
    killer.join(20)

    assert was_waiting
    assert seen == [("sent", before), ("halted", before + 1 if scope == GLOBAL else 1)]


@pytest.mark.django_db(transaction=True)
def test_two_halts_at_once_are_two_changes_at_most_and_end_at_the_higher() -> None:
    barrier = threading.Barrier(4)

    def halt(level: Level) -> None:
        try:
            barrier.wait(10)
            raise_level(level=level, reason="race", actor="auto:test", now=NOW)
        finally:
            connections.close_all()

    threads = [
        threading.Thread(target=halt, args=(level,))
        for level in (Level.HALT, Level.CANCEL, Level.HALT, Level.CANCEL)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert read_state().level is Level.CANCEL
    changes = list(TradingStateChange.objects.order_by("epoch").values_list("to_level", flat=True))
    assert changes in (["CANCEL"], ["HALT", "CANCEL"])


@pytest.mark.django_db(transaction=True)
def test_an_account_is_gated_by_one_transaction_at_a_time() -> None:
    order: list[str] = []
    first_holds, second_started = threading.Event(), threading.Event()

    def first() -> None:
        try:
            with transaction.atomic():
                lock_account(7)
                first_holds.set()
                second_started.wait(10)
                order.append("first")
        finally:
            connections.close_all()

    def second() -> None:
        try:
            second_started.set()
            with transaction.atomic():
                lock_account(7)
                order.append("second")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert first_holds.wait(10)
    threads[1].start()
    for thread in threads:
        thread.join(20)

    assert order == ["first", "second"]
    assert connection.vendor in {"sqlite", "postgresql"}


@pytest.mark.django_db(transaction=True)
def test_an_account_is_locked_only_inside_a_transaction() -> None:
    with pytest.raises(TransactionManagementError, match="account 7"):
        lock_account(7)


@pytest.mark.django_db
def test_a_scope_has_its_own_level_epoch_and_history() -> None:
    everything = read_state()

    raised = raise_level(level=Level.HALT, scope="symbol:BTCUSDT", **BY)

    assert (raised.level, raised.epoch) == (Level.HALT, 1)
    assert read_state() == everything
    applied = read_state(scopes=["symbol:BTCUSDT", "account:a"])
    assert (applied.level, applied.epoch) == (Level.HALT, everything.epoch + 1)
    change = TradingStateChange.objects.get()
    assert (change.scope, change.from_level, change.to_level) == (
        "symbol:BTCUSDT",
        "ACTIVE",
        "HALT",
    )
    assert AuditRecord.objects.get().subject == "trading_state:symbol:BTCUSDT"


@pytest.mark.django_db
def test_re_arming_one_scope_leaves_the_others() -> None:
    raise_level(level=Level.HALT, **BY)
    raise_level(level=Level.CANCEL, scope="model:m", **BY)

    rearm(scope="model:m", **BY)

    assert read_state(scopes=["model:m"]).level is Level.HALT
    with pytest.raises(NotFound, match="never raised"):
        rearm(scope="model:other", **BY)

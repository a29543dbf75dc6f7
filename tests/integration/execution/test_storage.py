"""A process that could not store something sends nothing before that is on record."""

import errno

import pytest
from django.db import DatabaseError, OperationalError, connection, transaction

from execution.models import Order
from execution.services import claims
from execution.services.intents import approve_decisions
from execution.services.orders import place_orders
from risk.domain.trading_state import Level
from risk.models import TradingStateChange
from risk.services import storage
from risk.services.trading_state import read_state

FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(autouse=True)
def _clean_memory(monkeypatch):
    monkeypatch.setattr(storage, "_failure", "")


def place(world):
    place_orders(decision_ids=[world.decide("BTCUSDT").pk], broker=world.broker, clock=world.clock)


def test_the_halt_comes_before_the_next_claim(world):
    assert storage.note_failure(FULL)

    place(world)

    assert read_state().level is Level.HALT
    assert TradingStateChange.objects.get(actor="auto:storage").reason.startswith("a write failed")
    assert Order.objects.get(leg="ENTRY").state in ("LAPSED", "DENIED")
    assert world.broker.orders == {}


def test_nothing_is_approved_or_claimed_as_long_as_the_halt_cannot_be_stored(world, monkeypatch):
    waiting = approve_decisions(decision_ids=[world.decide("ETHUSDT").pk], clock=world.clock)
    storage.note_failure(FULL)

    def fails(**_):
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(storage, "raise_level", fails)
    with pytest.raises(OperationalError):
        place(world)
    with pytest.raises(OperationalError):
        claims.claim_orders(order_ids=waiting, clock=world.clock)

    assert world.broker.orders == {}
    assert list(Order.objects.values_list("pk", "state")) == [(waiting[0], "APPROVED")]
    monkeypatch.undo()
    assert claims.claim_orders(order_ids=[], clock=world.clock) == []


@pytest.mark.skipif(connection.vendor != "postgresql", reason="asks a PostgreSQL server")
@pytest.mark.parametrize(("code", "expected"), [("53100", True), ("40001", False)])
def test_the_server_says_that_its_disk_is_full(world, code, expected):
    with pytest.raises(DatabaseError) as caught, transaction.atomic(), connection.cursor() as line:
        line.execute(f"do $$ begin raise exception using errcode = '{code}'; end $$")

    assert storage.note_failure(caught.value) is expected


def test_other_errors_are_not_noted(world):
    assert not storage.note_failure(OperationalError("server closed the connection"))

    place(world)

    assert read_state().level is Level.ACTIVE
    assert Order.objects.get(leg="ENTRY").state == "FILLED"

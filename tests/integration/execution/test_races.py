"""Several processes at once: one order each, and no limit broken together."""

import threading
from decimal import Decimal

import pytest
from django.db import connection, connections

from execution.models import Fill, Order, Position
from execution.services.completing import record_live
from execution.services.orders import place_orders
from risk.models import RiskLimits

pytestmark = pytest.mark.faults
D = Decimal


def run_together(*actions):
    """Run the actions on a thread each, started together; raise what any of them raised."""
    barrier, errors = threading.Barrier(len(actions)), []

    def run(action):
        try:
            barrier.wait(timeout=10)
            action()
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)
    if errors:
        raise errors[0]


def placer(world, *decisions):
    ids = [row.pk for row in decisions]
    return lambda: place_orders(decision_ids=ids, broker=world.broker, clock=world.clock)


def test_it_places_an_order_once_however_many_workers_get_it(committed_world):
    world = committed_world
    decision = world.decide("BTCUSDT")

    run_together(*[placer(world, decision) for _ in range(4)])

    entries = [r for r in world.broker.requests if r.call == "submit"]
    assert len(entries) == 1
    assert Order.objects.filter(leg="ENTRY").count() == 1
    assert Position.objects.get().quantity == D("0.01998")
    assert world.reconcile().is_green


def test_it_breaks_no_limit_by_approving_at_the_same_time(committed_world):
    world = committed_world
    RiskLimits.objects.update(max_positions=2)
    decisions = [world.decide(symbol) for symbol in world.broker.prices]

    run_together(*[placer(world, decision) for decision in decisions])

    assert Order.objects.filter(leg="ENTRY", state="FILLED").count() == 2
    assert Order.objects.filter(leg="ENTRY", state="DENIED").count() == 2


def test_it_books_a_report_once_when_stream_and_reply_bring_it_together(committed_world):
    world = committed_world
    world.broker.slices = 4
    decision = world.decide("BTCUSDT")
    placer(world, decision)()
    report = world.broker.trigger("LIMIT_MAKER", "BTCUSDT")

    def book():
        record_live(
            account_id=world.account.pk, reports=[report], broker=world.broker, clock=world.clock
        )

    run_together(book, book, book)

    assert Fill.objects.count() == 8
    assert Position.objects.get().status == "closed"
    assert world.reconcile().is_green


def test_it_sees_a_database_that_serializes(committed_world):
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode")
            assert cursor.fetchone()[0] == "wal"
    else:
        assert connection.features.has_select_for_update_skip_locked

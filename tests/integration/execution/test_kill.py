"""Between a kill and the exchange."""

from decimal import Decimal

import pytest

from execution.models import Order, Position
from execution.services.claims import claim_orders
from execution.services.guarding import Guardian
from execution.services.intents import approve_decisions
from execution.services.orders import place_orders, send_orders
from execution.services.reconciliation import close_gate
from execution.services.sending import send_claims
from risk.domain.trading_state import Level
from risk.services.trading_state import raise_level, rearm
from tests.fakes.broker import Fault

pytestmark = pytest.mark.faults
D = Decimal


def kill(world, level=Level.HALT):
    raise_level(level=level, reason="test", actor="tester", now=world.clock.now())


def test_it_sends_nothing_that_was_approved_before_the_kill(world):
    ids = approve_decisions(decision_ids=[world.decide("BTCUSDT").pk], clock=world.clock)
    kill(world)

    claims = claim_orders(order_ids=ids, clock=world.clock)

    assert claims == []
    assert (Order.objects.get().state, Order.objects.get().reason) == ("LAPSED", "STATE_LEVEL")


def test_it_sends_nothing_that_was_claimed_before_the_kill(world):
    ids = approve_decisions(decision_ids=[world.decide("BTCUSDT").pk], clock=world.clock)
    claims = claim_orders(order_ids=ids, clock=world.clock)
    kill(world)

    send_claims(claims=claims, broker=world.broker, clock=world.clock)

    assert not world.broker.requests
    assert (Order.objects.get().state, Order.objects.get().reason) == ("LAPSED", "WITHDRAWN")


def test_it_stops_in_the_middle_of_a_batch(world):
    decisions = [world.decide(symbol) for symbol in world.broker.prices]
    world.broker.before_submit = lambda: kill(world)

    place_orders(decision_ids=[row.pk for row in decisions], broker=world.broker, clock=world.clock)

    entries = [request for request in world.broker.requests if request.call == "submit"]
    assert len(entries) == 1
    assert Position.objects.count() == 1
    # what filled in the moment of the kill is still protected
    assert Order.objects.get(leg="PROTECT").state == "NEW"


def test_the_guardian_finishes_what_others_left(world):
    guardian = Guardian(
        account_id=world.account.pk,
        broker=world.broker,
        clock=world.clock,
        pause=lambda _seconds: None,
    )
    approved = approve_decisions(decision_ids=[world.decide("BTCUSDT").pk], clock=world.clock)
    unplaced = world.decide("ETHUSDT")
    world.clock.advance(2)

    assert guardian.run_round()

    assert Order.objects.get(pk=approved[0]).state == "FILLED"
    assert Order.objects.get(decision=unplaced).state == "FILLED"
    assert Order.objects.filter(leg="PROTECT", state="NEW").count() == 2


def test_the_guardian_survives_an_exchange_that_does_not_answer(world):
    guardian = Guardian(
        account_id=world.account.pk,
        broker=world.broker,
        clock=world.clock,
        pause=lambda _seconds: None,
    )
    world.broker.faults.append(Fault("open_orders", "error", times=9))

    assert not guardian.run_round()
    assert "sync" in guardian.failures
    world.broker.faults.clear()
    assert guardian.run_round()


def test_a_claim_that_saw_another_epoch_is_withdrawn(world):
    ids = approve_decisions(decision_ids=[world.decide("BTCUSDT").pk], clock=world.clock)
    claims = claim_orders(order_ids=ids, clock=world.clock)
    kill(world)
    rearm(reason="test", actor="tester", now=world.clock.now())

    send_claims(claims=claims, broker=world.broker, clock=world.clock)

    assert not world.broker.requests
    assert Order.objects.get().reason == "WITHDRAWN"


def test_nothing_leaves_between_a_start_and_its_comparison(world):
    close_gate(account_id=world.account.pk)
    decision = world.decide("BTCUSDT")
    place_orders(decision_ids=[decision.pk], broker=world.broker, clock=world.clock)
    assert not world.broker.requests
    assert (Order.objects.get().state, Order.objects.get().reason) == (
        "DENIED",
        "RECONCILE_NOT_GREEN",
    )

    assert world.reconcile().is_green

    world.clock.advance(10)
    place_orders(decision_ids=[world.decide("BTCUSDT").pk], broker=world.broker, clock=world.clock)
    assert Position.objects.get().status == "open"


def test_what_was_approved_before_a_start_waits_for_its_comparison(world):
    ids = approve_decisions(decision_ids=[world.decide("BTCUSDT").pk], clock=world.clock)
    close_gate(account_id=world.account.pk)
    send_orders(order_ids=ids, broker=world.broker, clock=world.clock)
    assert (Order.objects.get().state, world.broker.requests) == ("APPROVED", [])
    world.clock.advance(2)
    guardian = Guardian(
        account_id=world.account.pk,
        broker=world.broker,
        clock=world.clock,
        pause=lambda _seconds: None,
    )

    assert guardian.run_round()

    assert Order.objects.get(pk=ids[0]).state == "FILLED"

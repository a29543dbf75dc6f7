"""Between a kill and the exchange."""

from decimal import Decimal

import pytest

from core.models import AuditRecord
from execution.domain.order import OrderType, Side, TimeInForce
from execution.models import Order, Position
from execution.services.claims import claim_orders
from execution.services.guarding import Guardian
from execution.services.intents import approve_decisions
from execution.services.kill import cancel_resting
from execution.services.orders import ManualOrder, place_manual_order, place_orders
from execution.services.sending import send_claims
from risk.domain.trading_state import Level
from risk.services.trading_state import raise_level
from tests.fakes.broker import Fault

pytestmark = pytest.mark.faults
D = Decimal


def kill(world, level=Level.HALT):
    raise_level(level=level, reason="test", actor="tester", now=world.clock.now())


def rest(world, key="k"):
    return place_manual_order(
        account_id=world.account.pk,
        wanted=ManualOrder(
            symbol="BTCUSDT",
            side=Side.BUY,
            type=OrderType.LIMIT,
            quantity=D("0.01"),
            price=D("49500"),
            time_in_force=TimeInForce.GTC,
        ),
        idempotency_key=key,
        actor="tester",
        broker=world.broker,
        clock=world.clock,
    )


def sweep(world):
    return cancel_resting(account_id=world.account.pk, broker=world.broker, clock=world.clock)


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


def test_it_cancels_entries_and_leaves_stops(world):
    place_orders(decision_ids=[world.decide("ETHUSDT").pk], broker=world.broker, clock=world.clock)
    order = rest(world)
    assert order.state == "NEW"
    kill(world, Level.CANCEL)

    swept = sweep(world)

    order.refresh_from_db()
    assert order.state == "CANCELED"
    assert swept.is_confirmed
    assert len(world.broker.open_orders()) == 2  # the protective pair
    sweep(world)
    assert AuditRecord.objects.filter(action="kill.confirmed").count() == 1


def test_it_keeps_sweeping_until_a_lost_cancel_has_worked(world):
    order = rest(world)
    world.broker.faults.append(Fault("cancel", "drop", times=2))
    kill(world, Level.CANCEL)

    assert not sweep(world).is_confirmed
    sweep(world)
    assert sweep(world).is_confirmed

    order.refresh_from_db()
    assert order.state == "CANCELED"


def test_it_lets_a_fill_that_raced_the_cancel_win(world):
    order = rest(world)
    world.broker.fill(order.venue_order_id, order.quantity)
    kill(world, Level.CANCEL)

    sweep(world)

    order.refresh_from_db()
    assert order.state == "FILLED"
    assert Position.objects.get().status == "open"
    assert world.reconcile().is_green


def test_it_sells_everything_at_flatten(world):
    place_orders(
        decision_ids=[world.decide("BTCUSDT").pk, world.decide("ETHUSDT").pk],
        broker=world.broker,
        clock=world.clock,
    )
    kill(world, Level.FLATTEN)

    sweep(world)

    assert set(Position.objects.values_list("status", flat=True)) == {"closed"}
    assert world.broker.open_orders() == ()
    assert world.reconcile().is_green


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

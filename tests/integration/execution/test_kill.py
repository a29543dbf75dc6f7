"""Between a kill and the exchange."""

from decimal import Decimal

import pytest

from alerts.models import Alert
from core.models import AuditRecord
from execution.domain.order import OrderType, Side, TimeInForce
from execution.models import Order, Position
from execution.services.claims import claim_orders
from execution.services.guarding import Guardian
from execution.services.intents import approve_decisions
from execution.services.kill import cancel_resting
from execution.services.orders import ManualOrder, place_manual_order, place_orders, send_orders
from execution.services.reconciliation import close_gate
from execution.services.sending import send_claims
from risk.domain.trading_state import Level
from risk.models import RiskLimits
from risk.services.trading_state import raise_level, rearm
from tests.fakes.broker import Fault

pytestmark = pytest.mark.faults
D = Decimal


def kill(world, level=Level.HALT):
    raise_level(level=level, reason="test", actor="tester", now=world.clock.now())


def rest(world, symbol="BTCUSDT"):
    price = world.broker.prices[symbol]
    return place_manual_order(
        account_id=world.account.pk,
        wanted=ManualOrder(
            symbol=symbol,
            side=Side.BUY,
            type=OrderType.LIMIT,
            quantity=(D("495") / price).quantize(D("0.001")),
            price=price * D("0.99"),
            time_in_force=TimeInForce.GTC,
        ),
        idempotency_key=f"key-{symbol}",
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


def test_it_stops_one_symbol_and_leaves_the_others(world):
    resting = {symbol: rest(world, symbol) for symbol in ("BTCUSDT", "ETHUSDT")}
    raise_level(
        level=Level.CANCEL,
        scope="symbol:BTCUSDT",
        reason="odd prices",
        actor="tester",
        now=world.clock.now(),
    )

    assert sweep(world).is_confirmed

    for order in resting.values():
        order.refresh_from_db()
    assert (resting["BTCUSDT"].state, resting["ETHUSDT"].state) == ("CANCELED", "NEW")
    world.clock.advance(10)
    place_orders(
        decision_ids=[world.decide("BTCUSDT").pk, world.decide("SOLUSDT").pk],
        broker=world.broker,
        clock=world.clock,
    )
    entries = Order.objects.filter(leg="ENTRY").order_by("pk")
    assert [(row.state, row.reason) for row in entries] == [
        ("DENIED", "STATE_LEVEL"),
        ("FILLED", ""),
    ]
    assert AuditRecord.objects.filter(action="kill.confirmed").count() == 1


def test_it_sells_the_positions_of_one_strategy(world):
    place_orders(decision_ids=[world.decide("BTCUSDT").pk], broker=world.broker, clock=world.clock)
    raise_level(
        level=Level.FLATTEN,
        scope="strategy:test",
        reason="it misbehaves",
        actor="tester",
        now=world.clock.now(),
    )

    sweep(world)

    assert Position.objects.get().status == "closed"
    assert sweep(world).is_confirmed


def test_it_does_not_confirm_beside_an_order_in_quarantine(world):
    order = rest(world)
    Order.objects.filter(pk=order.pk).update(state="QUARANTINED", venue_order_id=None)
    world.broker.orders.clear()
    kill(world, Level.CANCEL)

    assert not sweep(world).is_confirmed
    assert not AuditRecord.objects.filter(action="kill.confirmed").exists()
    Order.objects.filter(pk=order.pk).update(state="NOT_ACCEPTED", reserved_quantity=0)


def test_the_confirmation_says_how_long_it_took_and_what_was_left(world):
    place_orders(decision_ids=[world.decide("ETHUSDT").pk], broker=world.broker, clock=world.clock)
    kill(world, Level.CANCEL)
    world.clock.advance(2)

    sweep(world)

    told = AuditRecord.objects.get(action="kill.confirmed").after
    assert 2 <= float(told["wall_seconds"]) < 3
    assert told["open_orders_left"] == 1  # the protective pair
    assert (told["scope"], told["level"]) == ("GLOBAL", "CANCEL")


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


def flatten(world):
    raise_level(level=Level.FLATTEN, reason="x", actor="tester", now=world.clock.now())
    return cancel_resting(account_id=world.account.pk, broker=world.broker, clock=world.clock)


def test_flatten_sells_in_slices_with_a_worst_price(world):
    RiskLimits.objects.update(flatten_slice_notional=D("400"))
    place_orders(decision_ids=[world.decide("BTCUSDT").pk], broker=world.broker, clock=world.clock)

    swept = flatten(world)

    assert swept.is_confirmed
    exits = Order.objects.filter(leg="EXIT").order_by("pk")
    assert [(row.quantity, row.price, row.time_in_force, row.state) for row in exits] == [
        (D("0.008"), D("49500"), "IOC", "FILLED"),
        (D("0.008"), D("49500"), "IOC", "FILLED"),
        (D("0.00398"), D("49500"), "IOC", "FILLED"),
    ]
    assert not world.broker._open()


def test_flatten_waits_for_buyers_above_the_cap_and_goes_on_from_the_new_price(world):
    place_orders(decision_ids=[world.decide("BTCUSDT").pk], broker=world.broker, clock=world.clock)
    world.broker.prices["BTCUSDT"] = D("48000")  # the book is there, our ticker is not yet

    first = flatten(world)
    assert (first.held, Order.objects.get(leg="EXIT").state) == (1, "EXPIRED")

    world.move_price("BTCUSDT", "48000")
    world.clock.advance(1)
    again = cancel_resting(account_id=world.account.pk, broker=world.broker, clock=world.clock)
    assert (again.held, Position.objects.get().status) == (0, "closed")
    assert Order.objects.filter(leg="EXIT").order_by("pk")[1].price == D("47520")


def test_flatten_sells_at_the_market_what_no_slice_found_a_buyer_for(world):
    place_orders(decision_ids=[world.decide("BTCUSDT").pk], broker=world.broker, clock=world.clock)
    world.broker.prices["BTCUSDT"] = D("30000")  # and our ticker never hears of it

    held = [flatten(world).held]
    while held[-1] and len(held) < 9:
        world.clock.advance(1)
        held.append(flatten(world).held)

    exits = Order.objects.filter(leg="EXIT").order_by("pk")
    assert held == [1, 1, 1, 1, 0]
    assert [row.price for row in exits] == [D(49500), D(49500), D(49000), D(48000), None]
    assert [row.type for row in exits][-1] == "MARKET"
    assert Position.objects.get().status == "closed"
    assert Alert.objects.get(code="FLATTEN_UNSOLD").count == 4

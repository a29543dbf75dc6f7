"""Positions that are entered and left in parts, at the exchange: all that is held is protected."""

from decimal import ROUND_FLOOR, Decimal

import pytest

from execution.domain.decision import Action
from execution.domain.order import OrderType, Side, TimeInForce
from execution.models import Decision, Order, Position, Strategy, SubmitAttempt
from execution.services.coverage import measure_unprotected
from execution.services.decision_inputs import Pair, list_positions
from execution.services.orders import ManualOrder, place_manual_order, place_orders
from execution.services.protection import protect_positions
from markets.domain.timeframe import Timeframe
from markets.models import Instrument
from markets.selectors import forget_rules

D = Decimal


@pytest.fixture(autouse=True)
def _in_parts(world):
    Strategy.objects.update(scale_in_parts=2, scale_out_parts=2)
    world.strategy.refresh_from_db()


def place(world, action=Action.ENTER, **changes):
    world.clock.advance(10)
    decision = world.decide("BTCUSDT", action)
    Decision.objects.filter(pk=decision.pk).update(**changes)
    place_orders(decision_ids=[decision.pk], broker=world.broker, clock=world.clock)


def seen(world):
    pair = Pair(strategy=world.strategy, instrument_id=world.instruments["BTCUSDT"].pk)
    views = list_positions([pair], [pair.instrument_id], Timeframe("1h"), world.clock.now())
    return views[world.strategy.pk, pair.instrument_id]


def protected(world):
    return [row.quantity for row in world.broker._open() if row.type == "STOP_LOSS"]


def test_a_part_is_sold_and_the_rest_is_under_a_stop_at_once(world):
    place(world)
    place(world, Action.EXIT, exit_fraction=D("0.5"), reason="SCALE_OUT")

    assert Order.objects.get(leg="EXIT").quantity == D("0.00999")
    assert Position.objects.get().quantity == D("0.00999")
    assert protected(world) == [D("0.00999")]
    view = seen(world)
    assert (view.entries, view.exits, view.last_entry_price) == (1, 1, 50000.0)


def grow(world, *prices, guarded=True):
    """Enter, and enter further parts at these prices; let the guardian look if wanted."""
    place(world)
    for price in prices:
        world.move_price("BTCUSDT", price)
        place(world, reason="SCALE_IN")
    if guarded:
        guard(world)


def guard(world):
    return protect_positions(account_id=world.account.pk, broker=world.broker, clock=world.clock)


def stops():
    """Return quantity and trigger of the stops that rest, oldest first."""
    rows = Order.objects.filter(leg="STOP_LOSS", state="NEW").order_by("pk")
    return list(rows.values_list("quantity", "stop_price"))


def cancels():
    return SubmitAttempt.objects.filter(kind="CANCEL").count()


def test_what_is_added_has_a_stop_of_its_own_at_once_and_the_rest_keeps_its_own(world):
    grow(world, "51000", guarded=False)

    held = Position.objects.get().quantity
    assert stops() == [(D("0.01998"), D("49000")), (D("0.01958"), D("49980"))]
    assert sum(protected(world)) == held.quantize(D("0.00001"), ROUND_FLOOR)
    assert cancels() == 0
    assert measure_unprotected(account_id=world.account.pk, clock=world.clock) == {}
    assert guard(world) == 0
    view = seen(world)
    assert (view.entries, view.exits, view.last_entry_price) == (2, 0, 51000.0)
    assert view.average_price == pytest.approx(50495.0, abs=1)


def test_where_no_further_stop_is_taken_one_makes_room_for_both(world):
    Instrument.objects.update(max_algo_orders=2)
    forget_rules()
    grow(world, "51000", "52000", guarded=False)
    world.clock.advance(3)
    first, second = protected(world)
    assert measure_unprotected(account_id=world.account.pk, clock=world.clock)

    guard(world)

    held = Position.objects.get().quantity.quantize(D("0.00001"), ROUND_FLOOR)
    assert protected(world) == [first, held - first]
    assert cancels() == 1
    assert second < first
    assert measure_unprotected(account_id=world.account.pk, clock=world.clock) == {}


def test_a_target_that_fills_in_part_touches_no_other_part(world):
    grow(world, "51000")
    lists = list(Order.objects.filter(leg="PROTECT").order_by("pk"))
    target = Order.objects.get(leg="TAKE_PROFIT", parent=lists[0])
    world.broker.fill(target.venue_order_id, D("0.005"), target.price)
    world.reconcile()

    guard(world)

    lists[1].refresh_from_db()
    assert lists[1].state == "NEW"
    assert protected(world) == [D("0.01958"), D("0.01498")]
    assert cancels() == 1


def test_a_bit_too_small_for_a_stop_of_its_own_waits_for_more(world):
    place(world)
    resting = place_manual_order(
        account_id=world.account.pk,
        wanted=ManualOrder(
            symbol="BTCUSDT",
            side=Side.BUY,
            type=OrderType.LIMIT,
            quantity=D("0.01"),
            price=D("49000"),
            time_in_force=TimeInForce.GTC,
        ),
        idempotency_key="more",
        actor="tester",
        broker=world.broker,
        clock=world.clock,
    )
    # Worth 4.41: less than the exchange takes.
    world.broker.fill(resting.venue_order_id, D("0.00009"), D("49000"))
    world.reconcile()
    assert guard(world) == 0
    assert len(stops()) == 1
    assert measure_unprotected(account_id=world.account.pk, clock=world.clock) == {}

    world.broker.fill(resting.venue_order_id, D("0.005"), D("49000"))
    world.reconcile()
    guard(world)

    held = Position.objects.get().quantity.quantize(D("0.00001"), ROUND_FLOOR)
    assert stops() == [(D("0.01998"), D("49000")), (held - D("0.01998"), D("48020"))]
    assert cancels() == 0


def test_an_exit_takes_all_parts_from_under_their_stops(world):
    grow(world, "51000")

    place(world, Action.EXIT)

    assert Position.objects.get().status == "closed"
    assert stops() == []
    assert world.reconcile().is_green


def test_a_part_that_would_leave_too_little_sells_all(world):
    place(world)
    place(world, Action.EXIT, exit_fraction=D("0.9999"), reason="SCALE_OUT")

    assert Position.objects.get().status == "closed"


def test_who_does_not_scale_is_told_nothing_of_parts(world):
    Strategy.objects.update(scale_in_parts=1, scale_out_parts=1)
    world.strategy.refresh_from_db()
    place(world)

    assert (seen(world).entries, seen(world).average_price) == (0, None)

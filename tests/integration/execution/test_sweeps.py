"""What a sweep of the kill switch cancels, what it leaves, and when it calls a kill confirmed."""

from datetime import datetime
from decimal import Decimal

import pytest

from core.models import AuditRecord
from execution.domain.order import OrderType, Side, TimeInForce
from execution.models import Order, Position
from execution.services.accounts import open_account
from execution.services.kill import cancel_resting
from execution.services.orders import ManualOrder, place_manual_order, place_orders
from risk.domain.trading_state import Level
from risk.services.trading_state import raise_level, read_states, rearm
from tests.fakes.broker import Fault

pytestmark = pytest.mark.faults
D = Decimal


def kill(world, level=Level.HALT):
    raise_level(level=level, reason="test", actor="tester", now=world.clock.now())


def rest(world, symbol="BTCUSDT", **changes):
    price = world.broker.prices[symbol]
    terms = {
        "type": OrderType.LIMIT,
        "price": price * D("0.99"),
        "time_in_force": TimeInForce.GTC,
        **changes,
    }
    return place_manual_order(
        account_id=world.account.pk,
        wanted=ManualOrder(
            symbol=symbol,
            side=Side.BUY,
            quantity=(D("495") / price).quantize(D("0.001")),
            **terms,
        ),
        idempotency_key=f"key-{symbol}",
        actor="tester",
        broker=world.broker,
        clock=world.clock,
    )


def sweep(world):
    return cancel_resting(account_id=world.account.pk, broker=world.broker, clock=world.clock)


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

    epoch = read_states().of([]).epoch
    row = AuditRecord.objects.get(action="kill.confirmed")
    told = row.after
    assert (row.actor, row.reason != "") == ("auto:guard", True)
    assert row.subject == f"account:{world.account.pk}:GLOBAL:epoch:{epoch}"
    assert 2 <= float(told.pop("wall_seconds")) < 3
    assert datetime.fromisoformat(told.pop("exchange_time")) <= world.broker.server_time()
    assert told == {
        "scope": "GLOBAL",
        "level": "CANCEL",
        "epoch": epoch,
        "open_orders_left": 1,  # the protective pair
    }


def cancel_symbol(world, symbol):
    raise_level(
        level=Level.CANCEL,
        scope=f"symbol:{symbol}",
        reason="odd prices",
        actor="tester",
        now=world.clock.now(),
    )


def list_confirmed(scope):
    rows = AuditRecord.objects.filter(action="kill.confirmed").order_by("pk")
    return [row.after for row in rows if row.after["scope"] == scope]


def test_each_kill_of_each_scope_is_confirmed_by_itself_and_once(world):
    cancel_symbol(world, "BTCUSDT")
    world.clock.advance(30)
    cancel_symbol(world, "ETHUSDT")
    world.clock.advance(10)
    for _ in range(2):
        sweep(world)
    rearm(reason="test", actor="tester", scope="symbol:BTCUSDT", now=world.clock.now())
    world.clock.advance(5)
    cancel_symbol(world, "BTCUSDT")
    sweep(world)

    first, again = list_confirmed("symbol:BTCUSDT")
    [other] = list_confirmed("symbol:ETHUSDT")

    waits = [int(float(row["wall_seconds"])) for row in (first, other, again)]
    assert waits == [40, 10, 0]
    assert again["epoch"] > first["epoch"]


def test_one_scope_is_confirmed_while_another_still_has_an_order_at_the_exchange(world):
    rest(world, "BTCUSDT")
    world.broker.faults.append(Fault("cancel", "drop", times=9))
    for symbol in ("BTCUSDT", "ETHUSDT"):
        cancel_symbol(world, symbol)

    assert sweep(world).resting == 1

    assert list_confirmed("symbol:BTCUSDT") == []
    assert len(list_confirmed("symbol:ETHUSDT")) == 1


def test_the_confirmation_counts_the_seconds_of_the_wall_beside_a_fast_market(world):
    kill(world, Level.CANCEL)
    world.clock.speed = 7
    world.clock.advance(20)

    sweep(world)
    world.clock.speed = 1

    [told] = list_confirmed("GLOBAL")
    wall_s = Decimal(str(told["wall_seconds"]))
    assert Decimal("2.857") <= wall_s < Decimal("2.9")
    assert wall_s == round(wall_s, 3)


def test_a_sweep_books_what_filled_meanwhile_of_an_order_that_may_stay(world):
    order = rest(world, "BTCUSDT")
    world.broker.fill(order.venue_order_id, order.quantity / 2)
    cancel_symbol(world, "ETHUSDT")

    assert sweep(world).is_confirmed

    order.refresh_from_db()
    assert (order.state, order.filled_quantity) == ("PARTIALLY_FILLED", order.quantity / 2)
    assert Position.objects.get().quantity > 0


def test_a_sweep_minds_only_its_own_account(world):
    now = world.clock.now()
    other = open_account(name="other", mode="demo", quote_asset="USDT", now=now)
    order = rest(world)
    world.broker.orders.clear()
    Order.objects.filter(pk=order.pk).update(account=other, state="UNKNOWN", venue_order_id=None)
    Position.objects.create(
        account=other,
        instrument=world.instruments["BTCUSDT"],
        symbol="BTCUSDT",
        quantity=D(1),
        opened_at=now,
        updated_at=now,
    )
    kill(world, Level.FLATTEN)

    assert sweep(world).is_confirmed

    order.refresh_from_db()
    assert (order.state, order.cancel_requested_at) == ("UNKNOWN", None)
    assert Position.objects.get().quantity == 1
    world.unsound = "the exchange lost an order"


def list_cancels(world):
    return [each.client_order_id for each in world.broker.requests if each.call == "cancel"]


def test_a_kill_cancels_a_pair_as_one_and_asks_nothing_of_what_is_over(world):
    place_orders(decision_ids=[world.decide("ETHUSDT").pk], broker=world.broker, clock=world.clock)
    pair = rest(world, type=OrderType.OCO, time_in_force=None, stop_price=D(51000))
    kill(world, Level.CANCEL)

    assert sweep(world).is_confirmed

    assert list_cancels(world) == [pair.client_order_id]
    pair.refresh_from_db()
    assert pair.state == "CANCELED"


def test_a_kill_leaves_what_somebody_else_placed_at_the_exchange(world):
    foreign = world.broker._new(
        symbol="BTCUSDT",
        name="web_2",
        side=Side.BUY,
        kind="LIMIT",
        quantity=D("0.01"),
        price=D(49000),
    )
    world.reconcile()
    kill(world, Level.FLATTEN)

    assert sweep(world).is_confirmed

    assert Order.objects.get(leg="EXTERNAL").state == "NEW"
    assert world.broker.open_orders() == (foreign,)
    world.unsound = "a person settles what somebody else placed"

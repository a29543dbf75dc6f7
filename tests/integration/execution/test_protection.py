"""No position without a stop at the exchange, or not for long."""

from decimal import Decimal

import pytest

from alerts.models import Alert
from execution.domain.order import Side
from execution.models import Order, Position
from execution.services.completing import record_live
from execution.services.orders import place_orders
from execution.services.protection import protect_positions
from markets.selectors import list_rules
from risk.domain.trading_state import Level
from risk.services.trading_state import raise_level
from tests.fakes.broker import Fault

pytestmark = pytest.mark.faults
D = Decimal


def place(world, symbol="BTCUSDT"):
    place_orders(decision_ids=[world.decide(symbol).pk], broker=world.broker, clock=world.clock)


def protect(world):
    return protect_positions(account_id=world.account.pk, broker=world.broker, clock=world.clock)


def test_it_sells_at_once_when_the_pair_is_refused(world):
    world.broker.faults.append(
        Fault("submit_oco", "refuse", message="Order would trigger immediately.")
    )

    place(world)

    assert Position.objects.get().status == "closed"
    assert Order.objects.get(leg="EXIT").state == "FILLED"
    assert Alert.objects.filter(code="POSITION_UNPROTECTED").exists()
    assert world.reconcile().is_green


def test_it_protects_what_a_dead_process_left_naked(world):
    place(world)
    pair = Order.objects.get(leg="PROTECT")
    world.broker.cancel_all("BTCUSDT")
    world.reconcile()
    pair.refresh_from_db()
    assert pair.state == "CANCELED"

    protect(world)

    again = Order.objects.filter(leg="PROTECT").order_by("-pk")[0]
    assert (again.attempt, again.state) == (2, "NEW")
    assert again.client_order_id != pair.client_order_id


def test_it_closes_when_no_pair_can_be_placed_for_too_long(world):
    place(world)
    world.broker.cancel_all("BTCUSDT")
    world.reconcile()
    world.broker.faults.append(Fault("submit_oco", "drop", times=99))
    protect(world)
    assert Order.objects.filter(leg="PROTECT").order_by("-pk")[0].state == "UNKNOWN"

    assert Position.objects.get().status == "open"


def test_it_closes_the_books_of_a_position_that_its_stop_sold(world):
    place(world)
    report = world.broker.trigger("STOP_LOSS", "BTCUSDT")

    record_live(
        account_id=world.account.pk, reports=[report], broker=world.broker, clock=world.clock
    )

    position = Position.objects.get()
    assert position.status == "closed"
    assert position.realized_pnl == D("0.01998") * 49000 * D("0.999") - 1000
    # the sibling's end comes with its own report or with the next comparison
    world.reconcile()
    assert Order.objects.get(leg="PROTECT").state == "FILLED"
    assert Order.objects.get(leg="TAKE_PROFIT").state == "EXPIRED"
    assert world.reconcile().is_green


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 0, 1, 1), (1, 0, 1)])
def test_it_books_reports_once_in_whatever_order_they_come(world, order):
    world.broker.slices = 3
    place(world)
    take_profit = world.broker.trigger("LIMIT_MAKER", "BTCUSDT")
    entry = next(iter(world.broker.orders.values()))
    reports = [entry, take_profit]

    for index in order:
        record_live(
            account_id=world.account.pk,
            reports=[reports[index]],
            broker=world.broker,
            clock=world.clock,
        )

    assert Position.objects.get().status == "closed"
    assert world.reconcile().is_green


def test_it_leaves_protection_in_place_at_cancel_and_adds_none_at_flatten(world):
    place(world)
    raise_level(level=Level.CANCEL, reason="test", actor="tester", now=world.clock.now())

    assert protect(world) == 0
    assert len(world.broker.open_orders()) == 2


def test_it_writes_off_what_is_too_small_to_sell(world):
    place(world, "SOLUSDT")
    position = Position.objects.get()
    # all but a crumb is sold past the system
    world.broker.cancel_all("SOLUSDT")
    world.broker.place_foreign("SOLUSDT", Side.SELL, position.quantity - D("0.01"))
    world.reconcile()
    world.clock.advance(15)

    protect(world)

    position.refresh_from_db()
    assert (position.status, position.dust_quantity, position.has_dust) == (
        "closed",
        D("0.01"),
        True,
    )


def test_a_take_profit_that_fills_in_part_leaves_nothing_without_a_stop(world):
    place(world)
    take_profit = Order.objects.get(leg="TAKE_PROFIT")
    world.broker.fill(take_profit.venue_order_id, D("0.005"), take_profit.price)
    world.reconcile()
    assert Order.objects.get(leg="STOP_LOSS").state == "EXPIRED"

    protect(world)

    rules = list_rules()[take_profit.instrument_id]
    pair = Order.objects.get(leg="PROTECT", state="NEW")
    assert pair.attempt == 2
    assert pair.quantity == rules.quantize_quantity(Position.objects.get().quantity)
    stop = Order.objects.get(leg="STOP_LOSS", parent=pair)
    assert stop.state == "NEW"

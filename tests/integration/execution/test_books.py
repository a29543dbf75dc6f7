"""What is read of an account's books: attempts that were made, orders that are not over."""

from decimal import Decimal

from execution.domain.order import ATTACHED, Leg, Side
from execution.models import Order, Position
from execution.services.books import live_orders_of, next_attempts
from execution.services.orders import place_orders
from execution.services.protection import protect_positions

D = Decimal


def place(world, *symbols):
    decisions = [world.decide(symbol).pk for symbol in symbols]
    place_orders(decision_ids=decisions, broker=world.broker, clock=world.clock)
    return [Position.objects.get(symbol=symbol).pk for symbol in symbols]


def protect_again(world, symbol):
    world.broker.cancel_all(symbol)
    world.reconcile()
    protect_positions(account_id=world.account.pk, broker=world.broker, clock=world.clock)


def test_attempts_are_counted_by_position_and_by_what_they_are_for(world):
    bitcoin, ether = place(world, "BTCUSDT", "ETHUSDT")
    protect_again(world, "BTCUSDT")

    assert next_attempts([bitcoin, ether], Leg.PROTECT) == {bitcoin: 3, ether: 2}
    assert next_attempts([ether], Leg.PROTECT) == {ether: 2}
    assert next_attempts([bitcoin, ether], Leg.EXIT) == {bitcoin: 1, ether: 1}


def test_orders_that_are_not_over_are_found_by_position_and_by_what_they_are_for(world):
    bitcoin, ether = place(world, "BTCUSDT", "ETHUSDT")
    protect_again(world, "BTCUSDT")
    first, second = Order.objects.filter(leg="PROTECT", state="NEW").order_by("pk")
    assert (first.position_id, second.position_id) == (ether, bitcoin)

    assert live_orders_of([bitcoin, ether], [Leg.PROTECT]) == [first, second]
    assert live_orders_of([bitcoin], [Leg.PROTECT, Leg.EXIT]) == [second]
    assert live_orders_of([bitcoin, ether], [Leg.EXIT, Leg.ENTRY]) == []
    legs = live_orders_of([ether], [Leg.TAKE_PROFIT, Leg.STOP_LOSS])
    assert {order.parent_id for order in legs} == {first.pk}


def test_a_strangers_sale_protects_a_position_once_it_is_attached(world):
    [position] = place(world, "BTCUSDT")
    [pair] = live_orders_of([position], [Leg.PROTECT])
    for name, side in (("web_1", Side.SELL), ("web_2", Side.BUY)):
        world.broker._new(
            symbol="BTCUSDT",
            name=name,
            side=side,
            kind="LIMIT",
            quantity=D("0.001"),
            price=D(60000) if side is Side.SELL else D(40000),
        )
    world.reconcile()
    strangers = Order.objects.filter(leg="EXTERNAL")
    strangers.update(position=position)
    assert live_orders_of([position], [Leg.PROTECT]) == [pair]

    strangers.update(context={ATTACHED: {"by": "anna"}})

    sale = strangers.get(side="SELL")
    assert live_orders_of([position], [Leg.PROTECT]) == [pair, sale]
    assert live_orders_of([position], [Leg.EXIT]) == []
    world.unsound = "a person settles what somebody else placed"

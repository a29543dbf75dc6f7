"""Approving and claiming by hand, for tests of the last look before anything leaves."""

from decimal import Decimal

from execution.domain.order import OrderType, Side, TimeInForce
from execution.models import Position
from execution.services.claims import claim_orders
from execution.services.intents import approve_decisions, approve_exits
from execution.services.orders import ManualOrder, place_manual_order, place_orders

D = Decimal


def approve(world, *decisions):
    return approve_decisions(decision_ids=[row.pk for row in decisions], clock=world.clock)


def claim(world, ids):
    return claim_orders(order_ids=ids, clock=world.clock)


def hold(world, symbol="BTCUSDT"):
    place_orders(decision_ids=[world.decide(symbol).pk], broker=world.broker, clock=world.clock)
    return Position.objects.get(symbol=symbol)


def rest(world):
    return place_manual_order(
        account_id=world.account.pk,
        wanted=ManualOrder(
            symbol="ETHUSDT",
            side=Side.BUY,
            type=OrderType.LIMIT,
            quantity=D("0.2"),
            price=D(2475),
            time_in_force=TimeInForce.GTC,
        ),
        idempotency_key="key",
        actor="tester",
        broker=world.broker,
        clock=world.clock,
    )


def settle(world):
    """Let what was claimed and never sent come to an end, so that the books are sound."""
    world.unsound = "a claim was made and never sent"


def approve_exit(world, position, *, is_manual=False):
    return approve_exits(
        account_id=world.account.pk,
        position_ids=[position.pk],
        is_manual=is_manual,
        clock=world.clock,
    )

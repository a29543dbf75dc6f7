"""Positions that are entered and left in parts, at the exchange: all that is held is protected."""

from decimal import ROUND_FLOOR, Decimal

import pytest

from execution.domain.decision import Action
from execution.models import Decision, Order, Position, Strategy
from execution.services.decision_inputs import Pair, list_positions
from execution.services.orders import place_orders
from execution.services.protection import protect_positions
from markets.domain.timeframe import Timeframe

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


def test_what_is_added_is_protected_with_the_rest(world):
    place(world)
    world.move_price("BTCUSDT", "51000")
    place(world, reason="SCALE_IN")
    protect_positions(account_id=world.account.pk, broker=world.broker, clock=world.clock)

    held = Position.objects.get().quantity
    assert protected(world) == [held.quantize(D("0.00001"), ROUND_FLOOR)]
    view = seen(world)
    assert (view.entries, view.exits, view.last_entry_price) == (2, 0, 51000.0)
    assert view.average_price == pytest.approx(50495.0, abs=1)


def test_a_part_that_would_leave_too_little_sells_all(world):
    place(world)
    place(world, Action.EXIT, exit_fraction=D("0.9999"), reason="SCALE_OUT")

    assert Position.objects.get().status == "closed"


def test_who_does_not_scale_is_told_nothing_of_parts(world):
    Strategy.objects.update(scale_in_parts=1, scale_out_parts=1)
    world.strategy.refresh_from_db()
    place(world)

    assert (seen(world).entries, seen(world).average_price) == (0, None)

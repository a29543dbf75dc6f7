"""From decisions and wishes to approved orders: what is asked for, once, of whose it is."""

from decimal import Decimal

import pytest

from execution.domain.decision import Action
from execution.models import Order, Position
from execution.services.accounts import open_account
from execution.services.intents import approve_exits
from risk.models import RiskLimits
from tests.fakes.claiming import approve, approve_exit, hold, settle

D = Decimal


@pytest.fixture
def stranger(world):
    return open_account(name="other", mode="demo", quote_asset="USDT", now=world.clock.now())


def test_a_position_that_is_being_closed_is_not_closed_a_second_time(world):
    settle(world)
    position = hold(world)
    [first] = approve_exit(world, position)

    assert approve_exit(world, position) == []
    assert [row.pk for row in Order.objects.filter(leg="EXIT")] == [first]


def test_an_exit_of_one_position_leaves_the_others_to_be_closed(world):
    settle(world)
    bitcoin, ether = hold(world), hold(world, "ETHUSDT")
    approve_exit(world, bitcoin)

    [order_id] = approve_exit(world, ether)

    assert Order.objects.get(pk=order_id).position == ether


def test_an_exit_sells_the_whole_unless_slices_are_asked_for(world):
    settle(world)
    position = hold(world)
    RiskLimits.objects.update(flatten_slice_notional=D(200))

    [order_id] = approve_exit(world, position)

    assert Order.objects.get(pk=order_id).quantity == D("0.01998")
    Order.objects.filter(pk=order_id).update(state="CANCELED")
    [order_id] = approve_exits(
        account_id=world.account.pk,
        position_ids=[position.pk],
        is_manual=False,
        clock=world.clock,
        is_sliced=True,
    )
    assert Order.objects.get(pk=order_id).quantity < D("0.01")


def test_positions_of_others_and_closed_ones_are_not_closed(world, stranger):
    position = hold(world)

    ours = {"position_ids": [position.pk], "is_manual": False, "clock": world.clock}
    assert approve_exits(account_id=stranger.pk, **ours) == []
    Position.objects.update(status="closed")
    assert approve_exits(account_id=world.account.pk, **ours) == []

    Position.objects.update(status="open")
    assert not Order.objects.filter(leg="EXIT").exists()


@pytest.mark.parametrize("change", [{"status": "closed"}, {"account": "stranger"}], ids=str)
def test_a_decision_to_exit_what_is_not_held_here_asks_for_nothing(world, stranger, change):
    position = hold(world)
    decision = world.decide("BTCUSDT", Action.EXIT)
    changes = {"account": stranger} if "account" in change else change
    Position.objects.update(**changes)

    assert approve(world, decision) == []

    Position.objects.update(status="open", account=position.account)
    assert not Order.objects.filter(leg="EXIT").exists()


@pytest.mark.parametrize("price", [0, -1])
def test_a_decision_without_a_price_asks_for_nothing_and_holds_nothing_up(world, price):
    settle(world)
    blind, seeing = world.decide("BTCUSDT"), world.decide("ETHUSDT")
    blind.price = D(price)
    blind.save()

    [order_id] = approve(world, blind, seeing)

    assert Order.objects.get().pk == order_id
    assert Order.objects.get().decision == seeing

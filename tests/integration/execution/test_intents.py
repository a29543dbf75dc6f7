"""From decisions and wishes to approved orders: what is asked for, once, of whose it is."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from execution.domain.decision import Action
from execution.models import Order, Position
from execution.services.accounts import open_account
from execution.services.intents import Intent, approve_exits, insert_judged
from execution.services.proposals import wish_to_enter
from markets.selectors import get_rules_by_symbol
from risk.domain.trading_state import Level
from risk.models import RiskLimits
from risk.services.trading_state import lock_account, raise_level
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


def test_a_decision_to_exit_a_part_sells_that_part_once(world):
    settle(world)
    hold(world)
    decision = world.decide("BTCUSDT", Action.EXIT)
    decision.exit_fraction = D("0.5")
    decision.save()

    [order_id] = approve(world, decision)

    order = Order.objects.get(pk=order_id)
    assert (order.quantity, order.decision, order.attempt) == (D("0.00999"), decision, 1)
    assert approve(world, decision) == [order_id]


def test_an_exit_of_what_is_flat_already_holds_nothing_up(world):
    settle(world)

    [order_id] = approve(world, world.decide("BTCUSDT", Action.EXIT), world.decide("ETHUSDT"))

    assert Order.objects.get(pk=order_id).leg == "ENTRY"


def test_an_entry_is_judged_by_the_age_of_its_candle(world):
    decision = world.decide("BTCUSDT")
    decision.close_time -= timedelta(hours=6)
    decision.save()

    assert approve(world, decision) == []

    assert (Order.objects.get().state, Order.objects.get().reason) == ("DENIED", "DATA_STALE")


@pytest.mark.parametrize("is_manual", [True, False])
def test_only_a_person_may_ask_for_a_sale_while_everything_is_halted(world, is_manual):
    settle(world)
    position = hold(world)
    raise_level(level=Level.HALT, reason="test", actor="tester", now=world.clock.now())

    assert len(approve_exit(world, position, is_manual=is_manual)) == is_manual


def test_without_limits_everything_is_denied_and_kept(world):
    RiskLimits.objects.all().delete()

    assert approve(world, world.decide("BTCUSDT")) == []

    assert Order.objects.get().state == "DENIED"
    assert Order.objects.get().reserved_quantity == 0


def test_a_denied_order_keeps_what_was_allowed_and_what_was_found(world):
    settle(world)
    RiskLimits.objects.update(max_order_notional=D(100))

    assert approve(world, world.decide("BTCUSDT", notional="1000")) == []

    order = Order.objects.get()
    assert order.reason == "ORDER_NOTIONAL"
    assert order.context.keys() == {"limit", "value"}
    assert (order.context["limit"], D(order.context["value"])) == ("100", 1000)


def test_a_denied_order_keeps_what_was_wanted_of_it_too(world):
    settle(world)
    RiskLimits.objects.update(max_order_notional=D(100))
    decision, now = world.decide("BTCUSDT"), world.clock.now()
    rules = get_rules_by_symbol("BTCUSDT")
    wish = wish_to_enter(decision, rules=rules, now=now, clock=world.clock)
    intent = Intent(wish=wish, decision=decision, context={"wanted": "so"})

    with transaction.atomic():
        lock_account(world.account.pk)
        [order] = insert_judged(account=world.account, intents=[intent], now=now)

    order.refresh_from_db()
    assert order.state == "DENIED"
    assert order.context.keys() == {"wanted", "limit", "value"}


def test_it_tells_the_pages_of_every_order_with_its_time(world, monkeypatch):
    settle(world)
    told = []
    publish = "execution.services.intents.push.publish"
    monkeypatch.setattr(publish, lambda *each: told.extend(each))

    approve(world, world.decide("BTCUSDT"), world.decide("ETHUSDT"))

    orders = Order.objects.order_by("pk")
    assert [(each["order_id"], each["at"]) for each in told] == [
        (order.pk, order.created_at) for order in orders
    ]

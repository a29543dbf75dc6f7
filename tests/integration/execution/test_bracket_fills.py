"""What waits at the exchange for an entry: fills, lost replies and refusals, in any order."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from alerts.models import Alert
from execution.models import Order, Position
from execution.services.cancels import cancel_orders
from execution.services.coverage import measure_unprotected
from execution.services.fills import record_reports
from execution.services.resolution import resolve_unknown
from execution.services.submitting import send_orders
from tests.fakes.bracket_desk import (
    HELD,
    STOP,
    TARGET,
    calls,
    pair,
    states,
)
from tests.fakes.broker import Fault

D = Decimal
NO_BRACKET = {"stop_loss_price": None, "take_profit_price": None}


def test_filled_while_nobody_lived_it_is_adopted_as_protection(world, desk):
    entry = desk.place()
    desk.fill(entry)

    assert world.reconcile().is_green
    desk.guard()

    position = Position.objects.get()
    assert states() == ["NEW"] * 3
    assert pair().position == position
    assert set(pair().legs.values_list("position", flat=True)) == {position.pk}
    assert (position.stop_price, position.take_profit_price) == (STOP, TARGET)
    assert Order.objects.filter(leg="PROTECT").count() == 1
    assert measure_unprotected(account_id=world.account.pk, clock=world.clock) == {}
    assert calls(world) == ["submit_otoco"]


@pytest.mark.parametrize("leg", ["STOP_LOSS", "LIMIT_MAKER"])
def test_filled_and_left_while_nobody_lived(world, desk, leg):
    entry = desk.place()
    desk.fill(entry)
    world.broker.trigger(leg, "BTCUSDT")

    assert world.reconcile().is_green
    desk.guard()

    assert Position.objects.get().status == "closed"
    assert pair().state == "FILLED"
    assert calls(world) == ["submit_otoco"]


@pytest.mark.parametrize("order", ["entry first", "legs first", "stop only"])
def test_events_in_any_order_end_in_the_same_books(world, desk, order):
    entry = desk.place()
    filled = desk.fill(entry)
    legs = [desk.told(leg) for leg in pair().legs.order_by("pk")]
    sold = world.broker.trigger("STOP_LOSS", "BTCUSDT")
    batches = {
        "entry first": [[filled], legs, [sold]],
        "legs first": [[sold], legs, [filled]],
        "stop only": [[sold]],
    }[order]

    for batch in batches:
        desk.book(*batch)
    desk.guard()

    assert Position.objects.get().status == "closed"
    assert Order.objects.filter(leg="PROTECT").count() == 1
    assert calls(world) == ["submit_otoco"]


def test_in_one_batch_the_entry_comes_before_what_waited_for_it(world, desk):
    entry = desk.place()
    stop = desk.told(pair().legs.get(leg="STOP_LOSS"))
    # A number below the entry's: no rule of the exchange says who of a list gets the lower one.
    del world.broker.orders[stop.venue_order_id]
    world.broker.orders[-1] = replace(stop, venue_order_id=-1)
    filled, sold = desk.fill(entry), world.broker.trigger("STOP_LOSS", "BTCUSDT")

    recorded = record_reports(
        account_id=world.account.pk, reports=[sold, filled], now=world.clock.now()
    )

    assert (recorded.fill_count, recorded.needed, recorded.incomplete) == (2, (), ())
    assert Position.objects.get().status == "closed"


def test_what_waits_for_its_entry_s_fill_holds_nothing_else_up(world, desk):
    entry = desk.place()
    filled = desk.fill(entry)
    sold = world.broker.trigger("STOP_LOSS", "BTCUSDT")
    other = desk.place(
        key="other", symbol="ETHUSDT", quantity=D("0.2"), price=D("2475"), **NO_BRACKET
    )
    bought = world.broker.fill(other.venue_order_id, D("0.2"), D("2475"))

    recorded = record_reports(
        account_id=world.account.pk, reports=[sold, bought], now=world.clock.now()
    )

    assert (recorded.fill_count, recorded.order_ids) == (1, (other.pk,))
    assert recorded.needed == (("BTCUSDT", entry.client_order_id),)
    desk.book(filled, sold)


def test_the_position_knows_the_stop_and_the_target_of_its_entry(world, desk):
    desk.book(desk.fill(desk.place()))

    position = Position.objects.get()
    assert (position.stop_price, position.take_profit_price) == (STOP, TARGET)


def test_a_part_ends_the_list_and_gets_a_pair_of_its_own(world, desk):
    entry = desk.place()
    part = D("0.008")
    desk.book(desk.fill(entry, part))
    desk.guard()
    assert states() == ["PENDING_NEW"] * 3, "the rest may follow at once"
    assert calls(world) == ["submit_otoco"]

    desk.wait(2)
    desk.guard()

    entry.refresh_from_db()
    assert (entry.state, entry.filled_quantity, entry.reserved_quantity) == ("CANCELED", part, 0)
    assert states() == ["CANCELED"] * 3
    own = Order.objects.get(leg="PROTECT", working=None)
    assert (own.state, own.quantity) == ("NEW", D("0.00799"))
    assert (own.stop_price, own.price) == (STOP, TARGET)
    assert calls(world) == ["submit_otoco", "cancel", "submit_oco"]
    assert Alert.objects.filter(code="ENTRY_CUT_SHORT").count() == 1


def test_the_rest_follows_at_once_and_nothing_is_cancelled(world, desk):
    entry = desk.place()
    desk.book(desk.fill(entry, D("0.008")))
    desk.guard()
    desk.book(desk.fill(entry, D("0.012")))
    desk.wait(2)

    desk.guard()

    assert states() == ["NEW"] * 3
    assert calls(world) == ["submit_otoco"]


def test_the_last_fill_races_the_cancel_of_the_rest(world, desk):
    entry = desk.place()
    desk.book(desk.fill(entry, D("0.008")))
    desk.fill(entry, D("0.012"))  # nobody has told us
    desk.wait(2)

    desk.guard()

    entry.refresh_from_db()
    assert entry.state == "FILLED"
    assert states() == ["NEW"] * 3
    assert Order.objects.filter(leg="PROTECT").count() == 1
    assert calls(world) == ["submit_otoco", "cancel"]


@pytest.mark.parametrize("kind", ["lose_reply", "drop"])
def test_the_reply_to_that_cancel_is_lost(world, desk, kind):
    entry = desk.place()
    desk.book(desk.fill(entry, D("0.008")))
    desk.wait(2)
    world.broker.faults.append(Fault("cancel", kind))

    desk.guard()
    assert not Order.objects.filter(leg="PROTECT", working=None).exists()
    desk.guard()

    entry.refresh_from_db()
    assert entry.state == "CANCELED"
    assert Order.objects.get(leg="PROTECT", working=None).state == "NEW"
    assert calls(world).count("submit_oco") == 1


def test_the_exchange_refuses_the_pair_and_ours_follows_at_once(world, desk):
    entry = desk.place()
    world.broker.held["BTC"] -= D("0.01")  # somebody else sells from the same purse
    filled = desk.fill(entry)
    world.broker.held["BTC"] += D("0.01")

    desk.book(filled)
    desk.book(*[desk.told(leg) for leg in pair().legs.order_by("pk")])

    assert states() == ["CANCELED", "EXPIRED", "EXPIRED"]
    own = Order.objects.get(leg="PROTECT", working=None)
    assert (own.state, own.quantity, own.stop_price) == ("NEW", HELD, STOP)


def test_refused_unheard_the_guardian_asks(world, desk):
    entry = desk.place()
    world.broker.held["BTC"] -= D("0.01")
    filled = desk.fill(entry)
    world.broker.held["BTC"] += D("0.01")
    desk.book(filled)
    assert states() == ["PENDING_NEW"] * 3
    assert measure_unprotected(account_id=world.account.pk, clock=world.clock) != {}

    desk.guard()

    assert Order.objects.get(leg="PROTECT", working=None).state == "NEW"


def test_a_crossing_limit_fills_at_once(world, desk):
    desk.place(price=D("50100"))
    desk.guard()

    assert states() == ["NEW"] * 3
    assert Position.objects.get().quantity == HELD
    assert calls(world) == ["submit_otoco"]


@pytest.mark.parametrize("is_accepted", [True, False])
def test_a_lost_reply_is_settled_by_evidence(world, desk, is_accepted):
    world.broker.faults.append(Fault("submit_otoco", "lose_reply" if is_accepted else "drop"))
    entry = desk.place()
    assert entry.state == "UNKNOWN"
    assert states() == ["UNKNOWN"] * 3

    for _ in range(8):
        desk.wait(10)
        desk.guard()

    entry.refresh_from_db()
    wanted = ("NEW", "PENDING_NEW") if is_accepted else ("NOT_ACCEPTED", "NOT_ACCEPTED")
    assert (entry.state, *states()) == (wanted[0], *[wanted[1]] * 3)
    assert calls(world) == ["submit_otoco"]


def test_the_legs_are_seen_later_than_the_entry(world, desk):
    world.broker.faults.append(Fault("submit_otoco", "lose_reply"))
    entry = desk.place()
    query = world.broker.query
    hidden = set(pair().legs.values_list("client_order_id", flat=True))
    world.broker.query = lambda symbol, name: None if name in hidden else query(symbol, name)
    desk.wait(1)
    resolve_unknown(account_id=world.account.pk, **desk.common)
    entry.refresh_from_db()
    assert (entry.state, states()) == ("NEW", ["UNKNOWN"] * 3)
    world.broker.query = query

    desk.guard()

    assert states() == ["PENDING_NEW"] * 3


def test_a_refused_list_leaves_nothing(world, desk):
    world.broker.faults.append(Fault("submit_otoco", "refuse"))

    entry = desk.place()

    assert (entry.state, entry.reason, entry.reserved_quantity) == ("REJECTED", "VENUE_2010", 0)
    assert states() == ["REJECTED"] * 3


def test_an_unsent_entry_takes_its_pair_along(world, desk, monkeypatch):
    monkeypatch.setattr("execution.services.manual.send_orders", lambda **_: None)
    entry = desk.place()
    assert (entry.state, states()) == ("APPROVED", ["APPROVED"] * 3)
    desk.wait(60)

    send_orders(order_ids=[entry.pk], **desk.common)

    entry.refresh_from_db()
    assert (entry.state, entry.reason) == ("LAPSED", "EXPIRED_UNSENT")
    assert states() == ["LAPSED"] * 3
    assert not world.broker.requests


def test_a_cancel_that_comes_too_late_leaves_the_pair(world, desk):
    entry = desk.place()
    desk.fill(entry)

    cancel_orders(orders=[entry], **desk.common)

    entry.refresh_from_db()
    assert entry.state == "FILLED"
    assert states() == ["NEW"] * 3


def test_a_lower_fee_leaves_a_rest_that_gets_a_pair_beside_it(world, desk):
    world.broker.fee = D("0")
    entry = desk.place(quantity=D("0.2"))
    desk.fill(entry, D("0.2"))
    world.reconcile()

    desk.guard()

    live = Order.objects.filter(leg="PROTECT", state="NEW").order_by("pk")
    assert [order.quantity for order in live] == [D("0.1998"), D("0.0002")]
    assert states() == ["NEW"] * 3


def test_a_second_try_brings_its_bracket_along(world, desk):
    world.broker.faults.append(
        Fault("submit_otoco", "refuse", code=-1021, message="outside of the window")
    )
    world.clock.error = timedelta(seconds=-3)

    entry = desk.place()

    assert (entry.attempt, entry.state) == (2, "NEW")
    waiting = Order.objects.filter(leg="PROTECT", working=entry)
    assert [order.state for order in waiting] == ["PENDING_NEW"]

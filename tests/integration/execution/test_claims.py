"""The last look before anything leaves: late, forbidden, of another epoch, or free to go once."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import OperationalError

from core.build import get_build
from execution.domain.decision import Action
from execution.domain.request import digest
from execution.models import Account, Order, Position, SubmitAttempt
from execution.services.fills import record_reports
from execution.services.intents import approve_exits
from risk.domain.trading_state import Level
from risk.models import TradingStateChange
from risk.services.trading_state import raise_level, read_state, rearm, stop_trading
from tests.fakes.claiming import approve, approve_exit, claim, hold, rest, settle

D = Decimal
MS = timedelta(milliseconds=1)


def test_an_approved_buy_holds_back_its_cost_and_its_worst_fee(world):
    [order_id] = approve(world, world.decide("BTCUSDT"))

    order = Order.objects.get(pk=order_id)
    notional = order.quantity * D(50000)
    assert (order.reserved_quantity, order.reserved_asset) == (notional * D("1.001"), "USDT")
    assert order.approved_epoch == read_state().epoch
    assert order.reason == ""


def test_a_claim_is_written_ahead_with_its_fence_epoch_and_digest(world):
    settle(world)
    [made] = claim(world, approve(world, world.decide("BTCUSDT")))

    row = SubmitAttempt.objects.get()
    order = Order.objects.get()
    assert (order.state, order.pk) == ("SENDING", made.order.pk)
    assert (row.kind, row.outcome, row.order_id) == ("SUBMIT", "SENDING", order.pk)
    assert row.epoch == read_state().epoch
    assert row.fence_at - row.signed_at == timedelta(seconds=17)
    assert row.request_sha256 == digest(made.request.parameters())
    assert row.signed_at == row.created_at == order.updated_at


def test_nobody_claims_the_same_order_twice(world):
    settle(world)
    ids = approve(world, world.decide("BTCUSDT"))

    assert len(claim(world, ids)) == 1
    assert claim(world, ids) == []
    assert SubmitAttempt.objects.count() == 1


def test_nobody_claims_the_same_exit_twice(world):
    settle(world)
    ids = approve_exit(world, hold(world))

    assert len(claim(world, ids)) == 1
    assert claim(world, ids) == []
    assert SubmitAttempt.objects.filter(order__in=ids).count() == 1


def test_nothing_is_claimed_but_what_was_asked_for(world):
    settle(world)
    ids = approve(world, world.decide("BTCUSDT"), world.decide("ETHUSDT"))

    [made] = claim(world, ids[:1])

    assert made.order.pk == ids[0]
    assert Order.objects.get(pk=ids[1]).state == "APPROVED"


def test_what_lapses_holds_nothing_else_up(world):
    settle(world)
    late = approve(world, world.decide("BTCUSDT"))
    Order.objects.update(expires_at=world.clock.now())
    [made] = claim(world, [*late, *approve(world, world.decide("ETHUSDT"))])

    assert made.order.instrument.symbol == "ETHUSDT"
    assert Order.objects.get(pk=late[0]).reason == "EXPIRED_UNSENT"


@pytest.mark.parametrize(("left", "state"), [(2 * MS, "LAPSED"), (3 * MS, "SENDING")])
def test_an_order_lapses_in_the_moment_that_its_time_is_over(world, left, state):
    settle(world)
    ids = approve(world, world.decide("BTCUSDT"))
    # The clock moves on by a millisecond each time it is read: for the storage and for the claim.
    Order.objects.update(expires_at=world.clock._now + left)

    claim(world, ids)

    order = Order.objects.get()
    assert order.state == state
    if state == "LAPSED":
        assert (order.reason, order.reserved_quantity) == ("EXPIRED_UNSENT", 0)


@pytest.mark.parametrize("change", ["rearmed", "stopped"])
def test_an_entry_of_another_epoch_must_be_asked_for_anew(world, change):
    ids = approve(world, world.decide("BTCUSDT"))
    by = {"reason": "test", "actor": "tester", "now": world.clock.now()}
    if change == "stopped":
        stop_trading(**by)
    else:
        raise_level(level=Level.HALT, **by)
        rearm(**by)

    assert claim(world, ids) == []

    order = Order.objects.get()
    assert (order.state, order.reason, order.reserved_quantity) == ("LAPSED", "EPOCH_CHANGED", 0)


def test_an_exit_outlives_an_epoch(world):
    settle(world)
    position = hold(world)
    ids = approve_exits(
        account_id=world.account.pk,
        position_ids=[position.pk],
        is_manual=False,
        clock=world.clock,
    )
    stop_trading(reason="test", actor="tester", now=world.clock.now())

    [made] = claim(world, ids)

    assert (made.order.leg, made.order.reserved_quantity) == ("EXIT", 0)


def test_a_second_entry_into_a_symbol_in_doubt_waits(world):
    settle(world)
    first = approve(world, world.decide("BTCUSDT"))
    world.clock.advance(10)
    second = approve(world, world.decide("BTCUSDT", notional="600"))
    other = approve(world, world.decide("ETHUSDT"))

    made = claim(world, [*first, *second, *other])

    assert [each.order.pk for each in made] == [*first, *other]
    assert Order.objects.get(pk=second[0]).state == "APPROVED"
    assert claim(world, second) == []  # still in doubt


def test_a_person_s_order_in_doubt_does_not_hold_up_an_entry(world):
    settle(world)
    ids = approve(world, world.decide("ETHUSDT"))
    by_hand = rest(world)
    Order.objects.filter(pk=by_hand.pk).update(state="UNKNOWN")

    assert len(claim(world, ids)) == 1


def test_exits_leave_before_entries(world):
    settle(world)
    hold(world)
    world.clock.advance(10)
    entry = approve(world, world.decide("ETHUSDT"))
    leave = approve(world, world.decide("BTCUSDT", Action.EXIT))

    made = claim(world, [*entry, *leave])

    assert [each.order.pk for each in made] == [*leave, *entry]


def test_a_process_of_another_build_sends_nothing_and_halts_everything(
    world, django_capture_on_commit_callbacks
):
    ids = approve(world, world.decide("BTCUSDT"))
    Account.objects.update(ready_build="another")

    with django_capture_on_commit_callbacks(execute=True):
        assert claim(world, ids) == []

    order = Order.objects.get()
    assert (order.state, order.reason) == ("LAPSED", "BUILD_DIFFERS")
    change = TradingStateChange.objects.latest("pk")
    assert (change.scope, change.to_level, change.actor) == ("GLOBAL", "HALT", "auto:build")
    assert "restart all of them" in change.reason
    assert change.timestamp == order.updated_at


def test_a_halt_that_cannot_be_stored_then_takes_nothing_else_down(committed_world, monkeypatch):
    def refuse(**_):
        raise OperationalError("disk full")

    ids = approve(committed_world, committed_world.decide("BTCUSDT"))
    Account.objects.update(ready_build="another")
    monkeypatch.setattr("execution.services.claims.raise_level", refuse)

    assert claim(committed_world, ids) == []

    assert Order.objects.get().reason == "BUILD_DIFFERS"


@pytest.mark.parametrize("build", ["", get_build()])
def test_a_process_of_the_same_build_or_of_none_on_record_may_send(
    world, build, django_capture_on_commit_callbacks
):
    settle(world)
    ids = approve(world, world.decide("BTCUSDT"))
    Account.objects.update(ready_build=build)

    with django_capture_on_commit_callbacks(execute=True):
        assert len(claim(world, ids)) == 1

    assert read_state().level is Level.ACTIVE


def test_nothing_is_claimed_of_an_account_that_is_not_compared_yet(world):
    ids = approve(world, world.decide("BTCUSDT"))
    Account.objects.update(ready_at=None)

    assert claim(world, ids) == []

    assert Order.objects.get().state == "APPROVED"
    world.unsound = "the order was never sent"


@pytest.mark.parametrize(
    ("held", "claimed"), [("0.015", "0.015"), ("0.0150099", "0.015"), ("0.03", "0.01998")]
)
def test_an_exit_sells_no_more_than_is_still_held(world, held, claimed):
    settle(world)
    position = hold(world)
    ids = approve_exit(world, position)
    Position.objects.update(quantity=D(held))

    [made] = claim(world, ids)

    assert made.request.quantity == D(claimed)
    assert Order.objects.get(leg="EXIT").quantity == D(claimed)


def test_an_exit_of_what_is_sold_already_lapses(world):
    settle(world)
    position = hold(world)
    ids = approve_exit(world, position)
    Position.objects.update(quantity=D("0.000009"))  # below one step

    assert claim(world, ids) == []

    order = Order.objects.get(leg="EXIT")
    assert (order.state, order.reason) == ("LAPSED", "NOTHING_TO_CLOSE")
    assert order.ended_at == order.updated_at is not None


@pytest.mark.parametrize("is_manual", [True, False])
def test_a_person_may_sell_by_hand_while_the_machine_is_halted(world, is_manual):
    settle(world)
    position = hold(world)
    ids = approve_exit(world, position, is_manual=is_manual)
    raise_level(level=Level.HALT, reason="test", actor="tester", now=world.clock.now())

    assert len(claim(world, ids)) == is_manual

    order = Order.objects.get(leg="EXIT")
    assert (order.state, order.reason) == (
        ("SENDING", "MANUAL") if is_manual else ("LAPSED", "STATE_LEVEL")
    )


@pytest.mark.parametrize("state", ["SENDING", "LAPSED"])
def test_the_legs_of_a_pair_go_where_the_pair_goes(world, state):
    settle(world)
    [made] = claim(world, approve(world, world.decide("BTCUSDT")))
    sent = world.broker.submit(
        made.request,
        request_sha256=made.attempt.request_sha256,
        signed_at=made.attempt.signed_at,
    )
    record_reports(account_id=world.account.pk, reports=sent.reports, now=world.clock.now())
    pair = Order.objects.get(leg="PROTECT", state="APPROVED")
    others = Order.objects.filter(leg="ENTRY").values("state", "updated_at").get()
    expires_at = world.clock.now() + timedelta(minutes=1 if state == "SENDING" else -1)
    Order.objects.filter(pk=pair.pk).update(expires_at=expires_at)

    legs = Order.objects.filter(parent=pair)
    claim(world, [pair.pk, *legs.values_list("pk", flat=True)])

    assert not SubmitAttempt.objects.filter(order__in=legs).exists()
    pair.refresh_from_db()
    assert (pair.state, pair.reason) == (state, "" if state == "SENDING" else "EXPIRED_UNSENT")
    for leg in legs:
        assert (leg.state, leg.reason) == (pair.state, pair.reason)
        assert (leg.updated_at, leg.ended_at) == (pair.updated_at, pair.ended_at)
    assert Order.objects.filter(leg="ENTRY").values("state", "updated_at").get() == others


def test_it_tells_the_pages_of_every_order_that_was_claimed_or_lapsed(world, monkeypatch):
    settle(world)
    ids = approve(world, world.decide("BTCUSDT"), world.decide("ETHUSDT"))
    Order.objects.filter(pk=ids[1]).update(expires_at=world.clock.now())
    told = []
    monkeypatch.setattr("execution.services.claims.push.publish", lambda *each: told.extend(each))

    claim(world, ids)

    seen = [(each["order_id"], each["state"]) for each in told]
    assert seen == [(ids[0], "SENDING"), (ids[1], "LAPSED")]
    assert {each["at"] for each in told} == {Order.objects.get(pk=ids[0]).updated_at}

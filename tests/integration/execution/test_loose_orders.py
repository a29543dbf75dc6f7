"""Orders at the exchange that belong to nothing here: told, typed, and settled by a person."""

from dataclasses import replace
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from core.errors import Conflict, InvalidInput
from core.models import AuditRecord
from execution.domain.order import Side
from execution.models import Balance, Difference, Fill, Order, Position
from execution.services.coverage import measure_unprotected
from execution.services.differences import Settlement, settle_difference
from execution.services.exits import exit_positions
from execution.services.fills import record_reports
from execution.services.orders import place_orders
from execution.services.protection import protect_positions
from execution.services.recounting import recount_account
from risk.services.trading_state import rearm

D = Decimal
LIST = "/admin/execution/difference/"


def rest(world, symbol, side, quantity, *, price=None, stop_price=None):
    """Leave an order at the exchange past the system, as the account's owner can."""
    return world.broker._new(
        symbol=symbol,
        name="web_2",
        side=side,
        kind="STOP_LOSS" if stop_price else "LIMIT",
        quantity=quantity,
        price=price,
        stop_price=stop_price,
    )


def place(world, symbol="BTCUSDT"):
    place_orders(decision_ids=[world.decide(symbol).pk], broker=world.broker, clock=world.clock)


def settle(world, status, target=""):
    return settle_difference(
        difference_id=Difference.objects.get(status="OPEN").pk,
        settlement=Settlement(status=status, reason="mine", actor="anna", target=target),
        broker=world.broker,
        clock=world.clock,
    )


def found(world):
    world.reconcile()
    rearm(reason="looking", actor="anna", now=world.clock.now())
    return [(row.kind, row.status) for row in Difference.objects.order_by("pk")]


def protect(world):
    return protect_positions(account_id=world.account.pk, broker=world.broker, clock=world.clock)


@pytest.fixture
def foreign_bid(world):
    rest(world, "BTCUSDT", Side.BUY, D("0.01"), price=D("40000"))
    assert found(world) == [("EXTERNAL_ORDER", "OPEN")]
    return world


@pytest.fixture
def foreign_stop(world):
    """An open position whose own pair is gone; the owner has placed a stop for it by hand."""
    place(world)
    world.broker.cancel_all("BTCUSDT")
    position = Position.objects.get()
    quantity = position.quantity.quantize(D("0.00001"), rounding="ROUND_DOWN")
    rest(world, "BTCUSDT", Side.SELL, quantity, stop_price=D("48000"))
    assert found(world) == [("EXTERNAL_ORDER", "OPEN")]
    return world


def test_an_order_of_somebody_else_forbids_entries_until_it_is_settled(foreign_bid):
    place(foreign_bid, "ETHUSDT")
    assert Order.objects.get(leg="ENTRY").reason == "RECONCILE_NOT_GREEN"

    settle(foreign_bid, "ADOPTED")

    assert found(foreign_bid) == [("EXTERNAL_ORDER", "ADOPTED")]
    foreign_bid.clock.advance(10)
    place(foreign_bid, "ETHUSDT")
    assert Position.objects.get().symbol == "ETHUSDT"


def test_flatten_cancels_it_at_the_exchange(foreign_bid):
    settle(foreign_bid, "FLATTENED")

    assert not foreign_bid.broker.open_orders()
    assert Order.objects.get(leg="EXTERNAL").state == "CANCELED"
    assert found(foreign_bid) == [("EXTERNAL_ORDER", "FLATTENED")]


def test_a_purchase_is_attached_to_a_strategy_and_its_fill_is_managed(foreign_bid):
    with pytest.raises(InvalidInput, match="one of: test"):
        settle(foreign_bid, "ATTACHED")
    settle(foreign_bid, "ATTACHED", target="test")
    order = Order.objects.get(leg="EXTERNAL")

    foreign_bid.move_price("BTCUSDT", "40000")
    foreign_bid.broker.fill(order.venue_order_id, order.quantity, D("40000"))
    foreign_bid.reconcile()

    position = Position.objects.get(status="open")
    assert position.strategy == foreign_bid.strategy
    assert position.scopes == ["account:test", "symbol:BTCUSDT", "strategy:test"]
    assert Fill.objects.get().position == position
    protect(foreign_bid)
    assert Order.objects.filter(position=position, leg="STOP_LOSS", state="NEW").exists()
    assert recount_account(account_id=foreign_bid.account.pk).findings == []
    audited = AuditRecord.objects.get(action="reconciliation.settle")
    assert (audited.actor, audited.reason, audited.after["target"]) == ("anna", "mine", "test")


def test_a_stop_is_attached_to_its_position_and_protects_it(foreign_stop):
    settle(foreign_stop, "ATTACHED")

    assert protect(foreign_stop) == 0
    assert measure_unprotected(account_id=foreign_stop.account.pk, clock=foreign_stop.clock) == {}
    assert found(foreign_stop)[-1] == ("EXTERNAL_ORDER", "ATTACHED")
    foreign_stop.clock.advance(60)
    assert foreign_stop.check().findings == ()

    order = Order.objects.get(leg="EXTERNAL")
    foreign_stop.broker.fill(order.venue_order_id, order.quantity, D("48000"))
    foreign_stop.reconcile()

    position = Position.objects.get()
    assert position.status == "closed"
    assert position.realized_pnl < 0
    assert recount_account(account_id=foreign_stop.account.pk).findings == []


def test_an_exit_takes_an_attached_stop_away_first(foreign_stop):
    settle(foreign_stop, "ATTACHED")
    foreign_stop.clock.advance(10)

    exit_positions(
        account_id=foreign_stop.account.pk,
        position_ids=[Position.objects.get().pk],
        broker=foreign_stop.broker,
        clock=foreign_stop.clock,
        is_manual=True,
    )

    assert Order.objects.get(leg="EXTERNAL").state == "CANCELED"
    assert Position.objects.get().status == "closed"


def test_a_stop_that_covers_too_little_is_not_attached(world):
    place(world)
    world.broker.cancel_all("BTCUSDT")
    rest(world, "BTCUSDT", Side.SELL, D("0.001"), stop_price=D("48000"))
    found(world)

    with pytest.raises(InvalidInput, match=r"sells 0\.001 of 0\.01998"):
        settle(world, "ATTACHED")

    settle(world, "FLATTENED")
    protect(world)


def test_a_stop_without_a_position_is_an_orphan(world):
    world.broker.held["BTC"] += D("1")
    world.reconcile(accept_external="my coins")
    rest(world, "BTCUSDT", Side.SELL, D("1"), stop_price=D("40000"))

    assert found(world) == [("ORPHAN_STOP", "OPEN")]
    with pytest.raises(InvalidInput, match="no open position"):
        settle(world, "ATTACHED", target="test")
    settle(world, "FLATTENED")
    assert not world.broker.open_orders()


def test_our_own_pair_without_its_position_is_an_orphan_and_can_be_cancelled(world):
    world.unsound = "a position was closed behind the services' back"
    place(world)
    position = Position.objects.get()
    Position.objects.update(status="closed", closed_at=world.clock.now())
    assert found(world) == []
    world.clock.advance(60)

    assert found(world) == [("ORPHAN_STOP", "OPEN")]
    settle(world, "FLATTENED")

    assert not world.broker.open_orders()
    assert not Order.objects.filter(position=position, state="NEW").exists()


def test_what_is_gone_meanwhile_is_not_settled_twice(foreign_bid):
    order = Order.objects.get(leg="EXTERNAL")
    Order.objects.filter(pk=order.pk).update(state="CANCELED")

    with pytest.raises(Conflict, match="CANCELED already"):
        settle(foreign_bid, "ADOPTED")

    foreign_bid.broker.cancel_all("BTCUSDT")
    assert found(foreign_bid) == [("EXTERNAL_ORDER", "VANISHED")]


def test_an_asset_that_nobody_trades_is_told_and_can_be_adopted(world):
    world.broker.held["SPAM"] = D("7777")
    assert found(world) == [("UNKNOWN_ASSET", "OPEN")]
    for status in ("ATTACHED", "FLATTENED"):
        with pytest.raises(InvalidInput):
            settle(world, status)

    settle(world, "ADOPTED")

    assert Balance.objects.get(asset="SPAM").total == 7777
    assert found(world) == [("UNKNOWN_ASSET", "ADOPTED")]


def test_a_person_attaches_it_on_the_page(foreign_bid, monkeypatch):
    monkeypatch.setattr("execution.admin.get_broker", lambda: foreign_bid.broker)
    page = Client()
    page.force_login(get_user_model().objects.create_superuser("anna", password="x"))
    form = {"action": "attach", "_selected_action": Difference.objects.get().pk, "reason": "mine"}

    html = page.get(LIST).content.decode()
    refused = page.post(LIST, form, follow=True).content.decode()
    done = page.post(LIST, {**form, "target": "test"}, follow=True).content.decode()

    assert "BUY 0.01 LIMIT at 40000" in html
    assert "name the strategy" in refused
    assert "is ATTACHED" in done


def book(world, *reports):
    record_reports(account_id=world.account.pk, reports=reports, now=world.clock.now())


def test_a_strangers_order_is_adopted_once_whatever_names_it_comes_under(world):
    report = world.broker.place_foreign("ETHUSDT", Side.BUY, D("0.1"))

    book(world, replace(report, executions=()), replace(report, client_order_id="web_9"))

    order = Order.objects.get(leg="EXTERNAL")
    assert (order.state, order.filled_quantity) == ("FILLED", D("0.1"))


@pytest.mark.parametrize(
    ("sold", "left"), [("0.5", "0.3996"), ("0.6004", "0.3996"), ("0.7", "0.3")]
)
def test_a_sale_of_somebody_else_takes_of_a_position_only_what_the_account_lacks(world, sold, left):
    world.broker.held["ETH"] = D("0.6004")
    world.reconcile(accept_external="held before")
    place(world, "ETHUSDT")
    assert Position.objects.get().quantity == D("0.3996")
    world.broker.cancel_all("ETHUSDT")

    book(world, world.broker.place_foreign("ETHUSDT", Side.SELL, D(sold)))

    position = Position.objects.get()
    assert position.quantity == D(left)
    row = Fill.objects.get(side="SELL")
    assert row.quantity == D(sold)
    assert (row.position_id is None) is (D(left) == D("0.3996"))
    if row.position_id:
        assert position.exit_quantity == D("0.0996")


def test_what_somebody_else_trades_is_no_position(world):
    book(world, world.broker.place_foreign("ETHUSDT", Side.BUY, D("0.1")))
    book(world, world.broker.place_foreign("ETHUSDT", Side.SELL, D("0.05")))

    assert not Position.objects.exists()
    place(world, "ETHUSDT")
    before = Position.objects.get().quantity
    book(world, world.broker.place_foreign("ETHUSDT", Side.BUY, D("0.1")))
    assert Position.objects.get().quantity == before

"""Resting entries whose stop and target wait at the exchange in one list with them."""

from decimal import Decimal

import pytest

from core.errors import Conflict, InvalidInput
from execution.domain.order import OrderType, Side, TimeInForce
from execution.domain.request import OcoRequest, OrderRequest, OtocoRequest, Terms, digest
from execution.models import Difference, Order, Position, SubmitAttempt
from execution.services.amending import amend_order
from execution.services.cancels import request_cancel
from execution.services.differences import Settlement, settle_difference
from execution.services.exits import exit_positions
from execution.services.kill import cancel_resting
from execution.services.portfolio import build_portfolio
from execution.services.replacing import Changes, replace_order
from markets.models import Instrument
from markets.selectors import forget_rules
from risk.domain.trading_state import Level
from risk.services.trading_state import raise_level
from tests.fakes.bracket_desk import (
    HELD,
    PRICE,
    QUANTITY,
    STOP,
    TARGET,
    WITHOUT_BRACKET,
    calls,
    pair,
    states,
)

D = Decimal


def test_it_goes_as_one_list_written_ahead_once(world, desk):
    entry = desk.place()

    assert calls(world) == ["submit_otoco"]
    assert (entry.state, entry.type, entry.leg) == ("NEW", "LIMIT", "MANUAL")
    assert states() == ["PENDING_NEW"] * 3
    assert SubmitAttempt.objects.get().order == entry
    assert pair().quantity == HELD
    assert (pair().price, pair().stop_price, pair().position) == (TARGET, STOP, None)
    assert world.broker.requests[0].client_order_id == pair().client_order_id


def test_it_reserves_the_money_once_and_sells_nothing_yet(world, desk):
    entry = desk.place()

    snapshot = build_portfolio(account_id=world.account.pk, now=world.clock.now())
    exposure = snapshot.exposures[entry.instrument_id]
    assert snapshot.reserved_quote == entry.reserved_quantity >= QUANTITY * PRICE
    assert exposure.pending_buy_quantity == QUANTITY
    assert (exposure.protective_quantity, exposure.pending_exit_quantity) == (0, 0)
    assert (exposure.open_orders, exposure.open_algo_orders) == (3, 1)


def test_waiting_legs_are_neither_external_nor_orphans(world, desk):
    desk.place()

    assert world.reconcile().is_green
    assert not Difference.objects.exists()
    assert world.check().findings == ()


def test_a_denied_entry_has_no_pair(world, desk):
    with pytest.raises(Exception, match="risk gate"):
        desk.place(quantity=D("100"))

    assert not Order.objects.filter(leg="PROTECT").exists()
    assert not world.broker.requests


@pytest.mark.parametrize("which", ["entry", "pair", "leg"])
def test_cancelled_by_hand_all_of_it_goes(world, desk, which):
    entry = desk.place()
    chosen = {"entry": entry, "pair": pair(), "leg": pair().legs.first()}[which]

    canceled = request_cancel(
        account_id=world.account.pk, order_id=chosen.pk, actor="tester", **desk.common
    )

    assert (canceled.pk, canceled.state) == (entry.pk, "CANCELED")
    assert states() == ["CANCELED"] * 3
    assert world.broker.requests[-1].client_order_id == entry.client_order_id


def test_somebody_cancels_it_at_the_exchange(world, desk):
    entry = desk.place()
    world.broker.cancel_all("BTCUSDT")

    assert world.reconcile().is_green

    entry.refresh_from_db()
    assert entry.state == "CANCELED"
    assert states() == ["CANCELED"] * 3


@pytest.mark.parametrize("is_filled", [False, True])
def test_a_kill_cancels_entries_and_spares_protection(world, desk, is_filled):
    entry = desk.place()
    if is_filled:
        desk.fill(entry)
    raise_level(level=Level.CANCEL, reason="test", actor="tester", now=world.clock.now())

    cancel_resting(account_id=world.account.pk, **desk.common)
    swept = cancel_resting(account_id=world.account.pk, **desk.common)

    entry.refresh_from_db()
    assert swept.is_confirmed
    assert entry.state == ("FILLED" if is_filled else "CANCELED")
    assert states() == ["NEW" if is_filled else "CANCELED"] * 3


def test_flatten_sells_what_is_held_in_part(world, desk):
    entry = desk.place()
    desk.book(desk.fill(entry, D("0.008")))
    raise_level(level=Level.FLATTEN, reason="test", actor="tester", now=world.clock.now())

    for _ in range(3):
        cancel_resting(account_id=world.account.pk, **desk.common)

    entry.refresh_from_db()
    assert entry.state == "CANCELED"
    assert Position.objects.get().status == "closed"
    assert states() == ["CANCELED"] * 3


def test_closing_a_part_takes_the_rest_of_the_entry_along(world, desk):
    entry = desk.place()
    desk.book(desk.fill(entry, D("0.008")))

    exit_positions(
        account_id=world.account.pk,
        position_ids=[Position.objects.get().pk],
        is_manual=True,
        **desk.common,
    )

    entry.refresh_from_db()
    assert entry.state == "CANCELED"
    assert Position.objects.get().status == "closed"
    assert not Order.objects.filter(leg="PROTECT", working=None).exists()


def test_it_is_neither_amended_nor_replaced(world, desk):
    entry = desk.place()
    common = {"account_id": world.account.pk, "order_id": entry.pk, "actor": "t", "reason": "t"}

    with pytest.raises(Conflict, match="cancel it and place another"):
        amend_order(quantity=D("0.01"), **common, **desk.common)
    with pytest.raises(Conflict, match="cancel it and place another"):
        replace_order(
            changes=Changes(price=D("49000")), idempotency_key="r", **common, **desk.common
        )

    assert calls(world) == ["submit_otoco"]


def test_beside_a_position_each_pair_covers_its_part(world, desk):
    desk.place(key="first", type=OrderType.MARKET, **WITHOUT_BRACKET)
    entry = desk.place()
    desk.fill(entry)
    world.reconcile()

    desk.guard()

    assert list(Order.objects.filter(leg="PROTECT").values_list("state", flat=True)) == ["NEW"] * 2
    live = Order.objects.filter(leg="PROTECT", state="NEW")
    assert sum(order.quantity for order in live) == Position.objects.get().quantity


def test_where_no_list_is_taken_the_first_fill_brings_the_chosen_pair(world, desk):
    Instrument.objects.update(otoco_allowed=False)
    forget_rules()
    entry = desk.place()
    assert (calls(world), entry.state) == (["submit"], "NEW")

    desk.book(desk.fill(entry, D("0.008")))

    own = Order.objects.get(leg="PROTECT")
    assert (own.state, own.stop_price, own.price) == ("NEW", STOP, TARGET)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"take_profit_price": None}, "take_profit_price"),
        ({"stop_loss_price": None}, "stop_loss_price"),
        ({"stop_loss_price": PRICE}, "stop_loss_price"),
        ({"take_profit_price": PRICE}, "take_profit_price"),
        ({"time_in_force": TimeInForce.IOC}, "time_in_force"),
        ({"time_in_force": TimeInForce.FOK}, "time_in_force"),
        ({"side": Side.SELL}, "side"),
        ({"type": OrderType.MARKET, "price": None, "time_in_force": None}, "stop_loss_price"),
    ],
    ids=str,
)
def test_it_says_what_is_wrong_with_a_bracket(world, desk, changes, field):
    with pytest.raises(InvalidInput) as caught:
        desk.place(**changes)

    assert caught.value.context["field"] == field
    assert caught.value.context["fix"]
    assert not world.broker.requests


def test_post_only_entries_may_have_one(world, desk):
    entry = desk.place(type=OrderType.LIMIT_MAKER, time_in_force=None)

    assert (entry.state, states()) == ("NEW", ["PENDING_NEW"] * 3)


def test_the_api_shows_the_bracket(desk, client):
    body = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.02"}
    body |= {"price": "49500", "stop_loss_price": "48000", "take_profit_price": "52000"}
    placed = client.post("/trading/order", body, format="json").json()
    bracket = {"stop_price": "48000", "take_profit_price": "52000"}
    assert (placed["state"], placed["bracket"]) == ("NEW", bracket)

    rows = {row["leg"]: row for row in client.get("/orders").json()["results"]}

    assert rows["MANUAL"]["bracket"] == bracket
    assert (rows["PROTECT"]["working_order"], rows["PROTECT"]["bracket"]) == (placed["id"], None)
    assert rows["STOP_LOSS"]["state"] == "PENDING_NEW"


def test_somebody_else_s_list_is_one_difference_and_is_adopted_whole(world, desk):
    entry = OrderRequest(
        symbol="BTCUSDT",
        side=Side.BUY,
        type=OrderType.LIMIT,
        quantity=QUANTITY,
        client_order_id="web_1",
        price=PRICE,
        time_in_force=TimeInForce.GTC,
    )
    target = Terms(type=OrderType.LIMIT_MAKER, client_order_id="web_2", price=TARGET)
    stop = Terms(type=OrderType.STOP_LOSS, client_order_id="web_3", stop_price=STOP)
    theirs = OtocoRequest(
        working=entry,
        pending=OcoRequest(
            symbol="BTCUSDT",
            quantity=HELD,
            list_client_order_id="web_4",
            take_profit=target,
            stop=stop,
        ),
    )
    world.broker.submit_list(
        theirs, request_sha256=digest(theirs.parameters()), signed_at=world.clock.now()
    )

    assert not world.reconcile().is_green
    assert sorted(Order.objects.values_list("state", flat=True)) == ["NEW", *["PENDING_NEW"] * 2]
    difference = Difference.objects.get(status="OPEN")
    assert difference.kind == "EXTERNAL_ORDER"
    settlement = Settlement(status="ADOPTED", reason="mine", actor="anna")
    settle_difference(difference_id=difference.pk, settlement=settlement, **desk.common)
    world.broker.fill(world.broker.query("BTCUSDT", "web_1").venue_order_id, QUANTITY, PRICE)

    assert world.reconcile().is_green
    assert sorted(Order.objects.values_list("state", flat=True)) == ["FILLED", "NEW", "NEW"]
    assert not Position.objects.exists()


def test_the_admin_tells_what_belongs_together(world, desk, admin_client):
    entry = desk.place()

    page = admin_client.get("/admin/execution/order/").content.decode()

    assert f"after order {entry.pk}" in page
    assert f"leg of {pair().pk}" in page
    assert "PENDING_NEW" in page

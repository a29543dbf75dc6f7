"""Resting entries whose stop and target wait at the exchange in one list with them."""

from datetime import timedelta
from decimal import Decimal

import pytest

from alerts.models import Alert
from core.errors import Conflict, InvalidInput
from execution.domain.order import OrderType, Side, TimeInForce
from execution.domain.request import OcoRequest, OrderRequest, OtocoRequest, Terms, digest
from execution.models import Difference, Order, Position, SubmitAttempt
from execution.services.amending import amend_order
from execution.services.brackets import settle_brackets
from execution.services.cancels import cancel_orders, request_cancel
from execution.services.completing import record_live
from execution.services.coverage import measure_unprotected
from execution.services.differences import Settlement, settle_difference
from execution.services.exits import exit_positions
from execution.services.kill import cancel_resting
from execution.services.manual import ManualOrder, place_manual_order
from execution.services.portfolio import build_portfolio
from execution.services.protection import protect_positions, send_protection
from execution.services.replacing import Changes, replace_order
from execution.services.resolution import resolve_unknown
from execution.services.submitting import send_orders
from markets.models import Instrument
from markets.selectors import forget_rules
from risk.domain.trading_state import Level
from risk.services.trading_state import raise_level
from tests.fakes.broker import Fault

D = Decimal
QUANTITY, HELD = D("0.02"), D("0.01998")  # the fee comes off the base asset
PRICE, STOP, TARGET = D("49500"), D("48000"), D("52000")


@pytest.fixture
def world(world):
    Instrument.objects.update(otoco_allowed=True)
    forget_rules()
    return world


class Desk:
    """A person, the exchange and the guardian around one entry."""

    def __init__(self, world):
        self.world, self.broker, self.clock = world, world.broker, world.clock
        self.common = {"broker": world.broker, "clock": world.clock}
        self.account_id = world.account.pk

    def place(self, key="bracket", **changes):
        wanted = {
            "symbol": "BTCUSDT",
            "side": Side.BUY,
            "type": OrderType.LIMIT,
            "quantity": QUANTITY,
            "price": PRICE,
            "time_in_force": TimeInForce.GTC,
            "stop_loss_price": STOP,
            "take_profit_price": TARGET,
        }
        return place_manual_order(
            account_id=self.account_id,
            wanted=ManualOrder(**{**wanted, **changes}),
            idempotency_key=key,
            actor="tester",
            **self.common,
        )

    def told(self, order):
        """Return what the exchange has under the order's name."""
        name = order.client_order_id
        return next(o for o in self.broker.orders.values() if o.client_order_id == name)

    def fill(self, order, quantity=QUANTITY):
        return self.broker.fill(self.told(order).venue_order_id, quantity, PRICE)

    def book(self, *reports):
        recorded = record_live(account_id=self.account_id, reports=reports, **self.common)
        send_protection(list_ids=recorded.protect_ids, **self.common)

    def guard(self):
        """Do the guardian's duties around orders once."""
        resolve_unknown(account_id=self.account_id, **self.common)
        settle_brackets(account_id=self.account_id, **self.common)
        protect_positions(account_id=self.account_id, **self.common)

    def wait(self, seconds):
        self.clock.advance(seconds)


@pytest.fixture
def desk(world):
    return Desk(world)


def pair():
    return Order.objects.get(leg="PROTECT", working__isnull=False)


def states():
    """Return the states of the waiting pair and its legs."""
    return [pair().state, *pair().legs.order_by("pk").values_list("state", flat=True)]


def calls(world):
    return [request.call for request in world.broker.requests]


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


def test_a_denied_entry_has_no_pair(world, desk):
    with pytest.raises(Exception, match="risk gate"):
        desk.place(quantity=D("100"))

    assert not Order.objects.filter(leg="PROTECT").exists()
    assert not world.broker.requests


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


def test_a_cancel_that_comes_too_late_leaves_the_pair(world, desk):
    entry = desk.place()
    desk.fill(entry)

    cancel_orders(orders=[entry], **desk.common)

    entry.refresh_from_db()
    assert entry.state == "FILLED"
    assert states() == ["NEW"] * 3


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
    desk.place(key="first", type=OrderType.MARKET, **_PLAIN)
    entry = desk.place()
    desk.fill(entry)
    world.reconcile()

    desk.guard()

    assert list(Order.objects.filter(leg="PROTECT").values_list("state", flat=True)) == ["NEW"] * 2
    live = Order.objects.filter(leg="PROTECT", state="NEW")
    assert sum(order.quantity for order in live) == Position.objects.get().quantity


def test_a_lower_fee_leaves_a_rest_that_gets_a_pair_beside_it(world, desk):
    world.broker.fee = D("0")
    entry = desk.place(quantity=D("0.2"))
    desk.fill(entry, D("0.2"))
    world.reconcile()

    desk.guard()

    live = Order.objects.filter(leg="PROTECT", state="NEW").order_by("pk")
    assert [order.quantity for order in live] == [D("0.1998"), D("0.0002")]
    assert states() == ["NEW"] * 3


def test_where_no_list_is_taken_the_first_fill_brings_the_chosen_pair(world, desk):
    Instrument.objects.update(otoco_allowed=False)
    forget_rules()
    entry = desk.place()
    assert (calls(world), entry.state) == (["submit"], "NEW")

    desk.book(desk.fill(entry, D("0.008")))

    own = Order.objects.get(leg="PROTECT")
    assert (own.state, own.stop_price, own.price) == ("NEW", STOP, TARGET)


def test_a_second_try_brings_its_bracket_along(world, desk):
    world.broker.faults.append(
        Fault("submit_otoco", "refuse", code=-1021, message="outside of the window")
    )
    world.clock.error = timedelta(seconds=-3)

    entry = desk.place()

    assert (entry.attempt, entry.state) == (2, "NEW")
    waiting = Order.objects.filter(leg="PROTECT", working=entry)
    assert [order.state for order in waiting] == ["PENDING_NEW"]


_PLAIN = {
    "price": None,
    "time_in_force": None,
    "stop_loss_price": None,
    "take_profit_price": None,
}


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


def test_the_api_shows_the_bracket(world, client):
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

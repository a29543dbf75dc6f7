"""What a report of the exchange books, moves and tells; a report that is known changes nothing."""

from dataclasses import replace
from decimal import Decimal

import pytest

from alerts.models import Alert
from execution.domain.fill import VenueStatus
from execution.domain.order import OrderType, Side, TimeInForce
from execution.models import Balance, Fill, LedgerEntry, Order, Position
from execution.services.accounts import open_account
from execution.services.fills import Recorded, record_reports
from execution.services.orders import ManualOrder, place_manual_order, place_orders
from execution.services.protection import protect_positions
from risk.models import TradingStateChange

D = Decimal


def place(world, symbol="BTCUSDT"):
    place_orders(decision_ids=[world.decide(symbol).pk], broker=world.broker, clock=world.clock)
    return Order.objects.get(leg="ENTRY", instrument__symbol=symbol)


def rest(world, symbol="BTCUSDT", quantity="0.01", price="49000", key="key"):
    return place_manual_order(
        account_id=world.account.pk,
        wanted=ManualOrder(
            symbol=symbol,
            side=Side.BUY,
            type=OrderType.LIMIT,
            quantity=D(quantity),
            price=D(price),
            time_in_force=TimeInForce.GTC,
        ),
        idempotency_key=key,
        actor="tester",
        broker=world.broker,
        clock=world.clock,
    )


def book(world, *reports):
    return record_reports(account_id=world.account.pk, reports=reports, now=world.clock.now())


def fill(world, order, quantity, price="49000"):
    return world.broker.fill(order.venue_order_id, D(quantity), D(price))


def test_nothing_is_booked_where_nothing_is_reported(world):
    assert book(world) == Recorded()


def test_it_says_what_it_booked_and_of_which_orders_trades_are_missing(world):
    whole, short = rest(world), rest(world, "ETHUSDT", "0.2", "2475", key="other")
    reports = [fill(world, whole, "0.004"), fill(world, short, "0.1", "2475")]

    recorded = book(world, reports[0], replace(reports[1], executions=()))

    assert recorded == Recorded(
        fill_count=1,
        order_ids=(whole.pk, short.pk),
        incomplete=(short.client_order_id,),
        protect_ids=(Order.objects.get(leg="PROTECT").pk,),
    )
    assert book(world, reports[1]).fill_count == 1


def test_a_trade_is_booked_once_with_everything_that_was_told_of_it(world):
    order = rest(world)
    report = fill(world, order, "0.004")

    book(world, report, report)
    assert book(world, report).fill_count == 0

    [told] = report.executions
    row = Fill.objects.get()
    assert (row.account_id, row.order_id, row.instrument_id) == (
        world.account.pk,
        order.pk,
        order.instrument_id,
    )
    assert (row.symbol, row.side, row.is_maker) == ("BTCUSDT", "BUY", False)
    assert (row.price, row.quantity, row.quote_quantity) == (D(49000), D("0.004"), D(196))
    assert (row.fee, row.fee_asset, row.fee_price) == (D("0.000004"), "BTC", None)
    assert (row.venue_trade_id, row.timestamp) == (told.trade_id, told.executed_at)
    assert (row.realized_pnl, row.position_id) == (0, Position.objects.get().pk)


def test_another_account_s_side_of_the_same_trade_is_none_of_ours(world):
    bought = fill(world, rest(world), "0.01")
    theirs = open_account(name="other", mode="demo", quote_asset="USDT", now=world.clock.now())
    stranger = Order.objects.get()
    stranger.pk = None
    stranger.account, stranger.client_order_id = theirs, "x-other"
    stranger.idempotency_key, stranger.intent_key = None, "other"
    stranger.save(force_insert=True)
    record_reports(
        account_id=theirs.pk,
        reports=[replace(bought, client_order_id="x-other")],
        now=world.clock.now(),
    )

    assert book(world, bought).fill_count == 1

    held = Position.objects.values_list("account_id", "quantity")
    assert set(held) == {(theirs.pk, D("0.00999")), (world.account.pk, D("0.00999"))}


def test_a_fee_in_a_third_asset_is_kept_with_what_it_was_worth(world):
    order = rest(world)
    report = fill(world, order, "0.01")
    [trade] = report.executions
    world.unsound = "the exchange took no such fee"

    book(world, replace(report, executions=(replace(trade, fee=D("0.002"), fee_asset="ETH"),)))

    row = Fill.objects.get()
    assert (row.fee, row.fee_asset, row.fee_price) == (D("0.002"), "ETH", D(2500))
    position = Position.objects.get()
    assert (position.quantity, position.cost_quote, position.fees_quote) == (D("0.01"), 495, 5)
    assert Balance.objects.get(asset="ETH").total == D("-0.002")


def test_a_buy_and_a_sale_move_base_quote_and_fee_in_the_ledger(world):
    order = rest(world)
    report = fill(world, order, "0.01")
    book(world, report)
    bought = LedgerEntry.objects.exclude(kind="OPENING").order_by("pk")
    assert [(row.asset, row.change, row.kind) for row in bought] == [
        ("BTC", D("0.01"), "TRADE"),
        ("USDT", D(-490), "TRADE"),
        ("BTC", D("-0.00001"), "FEE"),
    ]
    assert {row.timestamp for row in bought} == {report.executions[0].executed_at}
    assert {row.fill_id for row in bought} == {Fill.objects.get().pk}

    foreign = world.broker.place_foreign("BTCUSDT", Side.SELL, D("0.005"))
    book(world, foreign)

    sold = LedgerEntry.objects.filter(fill__side="SELL").order_by("pk")
    assert [(row.asset, row.change, row.kind) for row in sold] == [
        ("BTC", D("-0.005"), "TRADE"),
        ("USDT", D(250), "TRADE"),
        ("USDT", D("-0.25"), "FEE"),
    ]
    assert dict(Balance.objects.values_list("asset", "total")) == {
        "BTC": D("0.00499"),
        "USDT": D("99759.75"),
    }
    assert {row.updated_at > order.updated_at for row in Balance.objects.all()} == {True}


def test_an_order_follows_its_fills_and_holds_back_what_is_left(world):
    order = rest(world)
    reserved = order.reserved_quantity

    book(world, fill(world, order, "0.004"))

    order.refresh_from_db()
    assert (order.state, order.filled_quantity, order.filled_quote) == (
        "PARTIALLY_FILLED",
        D("0.004"),
        D(196),
    )
    assert order.reserved_quantity == reserved * D("0.6")
    assert order.ended_at is None

    book(world, fill(world, order, "0.003"))
    order.refresh_from_db()
    assert order.reserved_quantity == reserved * D("0.3")

    book(world, fill(world, order, "0.003"))

    order.refresh_from_db()
    assert (order.state, order.reserved_quantity) == ("FILLED", 0)
    ended_at = order.ended_at
    assert ended_at == order.updated_at
    book(world, world.broker.orders[order.venue_order_id])
    order.refresh_from_db()
    assert order.ended_at == ended_at < order.updated_at


@pytest.mark.parametrize("status", [VenueStatus.FILLED, VenueStatus.CANCELED, VenueStatus.EXPIRED])
def test_an_order_is_not_over_before_all_its_trades_are_booked(world, status):
    world.unsound = "the exchange has the order as filled, whatever was reported"
    order = rest(world)
    first, last = fill(world, order, "0.004"), fill(world, order, "0.006")
    bare = replace(last, status=status, executions=())

    assert book(world, bare).incomplete == (order.client_order_id,)
    order.refresh_from_db()
    assert (order.state, order.ended_at) == ("NEW", None)
    book(world, replace(bare, executions=first.executions))
    order.refresh_from_db()
    assert (order.state, order.ended_at) == ("PARTIALLY_FILLED", None)
    assert order.reserved_quantity > 0

    assert book(world, replace(bare, executions=last.executions)).incomplete == ()

    order.refresh_from_db()
    assert order.state == status.value
    assert order.ended_at is not None


def test_reports_are_booked_in_the_order_of_the_exchange_whatever_order_they_come_in(world):
    order = rest(world)
    first, last = fill(world, order, "0.004", "49000"), fill(world, order, "0.006", "48000")

    book(world, last, first, world.broker.orders[order.venue_order_id])

    order.refresh_from_db()
    assert order.state == "FILLED"
    fills = Fill.objects.order_by("pk")
    assert [row.price for row in fills] == [D(49000), D(48000)]
    position = Position.objects.get()
    assert position.opened_at == fills[0].timestamp
    assert position.average_entry_price == D(48400)


def test_an_order_that_was_made_smaller_holds_back_less(world):
    order = rest(world)
    reserved = order.reserved_quantity
    report = fill(world, order, "0.004")
    smaller = replace(report, quantity=D("0.008"))
    world.unsound = "nobody asked for it"

    book(world, smaller)

    order.refresh_from_db()
    assert (order.quantity, order.filled_quantity) == (D("0.008"), D("0.004"))
    assert order.reserved_quantity == reserved * D("0.4")


def test_trades_of_one_report_are_booked_by_their_number(world):
    order = rest(world)
    first, last = fill(world, order, "0.004"), fill(world, order, "0.006")

    book(world, replace(last, executions=(*last.executions, *first.executions)))

    numbers = list(Fill.objects.order_by("pk").values_list("venue_trade_id", flat=True))
    assert numbers == sorted(numbers)


def test_an_order_is_known_by_its_number_under_another_name(world):
    order = rest(world)
    report = fill(world, order, "0.01")

    book(world, replace(report, client_order_id="other"))

    assert Order.objects.exclude(leg__in=["PROTECT", "TAKE_PROFIT", "STOP_LOSS"]).count() == 1
    order.refresh_from_db()
    assert order.state == "FILLED"


def test_an_order_in_what_is_no_instrument_here_is_told_and_the_others_are_booked(world):
    order = rest(world)
    report = fill(world, order, "0.01")
    # Its name comes before the other's: it is met first.
    strange = replace(report, symbol="AAVEUSDT", client_order_id="web_3", venue_order_id=5)

    recorded = book(world, strange, report)

    assert recorded.order_ids == (order.pk,)
    alert = Alert.objects.get(code="EXTERNAL_ORDER")
    assert alert.severity == "ERROR"
    assert alert.context == {"symbol": "AAVEUSDT", "client_order_id": "web_3"}
    assert alert.dedupe_key.startswith("EXTERNAL_ORDER:AAVEUSDT")


def test_an_overfill_is_told_once_for_each_order_and_closes_its_symbol(world):
    world.unsound = "the exchange filled more than was ordered"
    orders = [rest(world), rest(world, "ETHUSDT", "0.2", "2475", key="other")]
    book(world, fill(world, orders[0], "0.01"), fill(world, orders[1], "0.2", "2475"))
    assert not Alert.objects.filter(code="OVERFILL").exists()

    book(world, fill(world, orders[0], "0.001"), fill(world, orders[1], "0.1", "2475"))

    alerts = Alert.objects.filter(code="OVERFILL").order_by("pk")
    assert [row.context for row in alerts] == [
        {"order_id": order.pk, "is_ours": True} for order in orders
    ]
    assert {row.severity for row in alerts} == {"CRITICAL"}
    changes = TradingStateChange.objects.filter(actor="auto:overfill").order_by("pk")
    assert [(row.scope, row.to_level) for row in changes] == [
        ("symbol:BTCUSDT", "REDUCE_ONLY"),
        ("symbol:ETHUSDT", "REDUCE_ONLY"),
    ]


def test_an_order_that_was_held_for_dead_is_told_and_goes_on(world):
    order = rest(world)
    Order.objects.filter(pk=order.pk).update(state="NOT_ACCEPTED", ended_at=order.created_at)
    world.unsound = "the proof on record was wrong"

    book(world, world.broker.orders[order.venue_order_id])

    order.refresh_from_db()
    assert (order.state, order.ended_at) == ("NEW", None)
    alert = Alert.objects.get(code="DEAD_ORDER_ALIVE")
    assert alert.context == {"order_id": order.pk, "is_ours": True}
    assert "NOT_ACCEPTED here" in alert.message
    change = TradingStateChange.objects.get(actor="auto:dead_order_alive")
    assert (change.scope, change.to_level) == ("symbol:BTCUSDT", "REDUCE_ONLY")


def test_a_position_bears_whose_it_is_and_closes_at_its_last_trade(world):
    entry = place(world)
    position = Position.objects.get()
    assert (position.account_id, position.instrument_id) == (world.account.pk, entry.instrument_id)
    assert (position.strategy_id, position.symbol) == (world.strategy.pk, "BTCUSDT")
    assert position.scopes == entry.scopes
    assert position.opened_at == Fill.objects.get().timestamp < position.updated_at
    assert (position.closed_at, entry.position_id) == (None, position.pk)

    report = world.broker.trigger("STOP_LOSS", "BTCUSDT")
    book(world, report)

    position.refresh_from_db()
    [sale] = report.executions
    assert (position.status, position.closed_at) == ("closed", sale.executed_at)
    assert position.updated_at > sale.executed_at
    assert (position.quantity, position.dust_quantity, position.has_dust) == (0, 0, False)
    assert Fill.objects.get(side="SELL").realized_pnl == position.realized_pnl < 0


def test_dust_of_a_position_is_carried_into_the_next_even_within_one_batch(world):
    order = rest(world, quantity="0.01234")
    book(world, fill(world, order, "0.01234"))
    protect_positions(account_id=world.account.pk, broker=world.broker, clock=world.clock)
    again = rest(world, quantity="0.01", key="again")

    book(world, world.broker.trigger("STOP_LOSS", "BTCUSDT"), fill(world, again, "0.01"))

    before, after = Position.objects.order_by("pk")
    dust = D("0.00000766")  # 0.01234 less the fee of a thousandth, on the step of 0.00001
    assert (before.status, before.dust_quantity, before.has_dust) == ("closed", dust, False)
    assert (after.carried_quantity, after.quantity) == (dust, D("0.00999") + dust)
    assert after.carried_cost_quote == before.cost_quote > 0
    assert after.cost_quote == 490 + before.cost_quote


def test_it_tells_the_pages_of_orders_fills_and_positions_that_changed(world, monkeypatch):
    told = []
    order = rest(world)
    report = fill(world, order, "0.01")
    monkeypatch.setattr("execution.services.fills.push.publish", lambda *each: told.extend(each))

    book(world, report)

    kinds = [(each["type"], each.get("order_id")) for each in told]
    row = Position.objects.get()
    assert kinds[:2] == [("order", order.pk), ("fill", order.pk)]
    assert [each["position_id"] for each in told if each["type"] == "position"] == [row.pk]
    assert {each["at"] for each in told if each["type"] != "fill"} == {row.updated_at}
    told.clear()
    book(world, report)
    assert [each["type"] for each in told] == ["order"]

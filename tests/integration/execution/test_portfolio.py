"""The account as the gate sees it: everything live counts whole, and what is unknown is said so."""

from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.db import transaction

from execution.domain.order import OrderType, Side, TimeInForce
from execution.models import Account, Balance, Difference, LedgerEntry, Order, Position
from execution.services.accounts import open_account
from execution.services.equity import record_equity
from execution.services.fills import record_reports
from execution.services.intents import approve_decisions, approve_exits
from execution.services.orders import ManualOrder, place_manual_order, place_orders
from execution.services.portfolio import build_portfolio, intent_key, value_account
from execution.services.protection import protect_positions
from markets.models import Candle
from risk.domain.snapshot import SymbolExposure

D = Decimal


def place(world, *symbols):
    decisions = [world.decide(symbol).pk for symbol in symbols]
    place_orders(decision_ids=decisions, broker=world.broker, clock=world.clock)


def rest(world, symbol, quantity, key="key", **terms):
    wanted = {"type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC, "side": Side.BUY, **terms}
    return place_manual_order(
        account_id=world.account.pk,
        wanted=ManualOrder(symbol=symbol, quantity=D(quantity), **wanted),
        idempotency_key=key,
        actor="tester",
        broker=world.broker,
        clock=world.clock,
    )


def deposit(world, account, change):
    LedgerEntry.objects.create(
        account=account,
        asset="USDT",
        change=D(change),
        kind="EXTERNAL",
        timestamp=world.clock.now(),
    )


def look(world, **options):
    now = world.clock.now()
    with transaction.atomic():
        snapshot = build_portfolio(account_id=world.account.pk, now=now, **options)
    assert (snapshot.account_id, snapshot.as_of) == (world.account.pk, now)
    return snapshot


def exposure(world, symbol, **options):
    return look(world, **options).exposures[world.instruments[symbol].pk]


def test_an_account_that_holds_nothing_is_worth_its_cash(world):
    found = look(world)

    world.account.refresh_from_db()
    assert found.equity == found.day_start_equity == found.high_water_mark == D(100000)
    assert (found.quote_balance, found.reserved_quote) == (D(100000), 0)
    assert (found.exposures, found.live_keys, found.recent_orders) == ({}, frozenset(), ())
    assert found.last_reconciled_at == world.account.reconciled_at is not None


def test_an_account_without_any_balance_is_worth_nothing(world):
    empty = open_account(name="empty", mode="demo", quote_asset="USDT", now=world.clock.now())

    with transaction.atomic():
        found = build_portfolio(account_id=empty.pk, now=world.clock.now())

    assert (found.equity, found.quote_balance, found.last_reconciled_at) == (0, 0, None)
    value = value_account(account_id=empty.pk)
    assert (value.equity, value.basis) == (0, {"entry": None, "marks": {}})


def test_what_is_held_counts_at_market_with_the_orders_that_protect_it(world):
    place(world, "BTCUSDT", "ETHUSDT")
    world.move_price("BTCUSDT", "51000")

    found = look(world)

    cash = Balance.objects.get(asset="USDT").total
    assert found.quote_balance == cash
    assert found.equity == cash + D("0.01998") * 51000 + D("0.3996") * 2500
    assert found.exposures[world.instruments["BTCUSDT"].pk] == SymbolExposure(
        instrument_id=world.instruments["BTCUSDT"].pk,
        symbol="BTCUSDT",
        position_quantity=D("0.01998"),
        base_balance=D("0.01998"),
        mark_price=D(51000),
        protective_quantity=D("0.01998"),
        open_orders=2,
        open_algo_orders=1,
    )
    assert set(found.exposures) == {world.instruments[name].pk for name in ("BTCUSDT", "ETHUSDT")}
    assert found.reserved_quote == 0
    assert value_account(account_id=world.account.pk).open_positions == 2


def test_an_open_buy_counts_with_what_is_left_of_it_at_its_dearest_price(world):
    order = rest(world, "ETHUSDT", "0.2", price=D(2475))
    report = world.broker.fill(order.venue_order_id, D("0.05"), D(2475))
    record_reports(account_id=world.account.pk, reports=[report], now=world.clock.now())
    stop = rest(world, "BTCUSDT", "0.01", "other", type=OrderType.STOP_LOSS,
                time_in_force=None, stop_price=D(51000))  # fmt: skip
    trailing = rest(world, "SOLUSDT", "5", "third", type=OrderType.STOP_LOSS,
                    time_in_force=None, trailing_delta_bps=100)  # fmt: skip

    found = look(world)

    ether = found.exposures[world.instruments["ETHUSDT"].pk]
    assert (ether.pending_buy_quantity, ether.pending_buy_notional) == (D("0.15"), D(375))
    assert (ether.position_quantity, ether.pending_exit_quantity) == (D("0.04995"), 0)
    bitcoin = found.exposures[world.instruments["BTCUSDT"].pk]
    assert (bitcoin.pending_buy_quantity, bitcoin.pending_buy_notional) == (D("0.01"), D(510))
    assert (bitcoin.open_orders, bitcoin.open_algo_orders) == (1, 1)
    solana = found.exposures[world.instruments["SOLUSDT"].pk]
    assert (solana.pending_buy_quantity, solana.pending_buy_notional) == (D(5), D(505))
    order.refresh_from_db()
    reserved = order.reserved_quantity + stop.reserved_quantity + trailing.reserved_quantity
    assert found.reserved_quote == reserved > 0
    without = look(world, without=[order.pk, trailing.pk])
    assert without.reserved_quote == stop.reserved_quantity
    assert without.exposures[world.instruments["ETHUSDT"].pk].pending_buy_quantity == 0
    world.unsound = "what was bought has no stop yet"


def test_orders_of_one_symbol_add_up(world):
    place(world, "BTCUSDT")
    common = {"symbol": "BTCUSDT", "side": Side.SELL, "quantity": D("0.001"), "price": None}
    for number, quantity in enumerate(("0.2", "0.1")):
        rest(world, "ETHUSDT", quantity, f"buy {number}", price=D(2475))
        name = f"web_{number}"
        world.broker._new(name=name, kind="STOP_LOSS", stop_price=D(40000), **common)
    world.reconcile()
    world.unsound = "a person settles what somebody else placed"

    ether, bitcoin = exposure(world, "ETHUSDT"), exposure(world, "BTCUSDT")

    assert (ether.pending_buy_quantity, ether.pending_buy_notional) == (D("0.3"), D(750))
    assert (ether.base_balance, bitcoin.base_balance) == (0, D("0.01998"))
    assert bitcoin.pending_exit_quantity == D("0.002")


def test_a_buy_above_the_market_counts_at_its_own_price(world):
    rest(world, "ETHUSDT", "0.2", price=D(2475))
    world.move_price("ETHUSDT", "2000")

    assert exposure(world, "ETHUSDT").pending_buy_notional == D(495)


def test_a_pair_counts_once_and_as_two_orders_at_the_exchange(world):
    rest(world, "BTCUSDT", "0.01", type=OrderType.OCO, time_in_force=None,
         price=D(49500), stop_price=D(51000), stop_limit_price=D(51300))  # fmt: skip

    found = exposure(world, "BTCUSDT")

    assert (found.pending_buy_quantity, found.pending_buy_notional) == (D("0.01"), D(513))
    assert (found.open_orders, found.open_algo_orders) == (2, 1)


def test_an_exit_counts_beside_the_protection_that_it_replaces(world):
    place(world, "BTCUSDT")
    [order_id] = approve_exits(
        account_id=world.account.pk,
        position_ids=[Position.objects.get().pk],
        is_manual=False,
        clock=world.clock,
    )

    found = exposure(world, "BTCUSDT")

    assert (found.pending_exit_quantity, found.protective_quantity) == (D("0.01998"), D("0.01998"))
    assert found.open_orders == 3
    assert exposure(world, "BTCUSDT", without=[order_id]).pending_exit_quantity == 0
    world.unsound = "the exit was never sent"


@pytest.mark.parametrize(
    ("state", "is_unresolved"),
    [("UNKNOWN", True), ("SENDING", True), ("QUARANTINED", True), ("APPROVED", False)],
)
def test_an_order_in_doubt_leaves_its_symbol_in_doubt(world, state, is_unresolved):
    approve_decisions(decision_ids=[world.decide("BTCUSDT").pk], clock=world.clock)
    Order.objects.update(state=state)

    assert exposure(world, "BTCUSDT").has_unresolved is is_unresolved

    world.unsound = "the order was never sent"


def test_the_stop_of_somebody_else_protects_what_it_is_attached_to(world):
    place(world, "BTCUSDT")
    common = {"symbol": "BTCUSDT", "side": Side.SELL, "quantity": D("0.001"), "price": None}
    world.broker._new(name="web_1", kind="STOP_LOSS", stop_price=D(40000), **common)
    world.reconcile()

    theirs = exposure(world, "BTCUSDT")
    Order.objects.filter(leg="EXTERNAL").update(position=Position.objects.get())
    attached = exposure(world, "BTCUSDT")
    Order.objects.filter(leg="EXTERNAL").update(stop_price=None)
    target = exposure(world, "BTCUSDT")

    whole = D("0.01998")
    seen = [(each.pending_exit_quantity, each.protective_quantity) for each in
            (theirs, attached, target)]  # fmt: skip
    assert seen == [(D("0.001"), whole), (0, whole + D("0.001")), (D("0.001"), whole)]
    world.unsound = "a person settles what somebody else placed"


def test_nothing_has_a_worth_while_a_price_is_missing(world):
    place(world, "BTCUSDT", "ETHUSDT")
    Candle.objects.filter(instrument=world.instruments["BTCUSDT"]).delete()

    found = look(world)

    assert (found.equity, found.day_start_equity, found.high_water_mark) == (None, None, None)
    assert exposure(world, "BTCUSDT").mark_price is None
    assert exposure(world, "ETHUSDT").mark_price == D(2500)
    value = value_account(account_id=world.account.pk)
    assert value.missing_marks == ("BTCUSDT",)
    assert value.exposure == D("0.3996") * 2500


@pytest.mark.parametrize("reason", ["not ready", "a difference"])
def test_it_counts_as_never_compared_while_something_is_open(world, reason):
    now = world.clock.now()
    if reason == "not ready":
        Account.objects.update(ready_at=None)
    else:
        Difference.objects.create(
            account=world.account, kind="X", subject="x", first_seen_at=now, last_seen_at=now
        )

    assert look(world).last_reconciled_at is None

    world.unsound = "something is left to settle"


@pytest.mark.parametrize("whose", ["another account's", "settled"])
def test_differences_that_are_not_its_own_or_not_open_do_not_count(world, whose):
    now = world.clock.now()
    other = open_account(name="other", mode="demo", quote_asset="USDT", now=now)
    is_ours = whose == "settled"
    Difference.objects.create(
        account=world.account if is_ours else other,
        kind="X",
        subject="x",
        status="settled" if is_ours else "open",
        first_seen_at=now,
        last_seen_at=now,
    )

    assert look(world).last_reconciled_at is not None


def test_the_day_and_the_high_are_those_on_record(world):
    place(world, "BTCUSDT")
    world.move_price("BTCUSDT", "52000")
    high = record_equity(account_id=world.account.pk, now=world.clock.now())
    world.move_price("BTCUSDT", "50000")

    found = look(world)

    assert found.high_water_mark == high.high_water_mark > found.equity
    assert found.day_start_equity == high.day_start_equity


def test_keys_of_what_is_live_and_recent_orders_keep_an_order_from_coming_twice(world):
    place(world, "BTCUSDT")
    order = rest(world, "ETHUSDT", "0.2", price=D(2475))
    entry = Order.objects.get(leg="ENTRY")

    found = look(world)

    assert intent_key(order) in found.live_keys
    assert intent_key(entry) not in found.live_keys
    recent = [(each.instrument_id, each.side, each.quantity, each.price, each.strategy_id)
              for each in found.recent_orders]  # fmt: skip
    assert recent == [
        (entry.instrument_id, "BUY", entry.quantity, entry.price, world.strategy.pk),
        (order.instrument_id, "BUY", D("0.2"), D(2475), None),
    ]
    assert [each.created_at for each in found.recent_orders] == [entry.created_at, order.created_at]
    world.clock.advance(61)
    assert look(world).recent_orders == ()
    [at_the_edge] = build_portfolio(
        account_id=world.account.pk, now=order.created_at + timedelta(minutes=1)
    ).recent_orders
    assert at_the_edge.created_at == order.created_at


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        ({"intent_key": "given"}, "given"),
        ({"decision_id": 4, "idempotency_key": "k"}, "decision:4:ENTRY:2"),
        ({"idempotency_key": "k", "position_id": 5}, "manual:k:ENTRY:2"),
        ({"position_id": 5}, "position:5:ENTRY:2"),
    ],
    ids=str,
)
def test_an_intent_is_named_by_what_it_came_from(columns, key):
    nothing = {"intent_key": "", "decision_id": None, "idempotency_key": None, "position_id": None}

    assert intent_key(SimpleNamespace(**{**nothing, **columns}, leg="ENTRY", attempt=2)) == key


def test_the_books_of_another_account_do_not_count(world):
    now = world.clock.now()
    other = open_account(name="other", mode="demo", quote_asset="USDT", now=now)
    Balance.objects.create(account=other, asset="USDT", total=D(7), updated_at=now)
    deposit(world, other, 7)
    for status in ("open", "closed"):
        Position.objects.create(
            account=other,
            instrument=world.instruments["BTCUSDT"],
            symbol="BTCUSDT",
            status=status,
            quantity=D(1),
            realized_pnl=D(9),
            opened_at=now,
            updated_at=now,
        )

    theirs = rest(world, "ETHUSDT", "0.2", price=D(2475))
    Order.objects.filter(pk=theirs.pk).update(account=other)

    found = look(world)
    assert (found.exposures, found.recent_orders, found.reserved_quote) == ({}, (), 0)
    Order.objects.filter(pk=theirs.pk).update(account=world.account)
    value = value_account(account_id=world.account.pk)
    assert (value.equity, value.realized_pnl, value.flow, value.open_positions) == (100000, 0, 0, 0)


def test_an_accounts_worth_is_cash_holdings_dust_and_profit(world):
    order = rest(world, "BTCUSDT", "0.01234", price=D(49500))
    report = world.broker.fill(order.venue_order_id, D("0.01234"), D(49500))
    record_reports(account_id=world.account.pk, reports=[report], now=world.clock.now())
    protect_positions(account_id=world.account.pk, broker=world.broker, clock=world.clock)
    world.broker.trigger("STOP_LOSS", "BTCUSDT")
    world.reconcile()
    place(world, "ETHUSDT", "SOLUSDT")
    world.broker.trigger("STOP_LOSS", "SOLUSDT")
    world.broker.place_foreign("ETHUSDT", Side.SELL, D("0.1"))
    world.reconcile()
    world.unsound = "a stop is larger than what somebody else left of its position"
    world.move_price("BTCUSDT", "60000")
    dust = Position.objects.get(has_dust=True)
    ether = Position.objects.get(status="open")

    value = value_account(account_id=world.account.pk)

    cash = Balance.objects.get(asset="USDT").total
    held = dust.dust_quantity * 60000 + ether.quantity * 2500
    assert dust.dust_quantity > 0
    assert ether.realized_pnl < 0
    assert (value.cash, value.exposure, value.equity) == (cash, held, cash + held)
    assert value.unrealized_pnl == held - dust.cost_quote - ether.cost_quote
    assert value.realized_pnl == sum(Position.objects.values_list("realized_pnl", flat=True))
    assert (value.open_positions, value.missing_marks) == (1, ())
    assert value.basis == {
        "entry": LedgerEntry.objects.latest("pk").pk,
        "marks": {
            str(world.instruments["BTCUSDT"].pk): "60000",
            str(world.instruments["ETHUSDT"].pk): "2500",
        },
    }


def test_deposits_since_the_last_record_are_told_apart_from_profit(world):
    assert value_account(account_id=world.account.pk).flow == 0
    deposit(world, world.account, 1000)  # on record already with the next line
    record_equity(account_id=world.account.pk, now=world.clock.now())
    place(world, "BTCUSDT")  # a trade is no deposit
    other = open_account(name="other", mode="demo", quote_asset="USDT", now=world.clock.now())
    deposit(world, other, 7)
    for asset, change in (("USDT", D(500)), ("USDT", D(-200)), ("SOL", D(3))):
        world.broker.held[asset] += change
        world.reconcile(accept_external="moved")
        world.clock.advance(1)

    assert value_account(account_id=world.account.pk).flow == D(300)
    world.unsound = "a deposit was booked that the exchange does not have"

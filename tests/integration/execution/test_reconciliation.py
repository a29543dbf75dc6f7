"""Books equal to the last unit, or red."""

from decimal import Decimal

import pytest

from alerts.models import Alert
from execution.domain.order import OrderType, Side, TimeInForce
from execution.models import Account, Balance, Fill, LedgerEntry, Order, Position, TradeCursor
from execution.services.accounts import open_account
from execution.services.balances import compare_balances, enter_external, take_opening
from execution.services.orders import ManualOrder, place_manual_order, place_orders
from risk.domain.trading_state import Level
from risk.services.trading_state import read_state

D = Decimal


def place(world, symbol="BTCUSDT"):
    place_orders(decision_ids=[world.decide(symbol).pk], broker=world.broker, clock=world.clock)


def test_it_takes_the_opening_balances_once(world):
    world.reconcile()

    opening = LedgerEntry.objects.get(kind="OPENING")
    assert (opening.asset, opening.change) == ("USDT", D("100000"))
    world.account.refresh_from_db()
    assert world.account.reconciled_at is not None


@pytest.mark.parametrize("asset", ["USDT", "BTC"])
@pytest.mark.parametrize("difference", ["0.00000001", "-0.00000001"])
def test_it_is_red_for_one_unit(world, asset, difference):
    world.unsound = "the exchange's balance was altered"
    place(world)
    world.broker.held[asset] += D(difference)

    row = world.reconcile()

    assert not row.is_green
    assert row.differences[0]["kind"] == "BALANCE_DIFFERS"
    assert row.differences[0]["difference"] == difference
    assert read_state().level is Level.REDUCE_ONLY
    assert Alert.objects.filter(code="RECONCILE_MISMATCH").count() == 1


def test_it_books_a_deposit_only_when_a_person_accepts_it(world):
    world.broker.held["USDT"] += D("500")
    assert not world.reconcile().is_green

    assert world.reconcile(accept_external="deposit of 500").is_green

    assert Balance.objects.get(asset="USDT").total == D("100500")
    assert LedgerEntry.objects.get(kind="EXTERNAL").reason == "deposit of 500"


def test_it_books_a_fill_that_no_event_told_of(world):
    place(world)
    world.broker.trigger("STOP_LOSS", "BTCUSDT")  # nobody told us

    assert world.reconcile().is_green

    assert Position.objects.get().status == "closed"
    assert Fill.objects.count() == 2
    assert TradeCursor.objects.get().last_trade_id == 2


def test_it_adopts_a_stranger_s_trade_and_says_so(world):
    world.broker.place_foreign("ETHUSDT", Side.BUY, D("1"))

    assert world.reconcile().is_green

    order = Order.objects.get()
    assert (order.leg, order.state) == ("EXTERNAL", "FILLED")
    assert Alert.objects.filter(code="EXTERNAL_ORDER").count() == 1
    assert not Position.objects.exists()  # not ours to manage
    assert Balance.objects.get(asset="ETH").total == D("0.999")


def test_it_finds_a_fill_that_was_altered(world):
    world.unsound = "a fill was altered"
    place(world)
    Fill.objects.update(price=D("1"))

    row = world.reconcile()

    assert {item["kind"] for item in row.differences} >= {"TRADE_DIFFERS"}


def test_it_finds_a_position_that_its_fills_do_not_make(world):
    world.unsound = "a position was altered"
    place(world)
    Position.objects.update(quantity=D("5"))

    row = world.reconcile()

    assert "POSITION_DIFFERS" in {item["kind"] for item in row.differences}


def test_it_concludes_nothing_without_an_answer(world):
    from core.errors import TemporaryExchangeError
    from execution.models import Reconciliation
    from tests.fakes.broker import Fault

    before = Reconciliation.objects.count()
    world.broker.faults.append(Fault("balances", "error"))

    with pytest.raises(TemporaryExchangeError):
        world.reconcile()

    assert Reconciliation.objects.count() == before
    assert read_state().level is Level.ACTIVE


def compare(world, pause=lambda _seconds: None, **options):
    world.account.refresh_from_db()
    return compare_balances(
        account=world.account, broker=world.broker, clock=world.clock, pause=pause, **options
    )


def rest(world, price):
    return place_manual_order(
        account_id=world.account.pk,
        wanted=ManualOrder(
            symbol="BTCUSDT",
            side=Side.BUY,
            type=OrderType.LIMIT,
            quantity=D("0.01"),
            price=D(price),
            time_in_force=TimeInForce.GTC,
        ),
        idempotency_key="key",
        actor="tester",
        broker=world.broker,
        clock=world.clock,
    )


def test_a_second_process_that_takes_the_opening_balances_leaves_them(world):
    opened_at = Account.objects.get().opened_at

    take_opening(account=world.account, broker=world.broker, clock=world.clock)

    assert LedgerEntry.objects.filter(kind="OPENING").count() == 1
    assert opened_at is not None
    assert world.account.opened_at == opened_at
    assert Balance.objects.get(asset="USDT").total == D("100000")


def test_opening_one_account_leaves_the_others_closed(world):
    now = world.clock.now()
    one, other = (
        open_account(name=name, mode="demo", quote_asset="USDT", now=now) for name in ("1", "2")
    )

    take_opening(account=one, broker=world.broker, clock=world.clock)

    assert one.opened_at > now
    other.refresh_from_db()
    assert other.opened_at is None
    assert Balance.objects.get(account=one).total == D("100000")
    assert not LedgerEntry.objects.filter(account=other).exists()


def test_it_compares_every_asset_of_ours_and_of_the_exchange(world):
    place(world)

    result = compare(world)

    assert (result.compared, result.trades_compared, result.differences) == (2, 0, [])


def test_it_looks_six_times_a_moment_apart_before_it_calls_a_difference(world):
    world.unsound = "the exchange's balance was altered"
    world.broker.held["USDT"] -= D("0.5")
    pauses = []

    [found] = compare(world, pauses.append).differences

    assert pauses == [0.25] * 5
    assert found == {
        "kind": "BALANCE_DIFFERS",
        "asset": "USDT",
        "ledger": "100000",
        "exchange": "99999.5",
        "difference": "-0.5",
    }


def test_what_agrees_at_any_look_agrees(world):
    world.broker.held["USDT"] += D(7)
    world.broker.held["BTC"] += D(1)
    looks = []

    def settle(seconds):
        looks.append(seconds)
        if len(looks) == 2:
            world.broker.held["USDT"] -= D(7)
        if len(looks) == 3:
            world.broker.held["USDT"] += D(1)
            world.broker.held["BTC"] -= D(1)

    assert compare(world, settle).differences == []

    assert len(looks) == 3
    world.broker.held["USDT"] -= D(1)


def test_an_asset_that_nobody_here_trades_is_named_so(world):
    world.unsound = "somebody sent a coin"
    world.broker.held["GIFT"] += D("0.00000003")

    [found] = compare(world).differences

    assert (found["kind"], found["asset"]) == ("UNKNOWN_ASSET", "GIFT")
    assert (found["ledger"], found["exchange"]) == ("0", "0.00000003")
    assert found["difference"] == "0.00000003"


def test_what_only_the_ledger_has_is_compared_with_nothing(world):
    world.unsound = "the exchange lost a coin"
    enter_external(
        account=world.account, changes={"BTC": D("1e-8")}, reason="test", clock=world.clock
    )

    [found] = compare(world).differences

    assert (found["kind"], found["asset"]) == ("BALANCE_DIFFERS", "BTC")
    assert (found["ledger"], found["exchange"]) == ("0.00000001", "0")
    assert found["difference"] == "-0.00000001"


def test_it_asks_for_missed_trades_at_the_second_look_and_at_the_last(world, monkeypatch):
    world.unsound = "the exchange's balance was altered"
    place(world)
    world.broker.place_foreign("ETHUSDT", Side.BUY, D("0.1"))
    world.broker.held["USDT"] += D(1)
    asked, ask = [], world.broker.trades
    looks = [0]

    def trades(symbol, **options):
        asked.append((looks[-1], symbol))
        return ask(symbol, **options)

    monkeypatch.setattr(world.broker, "trades", trades)

    result = compare(world, lambda _seconds: looks.append(looks[-1] + 1))

    # Of all symbols that trade against USDT only those that were ever used, or whose own asset
    # differs.
    used = ["BTCUSDT", "ETHUSDT"]
    assert asked == [(look, symbol) for look in (1, 5) for symbol in used]
    assert result.trades_compared == 1


def test_it_books_missed_trades_of_a_symbol_that_has_an_order_and_no_fill_yet(world):
    order = rest(world, "49000")
    world.broker.fill(order.venue_order_id, D("0.01"))
    world.broker.place_foreign("BTCUSDT", Side.SELL, world.broker.held["BTC"])

    result = compare(world)

    assert (result.trades_compared, result.differences) == (2, [])
    assert Fill.objects.count() == 2


def test_it_notes_what_the_exchange_holds_back_for_open_orders(world):
    order = rest(world, "49000")

    compare(world)

    balance = Balance.objects.get(asset="USDT")
    assert (balance.venue_free, balance.venue_locked) == (D("99510"), D("490"))
    assert balance.updated_at > order.updated_at
    world.broker.fill(order.venue_order_id, D("0.01"))
    world.reconcile()
    world.broker.place_foreign("BTCUSDT", Side.SELL, world.broker.held["BTC"])
    world.reconcile()
    nothing = Balance.objects.get(asset="BTC")
    assert (nothing.total, nothing.venue_free, nothing.venue_locked) == (0, 0, 0)


def test_what_a_person_accepts_is_entered_by_the_difference_of_each_asset(world):
    place(world)
    world.broker.held["USDT"] += D(500)
    world.broker.held["BTC"] -= D("0.001")
    before = LedgerEntry.objects.count()

    result = compare(world, accept_external="moved by hand")

    assert result.differences == []
    rows = LedgerEntry.objects.order_by("pk")[before:]
    assert [(row.asset, row.change, row.kind, row.reason) for row in rows] == [
        ("BTC", D("-0.001"), "EXTERNAL", "moved by hand"),
        ("USDT", D("500"), "EXTERNAL", "moved by hand"),
    ]
    assert compare(world).differences == []
    world.unsound = "the position was moved away"


def test_the_reason_of_a_deposit_is_cut_to_what_its_column_holds(world):
    world.broker.held["BTC"] += D(4)

    for _ in range(2):
        now = world.clock.now()
        enter_external(
            account=world.account, changes={"BTC": D(2)}, reason="r" * 300, clock=world.clock
        )

    entry, balance = LedgerEntry.objects.latest("pk"), Balance.objects.get(asset="BTC")
    assert entry.reason == "r" * 200
    assert entry.timestamp > now
    assert (balance.total, balance.updated_at) == (D(4), entry.timestamp)

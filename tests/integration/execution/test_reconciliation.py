"""Books equal to the last unit, or red."""

from decimal import Decimal

import pytest

from alerts.models import Alert
from execution.domain.order import Side
from execution.models import Balance, Fill, LedgerEntry, Order, Position, TradeCursor
from execution.services.orders import place_orders
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

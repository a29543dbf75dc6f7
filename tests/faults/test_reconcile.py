"""What the exchange tells is old, bent or of another world: FI-39, FI-47, FI-52, FI-59 to FI-70."""

import re
import signal

import pytest

from alerts.models import Alert
from execution.domain.order import OrderType, Side, TimeInForce
from execution.models import Order, Position
from execution.services.completing import record_live
from execution.services.guarding import Guardian
from execution.services.orders import ManualOrder, close_position, place_manual_order
from execution.services.replacing import Changes, replace_order
from markets.models import Instrument
from markets.selectors import get_rules_by_symbol
from risk.domain.trading_state import Level
from risk.models import TradingState
from risk.services.trading_state import read_state
from tests.faults.conftest import wait_until
from tests.faults.memory import PRICES
from tests.floor import D

BURST = 5000


def test_fi39_a_reply_about_somebody_elses_order_is_no_evidence(cell):
    proxy = cell.proxy(int(cell.url.rsplit(":", 1)[1]))
    proxy.bend = lambda reply: re.sub(rb'("clientOrderId":")(.)', rb"\1Z", reply)
    through = {"SIM_URL": f"http://127.0.0.1:{proxy.port}"}

    cell.run("place", [cell.decide("BTCUSDT").pk], **through)

    assert cell.entry().state == "UNKNOWN"
    assert cell.entry().filled_quantity == 0
    cell.guard()
    cell.come_to_rest()
    assert cell.entry().state == "FILLED"
    assert len(cell.posts(cell.entry().client_order_id)) == 1


def test_fi47_a_filter_changes_between_approval_and_send(cell):
    old = cell.call("GET", "/api/v3/exchangeInfo?symbol=ADAUSDT")["symbols"][0]["filters"]
    coarse = {"filterType": "LOT_SIZE", "stepSize": "1000", "minQty": "1000"}
    cell.call("POST", "/_sim/symbol", {"symbol": "ADAUSDT", "filters": [coarse]})
    try:
        cell.run("place", [cell.decide("ADAUSDT").pk])
    finally:
        cell.call("POST", "/_sim/symbol", {"symbol": "ADAUSDT", "filters": old})

    first, *others = Order.objects.filter(leg="ENTRY").order_by("pk")
    assert (first.state, first.reason) == ("REJECTED", "VENUE_1013")
    assert Instrument.objects.get(symbol="ADAUSDT").step_size == 1000
    # Planned again once, by the new rules, before the same gate; or denied by it.
    assert [order.state for order in others] in (["FILLED"], ["DENIED"])
    assert all(order.quantity % 1000 == 0 for order in others)
    cell.guard()


@pytest.mark.parametrize("is_done", [True, False], ids=["both", "neither"])
def test_fi51_a_replacement_whose_halves_the_reply_leaves_open(cell, is_done):
    old = cell.rest()
    rule = {"match": {"method": "POST", "path": "/api/v3/order/cancelReplace"}, "fault": "http"}
    told = {"status": 409, "code": -2021, "msg": "Order cancel-replace partially failed."}
    cell.call("POST", "/_sim/faults", [{**rule, **told, "accepted": is_done, "times": 1}])
    rules = get_rules_by_symbol("BTCUSDT")

    new = replace_order(
        account_id=cell.account.pk,
        order_id=old.pk,
        changes=Changes(price=rules.quantize_price(cell.quote("BTCUSDT") * D("0.984"), "BUY")),
        idempotency_key="another price",
        actor="tester",
        reason="the cell",
        broker=cell.broker,
        clock=cell.clock,
    )
    cell.guard()
    cell.come_to_rest()

    old.refresh_from_db()
    new.refresh_from_db()
    wanted = ("CANCELED", "NEW") if is_done else ("NEW", "NOT_ACCEPTED")
    assert (old.state, new.state) == wanted
    resting = [row for row in cell.ledger()["orders"] if row["status"] == "NEW"]
    assert len(resting) == 1


def test_fi53_the_part_of_an_entry_that_filled_is_protected(memory):
    floor, market = memory.floor, memory.wire.line.market
    decision = floor.decide("BTCUSDT")
    market.thin("BTCUSDT", D("0.005"))  # no more than this is offered

    floor.place(decision)

    entry = Order.objects.get(leg="ENTRY")
    assert 0 < entry.filled_quantity < entry.quantity
    held = Position.objects.get().quantity
    assert 0 < held <= entry.filled_quantity
    pair = Order.objects.get(leg="PROTECT")
    assert (pair.state, pair.quantity) == (
        "NEW",
        get_rules_by_symbol("BTCUSDT").quantize_quantity(held),
    )
    assert memory.findings() == []


def test_fi53_an_entry_with_a_bracket_that_fills_in_part_is_protected_by_ours(memory):
    floor, market = memory.floor, memory.wire.line.market
    rules = get_rules_by_symbol("BTCUSDT")
    price = rules.quantize_price(floor.quote("BTCUSDT") * D("0.985"), "BUY")
    stop, target = price * D("0.97"), price * D("1.04")
    entry = place_manual_order(
        account_id=floor.account.pk,
        wanted=ManualOrder(
            symbol="BTCUSDT",
            side=Side.BUY,
            type=OrderType.LIMIT,
            quantity=D("0.01"),
            price=price,
            time_in_force=TimeInForce.GTC,
            stop_loss_price=stop,
            take_profit_price=target,
        ),
        idempotency_key="in part",
        actor="tester",
        broker=floor.broker,
        clock=floor.clock,
    )
    guardian = Guardian(
        account_id=floor.account.pk, broker=floor.broker, clock=floor.clock, pause=lambda _s: None
    )
    market.set_price("BTCUSDT", price, D("0.004"))

    for _ in range(3):
        floor.clock.advance(2)
        guardian.run_round()

    entry.refresh_from_db()
    assert (entry.state, entry.filled_quantity) == ("CANCELED", D("0.004"))
    waiting, own = Order.objects.filter(leg="PROTECT").order_by("pk")
    assert (waiting.state, waiting.working) == ("CANCELED", entry)
    held = rules.quantize_quantity(Position.objects.get().quantity)
    assert (own.state, own.quantity, own.stop_price, own.price) == ("NEW", held, stop, target)
    assert memory.findings() == []


def test_fi52_our_own_order_stands_in_the_way_and_expires(memory):
    floor, line = memory.floor, memory.wire.line
    floor.place(floor.decide("BTCUSDT"))
    floor.quote("BTCUSDT")
    order = place_manual_order(
        account_id=floor.account.pk,
        wanted=ManualOrder(
            symbol="BTCUSDT",
            side=Side.BUY,
            type=OrderType.LIMIT,
            quantity=D("0.01"),
            price=PRICES["BTCUSDT"],  # between the best prices
            time_in_force=TimeInForce.GTC,
        ),
        idempotency_key="in the way",
        actor="tester",
        broker=floor.broker,
        clock=floor.clock,
    )
    assert order.state == "NEW"

    close_position(
        account_id=floor.account.pk,
        symbol="BTCUSDT",
        actor="tester",
        broker=floor.broker,
        clock=floor.clock,
    )
    floor.reconcile()

    order.refresh_from_db()
    told = {one.client_order_id: one.status for one in line.exchange.ledger.orders.values()}
    assert told[order.client_order_id] == "EXPIRED_IN_MATCH"
    assert (order.state, order.reserved_quantity, order.filled_quantity) == ("EXPIRED", 0, 0)
    assert Order.objects.get(leg="EXIT").state == "FILLED"
    assert memory.findings() == []


def test_fi59_a_burst_of_events_hides_no_fill(cell):
    stream = cell.start("stream_user_data")
    wait_until(lambda: "connected" in stream.output(), what="stream")
    order = cell.rest(share="0.999")
    stream.send(signal.SIGSTOP)  # it cannot keep up
    number = next(
        account["account"]
        for account in cell.call("GET", "/_sim/ledger?requests=0")["accounts"]
        if account["key"] == cell.api_key
    )
    for count in range(BURST // 2):
        move = {"account": number, "asset": "USDT", "quantity": "1" if count % 2 else "-1"}
        cell.call("POST", "/_sim/account", move)
    fallen = (cell.price("BTCUSDT") * D("0.997")).quantize(D("1"))
    cell.call("POST", "/_sim/price", {"symbol": "BTCUSDT", "price": str(fallen)})

    stream.send(signal.SIGCONT)
    wait_until(lambda: Order.objects.get(pk=order.pk).state == "FILLED", what="booked fill")

    cell.guard()


def test_fi68_an_older_view_takes_nothing_back(cell):
    order = cell.rest(share="0.985")
    name = order.client_order_id
    older = cell.broker.query("BTCUSDT", name)
    fallen = (cell.price("BTCUSDT") * D("0.98")).quantize(D("1"))
    cell.call("POST", "/_sim/price", {"symbol": "BTCUSDT", "price": str(fallen)})
    stream = cell.start("stream_user_data")
    wait_until(lambda: Order.objects.get(pk=order.pk).state == "FILLED", what="fill")
    stream.kill()
    before = _told_of(order)

    record_live(account_id=cell.account.pk, reports=[older], broker=cell.broker, clock=cell.clock)

    assert _told_of(order) == before
    assert older.filled_quantity == 0
    assert older.side is Side.BUY
    cell.guard()


def _told_of(order: Order) -> dict[str, object]:
    """Return the order's row without the time of its last look."""
    row = Order.objects.values().get(pk=order.pk)
    return {name: value for name, value in row.items() if name != "updated_at"}


def test_fi70_the_exchange_begins_anew_with_nothing_of_ours(cell):
    cell.run("place", [cell.decide("BTCUSDT").pk])
    cell.rest("ETHUSDT")
    fresh = {"key": f"{cell.api_key}-fresh", "secret": "fresh", "balances": {"USDT": "10000"}}
    cell.call("POST", "/_sim/account", fresh)
    number = next(
        account["account"]
        for account in cell.call("GET", "/_sim/ledger?requests=0")["accounts"]
        if account["key"] == fresh["key"]
    )

    cell.guard(BINANCE_API_KEY=fresh["key"], BINANCE_API_SECRET=fresh["secret"])
    wait_until(lambda: read_state().level is Level.HALT, what="halt")

    assert "wiped" in TradingState.objects.get(scope="GLOBAL").reason
    assert Alert.objects.filter(code="RECONCILE_MISMATCH", severity="CRITICAL").exists()
    cell.decide("BNBUSDT")
    wait_until(
        lambda: Order.objects.filter(state="DENIED", reason="STATE_LEVEL").exists(), what="denial"
    )
    whole = cell.call("GET", "/_sim/ledger")
    assert [row for row in whole["orders"] if row["account"] == number] == []


@pytest.fixture(autouse=True)
def _rules_as_they_were():
    from markets.selectors import forget_rules

    yield
    forget_rules()

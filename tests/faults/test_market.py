"""What the market, the stream and other people do to our orders: FI-49 to FI-61."""

import pytest

from alerts.models import Alert
from execution.domain.order import OrderType, Side, TimeInForce
from execution.domain.request import CancelRequest, OrderRequest, digest
from execution.models import Fill, Order, Position, Reconciliation
from markets.selectors import get_rules_by_symbol
from risk.domain.trading_state import Level
from risk.services.trading_state import read_state
from tests.faults.conftest import wait_until
from tests.floor import D


def _buy_at_the_ask(cell):
    """Ask for more than the best ask has; return the order if the market had not moved away."""
    rules = get_rules_by_symbol("BTCUSDT")
    ask = D(cell.call("GET", "/api/v3/ticker/bookTicker?symbol=BTCUSDT")["askPrice"])
    cell.quote("BTCUSDT")
    order = cell.by_hand(
        symbol="BTCUSDT",
        type=OrderType.LIMIT,
        quantity=rules.quantize_quantity(D("400000") / ask),
        price=ask,
        time_in_force=TimeInForce.IOC,
    )
    return order if order.filled_quantity else None


def test_fi49_a_part_is_filled_and_the_rest_expires(cell):
    order = wait_until(lambda: _buy_at_the_ask(cell), what="order that meets the ask")
    cell.guard()
    cell.come_to_rest()

    order.refresh_from_db()
    assert order.state == "EXPIRED"
    assert 0 < order.filled_quantity < order.quantity
    pair = Order.objects.get(leg="PROTECT", state="NEW")
    rules = get_rules_by_symbol("BTCUSDT")
    assert pair.quantity == rules.quantize_quantity(cell.position().quantity)


def test_fi50_a_fill_races_the_cancel(cell):
    order = cell.rest(share="0.999")
    fallen = (cell.price("BTCUSDT") * D("0.997")).quantize(D("1"))
    cell.call("POST", "/_sim/price", {"symbol": "BTCUSDT", "price": str(fallen)})
    wait_until(lambda: cell.ledger()["trades"], what="fill")

    cell.run("cancel", [order.pk])

    order.refresh_from_db()
    assert order.state == "FILLED"
    cell.guard()


def test_fi53_while_none_of_us_lives_the_exchange_protects_what_it_filled(cell):
    cell.ready_guard()
    stream = cell.start("stream_user_data")
    wait_until(lambda: "connected" in stream.output(), what="stream")
    entry = cell.rest(has_bracket=True)
    assert cell.pairs() == ["PENDING_NEW"]
    for actor in cell.actors:
        actor.kill()  # the power is cut

    fallen = (cell.price("BTCUSDT") * D("0.98")).quantize(D("1"))
    cell.call("POST", "/_sim/price", {"symbol": "BTCUSDT", "price": str(fallen)})
    wait_until(lambda: _resting_stops(cell), what="stop at the exchange")
    entry.refresh_from_db()
    assert (entry.state, cell.pairs()) == ("NEW", ["PENDING_NEW"])  # nobody has booked anything

    cell.ready_guard()
    cell.come_to_rest()

    entry.refresh_from_db()
    pair = Order.objects.get(leg="PROTECT")
    assert (entry.state, pair.state) == ("FILLED", "NEW")
    assert pair.position == cell.position()
    assert pair.quantity == get_rules_by_symbol("BTCUSDT").quantize_quantity(
        cell.position().quantity
    )
    assert Reconciliation.objects.latest("pk").is_green
    posts = [row["path"] for row in cell.ledger()["requests"] if row["method"] == "POST"]
    assert len(cell.posts(pair.client_order_id)) == 1
    assert len(_resting_stops(cell)) == 1, posts


def _resting_stops(cell):
    rows = cell.ledger()["orders"]
    return [row for row in rows if row["type"] == "STOP_LOSS" and row["status"] == "NEW"]


def test_fi55_the_commission_makes_what_was_bought_too_little_to_sell(cell):
    cell.run("place", [cell.decide("BTCUSDT").pk])
    cell.guard()
    cell.come_to_rest()

    bought, held = cell.entry().filled_quantity, cell.position().quantity
    rules = get_rules_by_symbol("BTCUSDT")
    assert held < bought
    assert Order.objects.get(leg="PROTECT").quantity == rules.quantize_quantity(held)


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "dup_event", "times": 0},
        {"fault": "reorder_events", "times": 0},
        {"fault": "drop_event", "times": 3},
        {"fault": "mute_stream", "ms": 60000},
    ],
    ids=["fi56 repeated", "fi56 swapped", "fi56 lost", "fi57 mute"],
)
def test_events_that_come_twice_late_or_never_change_nothing(cell, fault):
    stream = cell.start("stream_user_data")
    wait_until(lambda: "connected" in stream.output(), what="stream")
    match = {} if fault["fault"] == "mute_stream" else {"event": "executionReport"}
    cell.call("POST", "/_sim/faults", [{"match": match, **fault}])
    cell.run("place", [cell.decide("BTCUSDT").pk])
    fallen = (cell.price("BTCUSDT") * D("0.95")).quantize(D("1"))
    cell.call("POST", "/_sim/price", {"symbol": "BTCUSDT", "price": str(fallen)})

    cell.guard()
    wait_until(lambda: cell.position().status == "closed", what="closed position")

    assert Fill.objects.count() == len(cell.ledger()["trades"])


def test_fi58_the_stream_is_cut(cell):
    stream = cell.start("stream_user_data")
    wait_until(lambda: "connected" in stream.output(), what="stream")
    order = cell.rest(share="0.999")
    cell.call("POST", "/_sim/faults", [{"fault": "cut_streams"}])
    fallen = (cell.price("BTCUSDT") * D("0.997")).quantize(D("1"))
    cell.call("POST", "/_sim/price", {"symbol": "BTCUSDT", "price": str(fallen)})

    wait_until(
        lambda: Order.objects.get(pk=order.pk).state == "FILLED", what="fill after reconnecting"
    )
    cell.guard()


def test_fi61_somebody_cancels_our_stop(cell):
    cell.run("place", [cell.decide("BTCUSDT").pk])
    name = Order.objects.get(leg="PROTECT").client_order_id
    request = CancelRequest(symbol="BTCUSDT", client_order_id=name, is_list=True)
    cell.broker.cancel(
        request, request_sha256=digest(request.parameters()), signed_at=cell.clock.now()
    )

    cell.guard()
    wait_until(lambda: cell.pairs() == ["CANCELED", "NEW"], what="new pair")


def test_fi61_somebody_trades_beside_us(cell):
    cell.run("place", [cell.decide("BTCUSDT").pk])
    request = OrderRequest(
        symbol="ETHUSDT",
        side=Side.BUY,
        type=OrderType.MARKET,
        quantity=D("0.1"),
        client_order_id="by-hand-1",
    )
    cell.broker.submit(
        request, request_sha256=digest(request.parameters()), signed_at=cell.clock.now()
    )

    cell.guard()
    wait_until(lambda: Order.objects.filter(leg="EXTERNAL").exists(), what="external order")

    assert Position.objects.get().symbol == "BTCUSDT"
    assert Alert.objects.filter(code="EXTERNAL_ORDER").exists()


def test_fi61_fi69_a_deposit_of_one_unit_is_seen_and_closes_the_door(cell):
    number = next(
        a["account"]
        for a in cell.call("GET", "/_sim/ledger")["accounts"]
        if a["key"] == cell.api_key
    )
    cell.call(
        "POST",
        "/_sim/account",
        {"account": number, "asset": "USDT", "quantity": "0.00000001"},
    )
    cell.expected_findings = ("balance:USDT",)

    cell.guard()
    wait_until(lambda: Reconciliation.objects.filter(is_green=False).exists(), what="red row")

    wait_until(lambda: read_state().level is Level.REDUCE_ONLY, what="closed door")
    assert Alert.objects.filter(code="RECONCILE_MISMATCH").exists()

from decimal import Decimal

import pytest

from simexchange.errors import ApiError
from tests.fakes.sim_exchange import Desk


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_it_walks_the_ladder_and_takes_the_fee_from_what_is_received(desk: Desk) -> None:
    order = desk.place("BUY", quantity="15")

    assert [(f.price, f.quantity) for f in order.fills] == [(101, 10), (102, 5)]
    assert order.status == "FILLED"
    assert order.quote_executed == 101 * 10 + 102 * 5
    assert desk.held("BTC") == (Decimal(1_000) + Decimal("14.985"), 0)
    assert desk.held("USDT") == (Decimal(1_000_000) - 1_520, 0)


def test_it_expires_what_the_book_cannot_give_a_market_order(desk: Desk) -> None:
    order = desk.place("SELL", quantity="31")

    assert order.executed == 30
    assert (order.status, order.expiry_reason) == ("EXPIRED", "INSUFFICIENT_LIQUIDITY")
    assert desk.told() == [
        "NEW NEW",
        "TRADE PARTIALLY_FILLED",
        "TRADE PARTIALLY_FILLED",
        "TRADE PARTIALLY_FILLED",
        "EXPIRED EXPIRED",
        "outboundAccountPosition",
    ]


def test_it_spends_no_more_than_the_quote_quantity(desk: Desk) -> None:
    order = desk.place("BUY", quote_quantity="1020")

    assert order.quantity == order.executed == Decimal("10.09803")
    assert order.quote_executed <= 1020
    assert 1020 - order.quote_executed < 102 * Decimal("0.00001")


def test_it_refuses_what_the_account_cannot_pay(desk: Desk) -> None:
    desk.account.balance("USDT").free = Decimal(1_000)

    with pytest.raises(ApiError) as refusal:
        desk.place("BUY", quantity="10")

    assert refusal.value.code == -2010
    assert refusal.value.msg == "Account has insufficient balance for requested action."
    assert desk.ledger.orders == {}
    assert desk.events == []


def test_it_locks_a_resting_order_and_gives_back_the_price_improvement(desk: Desk) -> None:
    order = desk.place("BUY", "LIMIT", quantity="15", price="101.50")

    assert (order.status, order.executed) == ("PARTIALLY_FILLED", 10)
    assert desk.held("USDT")[1] == Decimal("101.50") * 5
    assert desk.held("USDT")[0] == Decimal(1_000_000) - 1_010 - Decimal("507.5")


def test_it_fills_a_resting_order_when_the_tape_goes_through_its_price(desk: Desk) -> None:
    order = desk.place("BUY", "LIMIT", quantity="3", price="98.50")

    desk.market.print("98.40", "0.1")

    assert order.status == "FILLED"
    assert [(f.price, f.is_maker) for f in order.fills] == [(Decimal("98.50"), True)]
    assert desk.held("USDT")[1] == 0


def test_it_waits_in_the_queue_at_its_price(desk: Desk) -> None:
    order = desk.place("BUY", "LIMIT", quantity="3", price="99")
    assert order.queue_ahead == 10

    desk.market.print("99", "8")
    before = order.executed
    desk.market.print("99", "4")
    after = order.executed
    desk.market.print("99", "5")

    assert (before, after) == (0, 2)
    assert order.status == "FILLED"


def test_it_does_not_fill_a_bid_by_a_buyer_at_its_price(desk: Desk) -> None:
    order = desk.place("BUY", "LIMIT", quantity="3", price="99.50")

    desk.market.print("99.50", "50", seller_hits=False)

    assert order.executed == 0


@pytest.mark.parametrize(
    ("time_in_force", "executed", "reason"),
    [
        ("IOC", 10, "UNFILLED_IOC_QUANTITY_EXPIRED"),
        ("FOK", 0, "UNFILLED_FOK_ORDER_EXPIRED"),
    ],
)
def test_it_expires_what_may_not_rest(
    desk: Desk, time_in_force: str, executed: int, reason: str
) -> None:
    order = desk.place("BUY", "LIMIT", quantity="12", price="101", time_in_force=time_in_force)

    assert (order.executed, order.status, order.expiry_reason) == (executed, "EXPIRED", reason)
    assert desk.held("USDT")[1] == 0


def test_it_refuses_a_maker_that_would_take(desk: Desk) -> None:
    with pytest.raises(ApiError) as refusal:
        desk.place("BUY", "LIMIT_MAKER", quantity="1", price="101")

    assert (refusal.value.code, refusal.value.msg) == (
        -2010,
        "Order would immediately match and take.",
    )


@pytest.mark.parametrize(
    ("side", "kind", "stop", "quiet", "trigger"),
    [
        ("SELL", "STOP_LOSS", "95", "95.01", "95"),
        ("BUY", "STOP_LOSS", "105", "104.99", "105"),
        ("SELL", "TAKE_PROFIT", "105", "104.99", "105"),
        ("BUY", "TAKE_PROFIT", "95", "95.01", "95"),
    ],
)
def test_it_sets_a_stop_off_at_its_price(
    desk: Desk, side: str, kind: str, stop: str, quiet: str, trigger: str
) -> None:
    order = desk.place(side, kind, quantity="1", stop_price=stop)
    asset = "BTC" if side == "SELL" else "USDT"
    assert not order.is_working
    assert desk.held(asset)[1] > 0

    desk.market.print(quiet)
    still = order.status
    desk.market.print(trigger)

    assert still == "NEW"
    assert order.is_working
    assert order.status == "FILLED" or order.executed > 0
    assert desk.held(asset)[1] == 0


def test_it_refuses_a_stop_that_is_already_true(desk: Desk) -> None:
    with pytest.raises(ApiError) as refusal:
        desk.place("SELL", "STOP_LOSS", quantity="1", stop_price="100")

    assert refusal.value.msg == "Order would trigger immediately."


def test_it_sets_stops_off_by_a_users_own_trade(desk: Desk) -> None:
    stop = desk.place("SELL", "STOP_LOSS", quantity="1", stop_price="98")

    desk.place("SELL", quantity="15")

    assert stop.status == "FILLED"


def test_it_matches_two_users_and_expires_own_makers(desk: Desk) -> None:
    other = desk.add_account("2")
    theirs = desk.place("SELL", "LIMIT", quantity="1", price="100.50", account=other)
    own = desk.place("SELL", "LIMIT", quantity="1", price="100.40")

    taker = desk.place("BUY", quantity="2")

    assert theirs.status == "FILLED"
    assert theirs.fills[0].trade_id == taker.fills[0].trade_id
    assert own.status == "EXPIRED_IN_MATCH"
    assert [f.price for f in taker.fills] == [Decimal("100.50"), Decimal(101)]


def test_it_cancels_once(desk: Desk) -> None:
    order = desk.place("BUY", "LIMIT", quantity="1", price="90", client_order_id="mine")
    desk.events.clear()

    desk.exchange.cancel(desk.account, "BTCUSDT", client_id="mine", cancel_id="why")

    report = desk.events[0][1]
    assert (report["x"], report["X"], report["c"], report["C"]) == (
        "CANCELED",
        "CANCELED",
        "why",
        "mine",
    )
    assert desk.told() == ["CANCELED CANCELED", "outboundAccountPosition"]
    assert desk.held("USDT") == (1_000_000, 0)
    with pytest.raises(ApiError) as refusal:
        desk.exchange.cancel(desk.account, "BTCUSDT", order_id=order.order_id)
    assert (refusal.value.code, refusal.value.msg) == (-2011, "Unknown order sent.")


def test_it_refuses_a_client_id_twice_while_open(desk: Desk) -> None:
    desk.place("BUY", "LIMIT", quantity="1", price="90", client_order_id="mine")

    with pytest.raises(ApiError) as refusal:
        desk.place("BUY", "LIMIT", quantity="1", price="90", client_order_id="mine")
    desk.exchange.cancel(desk.account, "BTCUSDT", client_id="mine")
    again = desk.place("BUY", "LIMIT", quantity="1", price="90", client_order_id="mine")

    assert (refusal.value.code, refusal.value.msg) == (-2010, "Duplicate order sent.")
    assert again.is_open


def test_it_never_repeats_an_execution_id(desk: Desk) -> None:
    desk.place("BUY", quantity="15")
    desk.place("SELL", "LIMIT", quantity="1", price="150")

    ids = [event["I"] for _, event in desk.events if event["e"] == "executionReport"]

    assert ids == sorted(set(ids))

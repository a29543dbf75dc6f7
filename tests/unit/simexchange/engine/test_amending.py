from decimal import Decimal

import pytest

from simexchange.engine.finding import find_order
from simexchange.engine.orders import Order
from simexchange.errors import ApiError
from tests.fakes.sim_exchange import Desk, request


@pytest.fixture
def desk() -> Desk:
    return Desk()


def amend(desk: Desk, order: Order, quantity: str, new_id: str = "") -> None:
    desk.exchange.amend(
        desk.account,
        "BTCUSDT",
        order_id=order.order_id,
        client_id="",
        quantity=Decimal(quantity),
        new_client_id=new_id,
    )


def test_it_reduces_in_place_and_gives_the_rest_of_the_lock_back(desk: Desk) -> None:
    order = desk.place("BUY", "LIMIT", quantity="5", price="99", client_order_id="old")
    turn = order.turn
    desk.events.clear()

    amend(desk, order, "2", "new")

    assert (order.quantity, order.turn, order.amends) == (2, turn, 1)
    assert desk.held("USDT") == (1_000_000 - 198, 198)
    report = desk.events[0][1]
    assert (report["x"], report["X"], report["c"], report["C"]) == ("REPLACED", "NEW", "new", "old")
    assert find_order(desk.ledger, desk.account, "BTCUSDT", 0, "new") is order
    with pytest.raises(ApiError):
        find_order(desk.ledger, desk.account, "BTCUSDT", 0, "old")
    (row,) = desk.ledger.amendments[order.order_id]
    assert (row.old_client_id, row.new_client_id) == ("old", "new")
    assert (row.old_quantity, row.new_quantity, row.execution_id) == (5, 2, report["I"])


def test_it_keeps_priority_before_later_orders(desk: Desk) -> None:
    other = desk.add_account("2")
    first = desk.place("SELL", "LIMIT", quantity="5", price="100.50")
    second = desk.place("SELL", "LIMIT", quantity="5", price="100.50")
    amend(desk, first, "1")

    desk.place("BUY", quantity="1.5", account=other)

    assert (first.status, second.executed) == ("FILLED", Decimal("0.5"))


def test_both_legs_of_a_pair_follow(desk: Desk) -> None:
    group = desk.place_list(
        request("SELL", "LIMIT_MAKER", quantity="2", price="110"),
        request("SELL", "STOP_LOSS", quantity="2", stop_price="95"),
    )
    stop, limit = desk.members(group)
    desk.events.clear()

    amend(desk, limit, "1.5")

    assert (stop.quantity, limit.quantity) == (Decimal("1.5"), Decimal("1.5"))
    assert desk.held("BTC") == (Decimal("998.5"), Decimal("1.5"))
    assert (desk.events[-1][1]["e"], desk.events[-1][1]["l"]) == ("listStatus", "UPDATED")


@pytest.mark.parametrize(
    ("quantity", "code", "message"),
    [
        ("5", -2038, "The requested action would change no state; rejecting"),
        ("6", -2038, "Order amend (quantity increase) is not supported."),
        ("0.01", -1013, "Filter failure: NOTIONAL"),
        ("1.000001", -1013, "Filter failure: LOT_SIZE"),
    ],
)
def test_it_refuses_and_leaves_the_order_alone(
    desk: Desk, quantity: str, code: int, message: str
) -> None:
    order = desk.place("BUY", "LIMIT", quantity="5", price="99")
    before = desk.snapshot()

    with pytest.raises(ApiError) as refusal:
        amend(desk, order, quantity)

    assert (refusal.value.code, refusal.value.msg) == (code, message)
    assert desk.snapshot() == before


def test_it_refuses_less_than_what_is_executed(desk: Desk) -> None:
    order = desk.place("BUY", "LIMIT", quantity="5", price="99.50")
    desk.market.print("99.50", "2")

    with pytest.raises(ApiError, match="LOT_SIZE"):
        amend(desk, order, "2")


def test_it_allows_ten_amendments(desk: Desk) -> None:
    order = desk.place("BUY", "LIMIT", quantity="50", price="99")
    for quantity in range(49, 39, -1):
        amend(desk, order, str(quantity))

    with pytest.raises(ApiError) as refusal:
        amend(desk, order, "39")

    assert (refusal.value.code, refusal.value.msg) == (
        -2038,
        "Filter failure: MAX_NUM_ORDER_AMENDS",
    )


def test_it_refuses_ended_orders_and_pending_legs_that_are_paid(desk: Desk) -> None:
    filled = desk.place("BUY", quantity="1")
    group = desk.place_list(
        request("SELL", "LIMIT", price="120"),
        working=request("BUY", "LIMIT", quantity="2", price="99"),
        pays=True,
    )

    with pytest.raises(ApiError, match="Unknown order sent"):
        amend(desk, filled, "0.5")
    with pytest.raises(ApiError, match="pending OPO order"):
        amend(desk, desk.members(group)[1], "1")

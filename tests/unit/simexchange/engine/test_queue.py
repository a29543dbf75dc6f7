"""Price-time priority: between users, behind the ladder, and through icebergs."""

from decimal import Decimal

import pytest

from tests.fakes.sim_exchange import Desk


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.add_account("2")
    return desk


def test_better_price_goes_first_and_then_the_earlier(desk: Desk) -> None:
    late_but_better = {"quantity": "1", "price": "100.40"}
    first = desk.place("SELL", "LIMIT", quantity="1", price="100.50")
    second = desk.place("SELL", "LIMIT", quantity="1", price="100.50")
    better = desk.place("SELL", "LIMIT", **late_but_better)

    desk.place("BUY", quantity="2.5", account=desk.ledger.accounts["2"])

    assert [one.executed for one in (better, first, second)] == [1, 1, Decimal("0.5")]


def test_an_order_waits_for_what_the_ladder_showed_before_it(desk: Desk) -> None:
    other = desk.ledger.accounts["2"]
    order = desk.place("BUY", "LIMIT", quantity="3", price="99")

    desk.place("SELL", quantity="8", account=other)
    after_eight = (order.executed, order.queue_ahead)
    desk.place("SELL", quantity="4", account=other)

    assert after_eight == (0, 2)
    assert order.executed == 2


def test_an_order_inside_the_spread_goes_before_the_ladder_that_comes_later(desk: Desk) -> None:
    order = desk.place("SELL", "LIMIT", quantity="3", price="100.50")
    desk.market.books["SELL"].insert(0, [Decimal("100.50"), Decimal(10)])

    desk.place("BUY", quantity="2", account=desk.ledger.accounts["2"])

    assert order.executed == 2
    assert desk.market.books["SELL"][0][1] == 10


def test_a_triggered_stop_queues_behind_who_was_there(desk: Desk) -> None:
    desk.market.books["SELL"] = [[Decimal(103), Decimal(10)]]
    stop = desk.place("BUY", "STOP_LOSS_LIMIT", quantity="1", price="100.50", stop_price="100.60")
    first = desk.place("BUY", "LIMIT", quantity="1", price="100.50")

    desk.market.print("100.60", "0.1", seller_hits=False)
    desk.place("SELL", quantity="1", account=desk.ledger.accounts["2"])

    assert (first.status, stop.status) == ("FILLED", "NEW")
    assert stop.order_id < first.order_id


def test_an_iceberg_shows_slice_after_slice_and_queues_anew(desk: Desk) -> None:
    other = desk.ledger.accounts["2"]
    iceberg = desk.place("SELL", "LIMIT", quantity="5", price="100.50", iceberg_quantity=Decimal(1))
    plain = desk.place("SELL", "LIMIT", quantity="1", price="100.50")

    desk.place("BUY", quantity="1.5", account=other)
    middle = (iceberg.executed, plain.executed, iceberg.visible)
    desk.place("BUY", quantity="4.5", account=other)

    assert middle == (1, Decimal("0.5"), 1)
    assert (iceberg.status, plain.status) == ("FILLED", "FILLED")


def test_the_tape_meets_only_what_an_iceberg_shows(desk: Desk) -> None:
    iceberg = desk.place("BUY", "LIMIT", quantity="5", price="99.50", iceberg_quantity=Decimal(1))

    desk.market.print("99.50", "3")
    at_price = iceberg.executed
    desk.market.print("99.40", "0.1")

    assert at_price == 1
    assert iceberg.status == "FILLED"


@pytest.mark.parametrize(
    ("side", "kind", "stop", "path", "fires_at"),
    [
        # The FAQ's scenarios A to E, divided by 400.
        ("BUY", "STOP_LOSS", "110", ["92.5", "110", "112.5", "115", "105"], "110.25"),
        ("SELL", "STOP_LOSS", "97.50", ["103.75", "97.50", "92.5", "102.5"], "92.25"),
        ("BUY", "TAKE_PROFIT", "95", ["105", "95", "92.5", "97.5", "95"], "100.37"),
        ("SELL", "TAKE_PROFIT", "105", ["103.75", "97.5", "105", "112.5", "110", "116.25"], "107"),
        ("SELL", "STOP_LOSS", "", ["105", "98.75", "113.75"], "105.78"),
    ],
)
def test_a_trailing_stop_follows_the_best_price(
    desk: Desk, side: str, kind: str, stop: str, path: list[str], fires_at: str
) -> None:
    deltas = {("BUY", "STOP_LOSS"): 500, ("SELL", "STOP_LOSS"): 1000 if stop else 700}
    deltas |= {("BUY", "TAKE_PROFIT"): 850, ("SELL", "TAKE_PROFIT"): 750}
    fields = {"stop_price": stop} if stop else {}
    order = desk.place(side, kind, quantity="1", trailing_delta=deltas[side, kind], **fields)

    for price in path:
        desk.market.print(price, "0.1")
        assert not order.is_working
    desk.market.print(fires_at, "0.1")

    assert order.is_working
    assert order.trailing_ms > 0
    assert order.status == "FILLED"


def test_a_trailing_stop_comes_back_and_still_follows(desk: Desk) -> None:
    order = desk.place("SELL", "STOP_LOSS", quantity="1", trailing_delta=700)
    desk.market.print("110", "0.1")

    revived = Desk(ledger=desk.ledger)
    revived.market.print("102.29", "0.1")

    assert order.status == "FILLED"


def test_makers_that_go_beyond_an_order_fill_it_at_its_price(desk: Desk) -> None:
    order = desk.place("SELL", "LIMIT", quantity="2", price="100")

    taken = desk.market.quote("BUY", "100.5")

    assert taken == 0
    assert order.status == "FILLED"
    assert [(fill.price, fill.is_maker) for fill in order.fills] == [(Decimal(100), True)]


def test_makers_at_an_orders_price_fill_as_much_as_they_have(desk: Desk) -> None:
    order = desk.place("BUY", "LIMIT", quantity="2", price="100")

    taken = [desk.market.quote("SELL", "100", "0.5"), desk.market.quote("SELL", "100", "5")]

    assert taken == [Decimal("0.5"), Decimal("1.5")]
    assert order.status == "FILLED"


def test_a_quote_is_no_trade_that_sets_stops_off(desk: Desk) -> None:
    stop = desk.place("SELL", "STOP_LOSS", quantity="1", stop_price="99.5")

    desk.market.quote("SELL", "99.2")

    assert stop.status == "NEW"
    assert stop.waits_for_stop


def test_two_orders_wait_for_the_same_depth_only_once(desk: Desk) -> None:
    other = desk.ledger.accounts["2"]
    orders = [desk.place("BUY", "LIMIT", quantity="1", price="99") for _ in range(2)]
    taken = len(desk.market.consumed)

    sold = desk.place("SELL", quantity="12", account=other)

    assert [order.executed for order in orders] == [1, 1]
    assert sold.status == "FILLED"
    assert [trade.quantity for trade in desk.market.consumed[taken:]] == [10, 1, 1]

"""Self-trade prevention, after the scenarios of the documentation's FAQ."""

from decimal import Decimal

import pytest

from simexchange.engine import views
from simexchange.engine.orders import Order
from tests.fakes.sim_exchange import Desk


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.market.books = {"BUY": [], "SELL": []}
    return desk


def bid(desk: Desk, quantity: str, price: str, **more: object) -> Order:
    return desk.place("BUY", "LIMIT", quantity=quantity, price=price, stp_mode="NONE", **more)


def test_none_lets_them_trade(desk: Desk) -> None:
    maker = bid(desk, "1", "100")
    taker = desk.place("SELL", "LIMIT", quantity="1", price="100", stp_mode="NONE")

    assert (maker.status, taker.status) == ("FILLED", "FILLED")
    assert desk.ledger.prevented == []


def test_expire_maker_clears_the_book_and_rests(desk: Desk) -> None:
    makers = [bid(desk, q, p) for q, p in (("1.2", "102"), ("1.3", "101"), ("8.1", "100"))]
    taker = desk.place("SELL", "LIMIT", quantity="3", price="100", stp_mode="EXPIRE_MAKER")

    assert [one.status for one in makers] == ["EXPIRED_IN_MATCH"] * 3
    assert (taker.status, taker.executed) == ("NEW", 0)
    assert [
        (one.match_id, one.maker_order_id, one.price, one.maker_quantity, one.taker_quantity)
        for one in desk.ledger.prevented
    ] == [
        (0, makers[0].order_id, 102, Decimal("1.2"), 0),
        (1, makers[1].order_id, 101, Decimal("1.3"), 0),
        (2, makers[2].order_id, 100, Decimal("8.1"), 0),
    ]
    shown = views.query(makers[1])
    assert (shown["preventedMatchId"], shown["preventedQuantity"]) == (1, "1.30000000")
    assert desk.held("USDT") == (1_000_000, 0)


def test_expire_taker_leaves_the_book_alone(desk: Desk) -> None:
    maker = bid(desk, "1.2", "102")
    taker = desk.place("SELL", "LIMIT", quantity="3", price="100", stp_mode="EXPIRE_TAKER")

    assert (maker.status, taker.status) == ("NEW", "EXPIRED_IN_MATCH")
    assert taker.prevented == 3
    assert desk.held("BTC") == (1_000, 0)


def test_expire_both_ends_both(desk: Desk) -> None:
    maker = bid(desk, "1", "100")
    taker = desk.place("SELL", "LIMIT", quantity="3", price="100", stp_mode="EXPIRE_BOTH")

    assert (maker.status, taker.status) == ("EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH")
    (match,) = desk.ledger.prevented
    assert (match.taker_quantity, match.maker_quantity) == (3, 1)


def test_a_market_taker_expires_for_want_of_liquidity(desk: Desk) -> None:
    maker = bid(desk, "1", "100")
    taker = desk.place("SELL", "MARKET", quantity="1", stp_mode="EXPIRE_MAKER")

    assert maker.status == "EXPIRED_IN_MATCH"
    assert (taker.status, taker.expiry_reason) == ("EXPIRED", "INSUFFICIENT_LIQUIDITY")
    assert taker.prevented == 0


def test_decrement_takes_the_smaller_from_both(desk: Desk) -> None:
    maker = bid(desk, "6", "100")
    desk.events.clear()
    taker = desk.place("SELL", "LIMIT", quantity="2", price="100", stp_mode="DECREMENT")

    assert (maker.status, maker.prevented, maker.remaining) == ("NEW", 2, 4)
    assert (taker.status, taker.prevented) == ("EXPIRED_IN_MATCH", 2)
    assert desk.held("USDT") == (1_000_000 - 400, 400)
    assert desk.told()[:3] == [
        "NEW NEW",
        "TRADE_PREVENTION NEW",
        "TRADE_PREVENTION EXPIRED_IN_MATCH",
    ]
    report = desk.events[1][1]
    assert (report["v"], report["A"], report["B"]) == (0, "2.00000000", "2.00000000")
    assert (report["U"], report["pL"], report["pl"]) == (
        taker.order_id,
        "100.00000000",
        "2.00000000",
    )


def test_transfer_moves_funds_within_a_trade_group_without_commission(desk: Desk) -> None:
    other = desk.add_account("2")
    desk.account.trade_group = other.trade_group = 1
    maker = desk.place("BUY", "LIMIT", quantity="6", price="100", stp_mode="TRANSFER")
    taker = desk.place(
        "SELL", "LIMIT", quantity="2", price="100", stp_mode="TRANSFER", account=other
    )

    assert (maker.status, taker.status) == ("NEW", "EXPIRED_IN_MATCH")
    assert desk.held("BTC") == (1_002, 0)
    assert desk.held("USDT") == (1_000_000 - 600, 400)
    assert (other.balance("BTC").free, other.balance("USDT").free) == (998, 1_000_200)
    assert desk.ledger.prevented[0].mode == "TRANSFER"


def test_transfer_against_another_mode_only_decrements(desk: Desk) -> None:
    other = desk.add_account("2")
    desk.account.trade_group = other.trade_group = 1
    bid(desk, "6", "100")
    desk.place("SELL", "LIMIT", quantity="2", price="100", stp_mode="TRANSFER", account=other)

    assert desk.held("BTC") == (1_000, 0)
    assert desk.ledger.prevented[0].mode == "DECREMENT"


def test_strangers_trade_whatever_the_mode(desk: Desk) -> None:
    other = desk.add_account("2")
    maker = bid(desk, "1", "100")
    desk.place("SELL", "LIMIT", quantity="1", price="100", stp_mode="EXPIRE_BOTH", account=other)

    assert maker.status == "FILLED"


def test_it_refuses_a_mode_the_symbol_does_not_allow(desk: Desk) -> None:
    desk.exchange.change_symbol("BTCUSDT", {"allowedSelfTradePreventionModes": ["EXPIRE_MAKER"]})

    with pytest.raises(Exception, match="does not allow the specified self-trade prevention mode"):
        bid(desk, "1", "100")

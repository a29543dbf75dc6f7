"""What counts as held, promised and pending, and how an approved order adds to it."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from risk.domain.snapshot import RecentOrder, SymbolExposure, count_algo_orders, count_orders
from tests.unit.risk.domain.builders import (
    NOW,
    make_entry,
    make_exit,
    make_exposure,
    make_holding,
    make_portfolio,
    make_protection,
    make_reference,
)

D = Decimal
FEE = D("0.001")
BUSY = make_holding(
    pending_buy_quantity=D("0.01"),
    pending_buy_notional=D(500),
    pending_exit_quantity=D("0.003"),
    protective_quantity=D("0.004"),
    open_orders=3,
    open_algo_orders=1,
)


def pending(exposure: SymbolExposure) -> tuple:
    return (
        exposure.pending_buy_quantity,
        exposure.pending_buy_notional,
        exposure.pending_exit_quantity,
        exposure.protective_quantity,
        exposure.open_orders,
        exposure.open_algo_orders,
    )


@pytest.mark.parametrize(
    ("proposal", "expected"),
    [
        (make_entry(), ("0.03", 1500, "0.003", "0.004", 4, 1)),
        (
            make_entry(type="STOP_LOSS_LIMIT", stop_price=D(50000)),
            ("0.03", 1500, "0.003", "0.004", 4, 2),
        ),
        (make_exit(), ("0.01", 500, "0.023", "0.004", 4, 1)),
        (make_protection(), ("0.01", 500, "0.003", "0.024", 5, 2)),
    ],
)
def test_an_approved_order_counts_as_live(proposal, expected) -> None:
    after = make_portfolio(BUSY).including(proposal, fee_fraction=FEE)

    assert pending(after.exposures[1]) == tuple(D(number) for number in expected)
    assert after.exposures[1].position_quantity == D("0.02")


def test_a_buy_reserves_its_notional_and_fee_and_a_sale_nothing() -> None:
    portfolio = make_portfolio(BUSY, reserved_quote=D(100))

    bought = portfolio.including(make_entry(), fee_fraction=FEE)
    sold = portfolio.including(make_exit(), fee_fraction=FEE)

    assert (bought.reserved_quote, bought.available_quote) == (D(1101), D(18899))
    assert (sold.reserved_quote, sold.available_quote) == (D(100), D(19900))


def test_a_reservation_keeps_every_digit() -> None:
    wide = make_entry(quantity=D("12345678901.123456789012345678"), price=D("1.000000000000000001"))

    after = make_portfolio().including(
        make_entry(quantity=wide.quantity, price=wide.price, references=(make_reference("1"),)),
        fee_fraction=D(0),
    )

    assert after.reserved_quote == D("12345678901.123456801358024579123456789012345678")


def test_an_approved_order_is_remembered_and_leaves_the_others_alone() -> None:
    other = make_exposure(instrument_id=2, symbol="ETHUSDT", open_orders=4)
    earlier = RecentOrder(
        instrument_id=2,
        strategy_id=None,
        side="SELL",
        quantity=D(1),
        price=None,
        created_at=NOW - timedelta(seconds=3),
    )
    before = make_portfolio(other, live_keys=frozenset({"k"}), recent_orders=(earlier,))

    after = before.including(make_entry(), fee_fraction=FEE)

    assert after.exposures[2] is other
    assert (after.exposures[1].instrument_id, after.exposures[1].symbol) == (1, "BTCUSDT")
    assert after.open_orders == 5
    assert after.live_keys == {"k", "1:ENTRY:1"}
    assert after.recent_orders == (
        earlier,
        RecentOrder(
            instrument_id=1,
            strategy_id=3,
            side="BUY",
            quantity=D("0.02"),
            price=D(50000),
            created_at=NOW,
        ),
    )
    assert before.recent_orders == (earlier,)


@pytest.mark.parametrize(
    ("held", "bought", "exposed"),
    [("0", "0", False), ("1e-18", "0", True), ("0", "1e-18", True), ("1", "1", True)],
)
def test_a_symbol_is_exposed_by_what_is_held_or_may_be(held, bought, exposed) -> None:
    exposure = make_exposure(position_quantity=D(held), pending_buy_quantity=D(bought))

    assert exposure.has_exposure is exposed


def test_a_price_is_the_middle_of_the_opinions_on_it() -> None:
    def reference(*prices: str):
        return make_entry(references=tuple(make_reference(price) for price in prices)).reference

    assert reference() is None
    assert reference("7") == 7
    assert reference("7", "9") == 8
    assert reference("9", "1", "7") == 7


@pytest.mark.parametrize(
    ("limit", "references", "notional"),
    [(50, ("60",), 120), (70, ("60",), 140), (None, ("60",), 120), (50, (), 100), (None, (), None)],
)
def test_an_order_is_worth_its_quantity_at_the_dearer_price(limit, references, notional) -> None:
    proposal = make_entry(
        quantity=D(2),
        price=None if limit is None else D(limit),
        references=tuple(make_reference(price) for price in references),
    )

    assert proposal.notional == notional


@pytest.mark.parametrize(
    ("prices", "notional"),
    [
        ({"stop_price": D(70)}, 140),
        ({"price": D(50), "stop_price": D(70), "leg_limit_price": D(75)}, 150),
        ({"trailing_delta_bps": 500}, 126),
    ],
    ids=str,
)
def test_an_order_that_waits_is_worth_its_quantity_at_the_dearest_price(prices, notional) -> None:
    proposal = make_entry(**{"quantity": D(2), "price": None, **prices})

    assert replace(proposal, references=(make_reference("60"),)).notional == notional


def test_an_entry_trades_at_its_limit_at_its_stop_or_at_the_market() -> None:
    market = make_entry(price=None)
    waiting = replace(market, stop_price=D(51000))

    assert market.entry_price == 50000
    assert waiting.entry_price == 51000
    assert replace(waiting, price=D(51200)).entry_price == 51200


def test_an_oco_is_two_orders_one_of_them_with_a_stop() -> None:
    assert [count_orders(each) for each in (make_entry(), make_protection())] == [1, 2]
    assert [count_algo_orders(each) for each in (make_entry(), make_protection())] == [0, 1]


def test_an_entry_with_a_pair_that_waits_for_its_fill_is_three_orders() -> None:
    entry = make_entry(has_pending_pair=True)

    assert (count_orders(entry), count_algo_orders(entry)) == (3, 1)

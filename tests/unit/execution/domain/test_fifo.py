"""FIFO and average cost are two opinions on one sum of money."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from execution.domain.fifo import fifo
from execution.domain.fill import Execution
from execution.domain.order import Side
from execution.domain.position import PositionState, apply_execution

D = Decimal
AT = datetime(2026, 1, 1, tzinfo=UTC)
quantities = st.decimals("0.00001", "50", places=5)
prices = st.decimals("0.01", "100000", places=2)
fees = st.decimals("0", "0.000009", places=8)
assets = st.sampled_from(["BTC", "USDT", "BNB"])


def execution(side, quantity, price, *, fee="0", fee_asset="USDT"):
    return Execution(
        symbol="BTCUSDT",
        trade_id=1,
        venue_order_id=1,
        side=side,
        price=D(price),
        quantity=D(quantity),
        quote_quantity=D(quantity) * D(price),
        fee=D(fee),
        fee_asset=fee_asset,
        fee_price=D("612.34") if fee_asset == "BNB" else None,
        is_maker=False,
        executed_at=AT,
    )


def by_average(executions):
    state = PositionState()
    for item in executions:
        state = apply_execution(state, item, base_asset="BTC", quote_asset="USDT").position
    return state


def by_fifo(executions):
    return fifo(executions, base_asset="BTC", quote_asset="USDT")


def test_it_releases_the_oldest_units_first():
    result = by_fifo(
        [
            execution(Side.BUY, "1", "100"),
            execution(Side.BUY, "1", "200"),
            execution(Side.SELL, "1.5", "300"),
        ]
    )

    assert result.realized_pnl == D("250")  # 450 for units that cost 100 and half of 200
    assert (result.quantity, result.cost_quote) == (D("0.5"), D("100"))


def test_it_differs_from_average_cost_before_the_end_and_agrees_at_it():
    trades = [
        execution(Side.BUY, "1", "100"),
        execution(Side.BUY, "1", "200"),
        execution(Side.SELL, "1", "300"),
    ]
    assert by_fifo(trades).realized_pnl == D("200")
    assert by_average(trades).realized_pnl == D("150")

    trades.append(execution(Side.SELL, "1", "50"))

    assert by_fifo(trades).realized_pnl == by_average(trades).realized_pnl == D("50")


def test_it_starts_with_what_was_carried():
    result = fifo(
        [execution(Side.SELL, "2", "10")],
        base_asset="BTC",
        quote_asset="USDT",
        carried_quantity=D("2"),
        carried_cost_quote=D("15"),
    )

    assert (result.realized_pnl, result.quantity, result.cost_quote) == (D("5"), 0, 0)


def test_it_counts_with_every_digit():
    wide = "12345678901234567890.123456789012345678"

    result = by_fifo([execution(Side.BUY, wide, "1"), execution(Side.BUY, "1e-18", "1")])

    assert result.quantity == D("12345678901234567890.123456789012345679")


def test_it_splits_a_lot_to_the_last_unit():
    trades = [execution(Side.BUY, "3", "1"), execution(Side.SELL, "1", "1", fee="0.1")]
    trades[0] = replace(trades[0], quote_quantity=D(10))

    result = by_fifo(trades)

    assert result.cost_quote == D("6.666666666666666667")
    assert result.realized_pnl == D("0.9") - D("3.333333333333333333")
    assert result.quantity == 2


def test_it_takes_base_fees_from_what_is_received_and_from_what_is_held():
    result = by_fifo(
        [
            execution(Side.BUY, "2", "100", fee="0.5", fee_asset="BTC"),
            execution(Side.SELL, "1", "100", fee="0.25", fee_asset="BTC"),
        ]
    )

    assert result.quantity == D("0.25")
    assert result.cost_quote == D("33.333333333333333333")


def test_it_earns_nothing_from_units_it_does_not_have():
    result = by_fifo([execution(Side.BUY, "1", "10"), execution(Side.SELL, "4", "20")])

    assert result.realized_pnl == D("10")  # a quarter of 80, for what cost 10


def test_it_shares_the_proceeds_of_a_sale_by_what_was_held_of_it():
    result = by_fifo([execution(Side.BUY, "3", "10"), execution(Side.SELL, "4", "20")])

    assert result.realized_pnl == D("30")


def test_it_counts_what_a_buy_cost_whose_fee_ate_all_of_it():
    result = by_fifo(
        [
            execution(Side.BUY, "1", "10", fee="1", fee_asset="BTC"),
            execution(Side.BUY, "1", "10"),
            execution(Side.SELL, "1", "30"),
        ]
    )

    assert (result.realized_pnl, result.quantity, result.cost_quote) == (10, 0, 0)


def test_it_leaves_decimals_where_it_leaves_nothing():
    result = by_fifo([])

    assert [type(each) for each in (result.quantity, result.cost_quote)] == [Decimal, Decimal]


@given(
    bought=st.lists(st.tuples(quantities, prices, fees, assets), min_size=1, max_size=8),
    sold=st.lists(st.tuples(prices, fees, st.sampled_from(["USDT", "BNB"])), max_size=6),
    share=st.decimals("0.01", "0.9", places=2),
)
def test_both_methods_split_the_same_money_and_agree_when_flat(bought, sold, share):
    trades = [
        execution(Side.BUY, quantity, price, fee=fee, fee_asset=asset)
        for quantity, price, fee, asset in bought
    ]
    for price, fee, asset in sold:
        part = (by_average(trades).quantity * share).quantize(D("1e-8"))
        if part > 0:
            trades.append(execution(Side.SELL, part, price, fee=fee, fee_asset=asset))

    average, first = by_average(trades), by_fifo(trades)
    assert average.quantity == first.quantity
    assert average.realized_pnl - average.cost_quote == first.realized_pnl - first.cost_quote

    trades.append(execution(Side.SELL, average.quantity, "123.45"))
    average, first = by_average(trades), by_fifo(trades)
    assert (average.quantity, first.quantity, first.cost_quote) == (0, 0, 0)
    assert average.realized_pnl == first.realized_pnl

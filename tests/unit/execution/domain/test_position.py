"""Positions conserve money: nothing is made or lost by the accounting."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from execution.domain.fill import Execution
from execution.domain.order import Side
from execution.domain.position import PositionState, apply_execution, is_flat, split_fee

AT = datetime(2026, 1, 1, tzinfo=UTC)
D = Decimal


def execution(side, price, quantity, fee="0", fee_asset="USDT"):
    price, quantity = D(price), D(quantity)
    return Execution(
        symbol="BTCUSDT",
        trade_id=1,
        venue_order_id=1,
        side=Side(side),
        price=price,
        quantity=quantity,
        quote_quantity=price * quantity,
        fee=D(fee),
        fee_asset=fee_asset,
        is_maker=False,
        executed_at=AT,
    )


def apply(position, *executions):
    total = D(0)
    for one in executions:
        applied = apply_execution(position, one, base_asset="BTC", quote_asset="USDT")
        position, total = applied.position, total + applied.realized_pnl
    return position, total


def test_it_books_a_round_trip_with_quote_fees():
    position, pnl = apply(
        PositionState(),
        execution("BUY", "100", "2", "0.2"),
        execution("SELL", "110", "2", "0.22"),
    )

    assert pnl == D("19.58")
    assert position.realized_pnl == D("19.58")
    assert (position.quantity, position.cost_quote) == (0, 0)
    assert position.fees_quote == D("0.42")


def test_it_takes_a_base_fee_off_the_quantity_and_keeps_its_cost():
    position, _ = apply(PositionState(), execution("BUY", "100", "2", "0.002", "BTC"))

    assert position.quantity == D("1.998")
    assert position.cost_quote == D("200")
    assert position.average_entry_price == D("100")
    assert position.fees_quote == D("0.2")
    assert position.unrealized_pnl(D("100")) == D("-0.2")


def test_it_leaves_dust_with_its_cost():
    position, pnl = apply(
        PositionState(),
        execution("BUY", "100", "1", "0.0015", "BTC"),
        execution("SELL", "100", "0.998"),
    )

    assert position.quantity == D("0.0005")
    assert is_flat(position, step_size=D("0.001"))
    assert not is_flat(position, step_size=D("0.0001"))
    assert pnl - position.cost_quote == D("99.8") - D("100")


def test_it_values_a_fee_in_a_third_asset():
    trades = (
        replace(execution(side, "100", "1", "0.001", "BNB"), fee_price=D("600"))
        for side in ("BUY", "SELL")
    )

    position, pnl = apply(PositionState(), *trades)

    assert pnl == D("-1.2")
    assert position.fees_quote == D("1.2")


def test_it_reports_what_was_sold_without_being_held():
    held, _ = apply(PositionState(), execution("BUY", "100", "1"))

    applied = apply_execution(
        held, execution("SELL", "110", "3"), base_asset="BTC", quote_asset="USDT"
    )

    assert applied.uncovered_quantity == D("2")
    assert applied.position.quantity == 0
    assert applied.realized_pnl == D("10")


def test_it_shares_the_proceeds_of_a_sale_by_what_was_held_of_it():
    held, _ = apply(PositionState(), execution("BUY", "100", "3"))

    applied = apply_execution(
        held, execution("SELL", "110", "4"), base_asset="BTC", quote_asset="USDT"
    )

    assert (applied.realized_pnl, applied.uncovered_quantity) == (D("30"), 1)


def test_a_buy_leaves_nothing_uncovered_and_a_sale_out_of_nothing_everything():
    bought, sold = (
        apply_execution(
            PositionState(), execution(side, "100", "2"), base_asset="BTC", quote_asset="USDT"
        )
        for side in ("BUY", "SELL")
    )

    assert (bought.uncovered_quantity, sold.uncovered_quantity) == (0, 2)
    assert (sold.position.quantity, sold.realized_pnl) == (0, 0)


def test_it_is_flat_below_one_step_and_not_at_it():
    def holds(quantity):
        return PositionState(quantity=D(quantity))

    assert not is_flat(holds("0.001"), step_size=D("0.001"))
    assert is_flat(holds("0.000999"), step_size=D("0.001"))
    assert is_flat(holds("0"), step_size=D("0"))


def test_it_counts_with_every_digit_that_the_database_keeps():
    wide = D("12345678901234567890.123456789012345678")
    held = PositionState(quantity=wide, cost_quote=D("0.5"), entry_quantity=D(3), entry_quote=wide)

    assert held.unrealized_pnl(D("1.000000000000000001")) == D(
        "12345678901234567901.969135690246913568123456789012345678"
    )
    assert held.average_entry_price == D("4115226300411522630.041152263004115226")
    assert PositionState().average_entry_price == 0


def test_it_adds_and_values_fees_with_every_digit():
    wide = "12345678901234567890.123456789012345678"
    dear = replace(execution("BUY", "1", "1", wide, "BNB"), fee_price=D(1))

    held, _ = apply(PositionState(), execution("BUY", "1", wide), execution("BUY", "1", "1e-18"))

    assert held.quantity == D("12345678901234567890.123456789012345679")
    assert split_fee(dear, base_asset="BTC", quote_asset="USDT") == (0, D(wide))


def test_it_values_a_base_fee_at_the_price_and_leaves_out_what_nobody_can_value():
    bought, _ = apply(PositionState(), execution("BUY", "3", "1", "0.1", "BTC"))
    other, pnl = apply(
        PositionState(),
        execution("BUY", "3", "1", "0.1", "BNB"),
        execution("SELL", "3", "1", "0.1", "BNB"),
    )

    assert bought.fees_quote == D("0.3")
    assert (other.fees_quote, other.cost_quote, pnl) == (0, 0, 0)


def test_it_sums_entries_exits_and_fees():
    position, pnl = apply(
        PositionState(),
        execution("BUY", "100", "2", "0.2"),
        execution("BUY", "200", "1", "0.3"),
        execution("SELL", "300", "1", "0.4"),
        execution("SELL", "50", "1", "0.5"),
    )

    assert (position.entry_quantity, position.entry_quote) == (3, 400)
    assert (position.exit_quantity, position.exit_quote) == (2, 350)
    assert position.fees_quote == D("1.4")
    third = D("133.5")  # a third of 400.5
    assert position.cost_quote == third
    assert position.realized_pnl == pnl == D("299.6") + D("49.5") - 2 * third
    assert position.quantity == 1


def test_it_takes_a_base_fee_of_a_sale_from_what_is_held():
    held, _ = apply(PositionState(), execution("BUY", "100", "2"))

    applied = apply_execution(
        held, execution("SELL", "110", "1", "0.5", "BTC"), base_asset="BTC", quote_asset="USDT"
    )

    assert applied.position.quantity == D("0.5")
    assert applied.position.cost_quote == D("50")
    assert applied.realized_pnl == D("-40")
    assert applied.uncovered_quantity == 0


PRICE = st.decimals("0.00000001", "200000", places=8)
QUANTITY = st.decimals("0.00000001", "9000", places=8)
FEE_FRACTION = st.sampled_from([D(0), D("0.00075"), D("0.001"), D("0.1")])
STEP = st.tuples(st.sampled_from(["BUY", "SELL"]), PRICE, QUANTITY, FEE_FRACTION, st.booleans())


def _walk(steps):
    """Turn random steps into executions that never sell more than is held."""
    held = D(0)
    for side, price, wanted, fee_fraction, in_base in steps:
        quantity = min(wanted, held) if side == "SELL" else wanted
        if side == "SELL":
            if quantity <= 0:
                continue
            fee = (price * quantity * fee_fraction).quantize(D("1e-8"))
            held -= quantity
            yield execution("SELL", price, quantity, fee)
        elif in_base:
            fee = (quantity * fee_fraction).quantize(D("1e-8"))
            held += quantity - fee
            yield execution("BUY", price, quantity, fee, "BTC")
        else:
            fee = (price * quantity * fee_fraction).quantize(D("1e-8"))
            held += quantity
            yield execution("BUY", price, quantity, fee)


def _flows(executions):
    """Quote paid and received, the plain way."""
    paid = received = D(0)
    for one in executions:
        quote_fee = one.fee if one.fee_asset == "USDT" else D(0)
        if one.side is Side.BUY:
            paid += one.quote_quantity + quote_fee
        else:
            received += one.quote_quantity - quote_fee
    return paid, received


@given(st.lists(STEP, min_size=1, max_size=30))
def test_it_conserves_money_to_the_last_digit(steps):
    executions = list(_walk(steps))

    position, pnl = apply(PositionState(), *executions)

    paid, received = _flows(executions)
    assert pnl == position.realized_pnl == received - (paid - position.cost_quote)
    bought = sum(
        (
            e.quantity - (e.fee if e.fee_asset == "BTC" else 0)
            for e in executions
            if e.side is Side.BUY
        ),
        D(0),
    )
    sold = sum((e.quantity for e in executions if e.side is Side.SELL), D(0))
    assert position.quantity == bought - sold
    assert position.cost_quote >= 0


@given(st.lists(STEP, min_size=1, max_size=20), PRICE)
def test_it_equals_first_in_first_out_when_flat(steps, last_price):
    executions = list(_walk(steps))
    position, _ = apply(PositionState(), *executions)
    if position.quantity:
        executions.append(execution("SELL", last_price, position.quantity))

    position, _ = apply(PositionState(), *executions)

    assert position.quantity == 0
    assert position.cost_quote == 0
    paid, received = _flows(executions)
    # From flat to flat first-in-first-out leaves no lot behind: all that was paid is released.
    assert position.realized_pnl == received - paid

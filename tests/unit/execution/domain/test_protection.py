"""The protective pair."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from execution.domain.order import Side
from execution.domain.protection import plan_protection

D = Decimal


class Grid:
    """Step 0.001, tick 0.01, orders of 5 and 0.002 at least."""

    min_quantity = D("0.002")
    min_notional = D(5)

    def quantize_quantity(self, quantity):
        return quantity.quantize(D("0.001"), ROUND_FLOOR)

    def quantize_price(self, price, side):
        assert side in (Side.BUY, Side.SELL)
        return price.quantize(D("0.01"), ROUND_FLOOR if side is Side.BUY else ROUND_CEILING)


class NoLeast(Grid):
    min_quantity = D(0)
    min_notional = D(0)


def plan(held, price="100.01", rules=None):
    return plan_protection(
        held_quantity=D(held),
        entry_price=D(price),
        stop_loss_fraction=D("0.02"),
        take_profit_fraction=D("0.05"),
        rules=rules or Grid(),
    )


def test_it_sells_what_was_received_floored_to_the_step():
    assert plan("0.99899").quantity == D("0.998")


def test_it_rounds_the_stop_towards_the_price():
    pair = plan("1")

    assert pair.stop_price == D("98.01")  # 98.0098
    assert pair.take_profit_price == D("105.02")  # 105.0105


def test_it_has_nothing_to_protect_below_one_step():
    assert plan("0.0009") is None


def test_it_has_nothing_to_protect_that_the_exchange_would_not_take():
    assert plan("0.0019") is None
    assert plan("0.051") is None  # worth 4.998 at the stop
    assert plan("0.052").quantity == D("0.052")


def test_it_protects_exactly_the_least_that_the_exchange_takes():
    assert plan("0.002", "5000").quantity == D("0.002")
    pair = plan("0.125", "40.8163")  # 40.0000 at the stop, rounded up to 40.00: worth 5
    assert (pair.quantity, pair.stop_price) == (D("0.125"), D("40.00"))


def test_it_protects_no_position_of_nothing_where_nothing_is_the_least():
    assert plan("0", rules=NoLeast()) is None
    assert plan("0.001", rules=NoLeast()).quantity == D("0.001")

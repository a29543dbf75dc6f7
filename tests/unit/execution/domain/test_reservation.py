"""A reservation is never too low: what is cut off is rounded up, to the last unit."""

from decimal import Context, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.domain.reservation import reserve, reserved_after_fill

D = Decimal


@pytest.mark.parametrize(
    ("notional", "fee", "held_back"),
    [
        ("1000", "0.001", "1001"),
        ("1000", "0", "1000"),
        ("0.000000000000000001", "0.001", "0.000000000000000002"),
        # 29 digits and more: the usual 28 would cut the last unit off, and half-even round down
        ("12345678901.123456789012345674", "0.0001", "12346913469.013569134691246909"),
        ("12345678901.123456789012345671", "0.0001", "12346913469.013569134691246906"),
        ("99999999999999999999", "0.02", "101999999999999999998.98"),
    ],
)
def test_it_holds_back_the_cost_and_the_worst_fee_rounded_up(notional, fee, held_back):
    assert reserve(notional=D(notional), fee_fraction=D(fee)) == D(held_back)


@pytest.mark.parametrize(
    ("reserved", "left", "filled", "stays"),
    [
        ("300", "3", "1", "200"),
        ("100", "3", "2", "33.333333333333333334"),
        ("100", "3", "1", "66.666666666666666667"),
        ("100", "3", "3", "0"),
        ("100", "3", "4", "0"),  # overfilled
        ("100", "0", "1", "100"),
        ("100", "-1", "1", "100"),
        ("0", "3", "1", "0"),
        ("100", "0.5", "0.25", "50"),
    ],
)
def test_it_keeps_back_the_share_that_is_left_rounded_up(reserved, left, filled, stays):
    assert reserved_after_fill(reserved=D(reserved), left=D(left), filled=D(filled)) == D(stays)


PLACES = st.decimals("0.00000001", "9000000", places=8)


@given(quantity=PLACES, price=PLACES, fee=st.sampled_from([D(0), D("0.001"), D("0.00075")]))
def test_it_covers_the_order_at_every_stage_of_its_filling(quantity, price, fee):
    cost = Fraction(quantity) * Fraction(price) * (1 + Fraction(fee))
    reserved = reserve(notional=Context(prec=80).multiply(quantity, price), fee_fraction=fee)
    assert 0 <= Fraction(reserved) - cost < Fraction(1, 10**18)

    third = (quantity / 3).quantize(D("1e-8"))
    after = reserved_after_fill(reserved=reserved, left=quantity, filled=third)

    still = Fraction(quantity - third) * Fraction(price) * (1 + Fraction(fee))
    assert 0 <= Fraction(after) - still < Fraction(2, 10**18)

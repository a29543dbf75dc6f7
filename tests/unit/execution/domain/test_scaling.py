"""Positions in parts."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.domain.scaling import has_moved, part_of_size, share_to_sell
from execution.domain.slicing import part_of
from tests.unit.risk.domain.builders import make_rules

D = Decimal


@pytest.mark.parametrize(
    ("price", "exits", "share"),
    [
        (101.9, 0, None),
        (102.1, 0, "0.333333333333333333"),
        (103.0, 1, None),
        (104.1, 1, "0.5"),
        (200.0, 2, None),
        (None, 0, None),
    ],
)
def test_a_part_is_sold_at_each_step(price, exits, share):
    told = share_to_sell(price=price, average=100.0, exits=exits, parts=3, step_bps=200.0)

    assert told == (None if share is None else D(share))


def test_one_part_is_never_sold_early():
    assert share_to_sell(price=999.0, average=1.0, exits=0, parts=1, step_bps=1.0) is None


@pytest.mark.parametrize(
    ("price", "step", "moved"),
    [(101.0, 100.0, True), (100.9, 100.0, False), (99.0, -100.0, True), (99.5, -100.0, False)],
)
def test_the_next_entry_waits_for_the_price(price, step, moved):
    assert has_moved(price=price, last=100.0, step_bps=step) is moved


@given(whole=st.decimals("0", "1000000", places=2), parts=st.integers(1, 10))
def test_parts_never_add_up_to_more_than_the_whole(whole, parts):
    assert part_of_size(whole, parts) * parts <= whole


@given(
    held=st.decimals("0.00001", "500", places=8),
    fraction=st.decimals("0.01", "1", places=4),
    price=st.decimals("1", "100000", places=2),
)
def test_what_is_left_of_a_sale_in_parts_can_be_sold_too(held, fraction, price):
    rules = make_rules()

    part = part_of(held=held, fraction=fraction, price=price, rules=rules)

    whole = rules.quantize_quantity(held)
    rest = whole - part
    assert 0 < part <= whole
    assert not rest or (part * price >= rules.min_notional <= rest * price)

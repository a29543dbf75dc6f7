"""Slices of a sale."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from execution.domain.slicing import cap_after, plan_slice
from tests.unit.risk.domain.builders import make_rules

D = Decimal


def cut(held, *, most="10000", mark="50000", **changes):
    return plan_slice(
        held=D(held),
        mark_price=D(mark),
        most_notional=D(most),
        slippage_fraction=D("0.01"),
        rules=make_rules(**changes),
    )


def test_it_sells_a_slice_at_the_cap_at_worst():
    piece = cut("1")

    assert (piece.quantity, piece.price) == (D("0.2"), D("49500"))


def test_it_takes_a_rest_along_that_nobody_would_buy():
    assert cut("0.20005").quantity == D("0.20005")


def test_it_leaves_what_is_too_little():
    assert cut("0.00005") is None
    assert cut("0.000001") is None


@given(
    held=st.decimals("0.00001", "500", places=8),
    most=st.decimals("1", "1000000", places=2),
    mark=st.decimals("0.5", "100000", places=2),
)
def test_slices_add_up_and_each_is_one_that_the_exchange_takes(held, most, mark):
    rules, left = make_rules(), held
    for _ in range(200):
        piece = cut(str(left), most=str(most), mark=str(mark))
        if piece is None:
            break
        assert 0 < piece.quantity <= left
        assert not piece.quantity % rules.step_size
        assert piece.quantity * piece.price >= rules.min_notional
        assert piece.price >= mark * D("0.99")
        left -= piece.quantity
        rest = rules.quantize_quantity(left)
        assert not rest or rest * piece.price >= rules.min_notional


def test_a_cap_widens_only_while_nobody_buys_and_ends():
    caps = [cap_after(D("0.01"), empty_slices=count) for count in range(6)]

    assert caps == [D("0.01"), D("0.01"), D("0.02"), D("0.04"), None, None]
    assert cap_after(D("0.2"), empty_slices=3) == D("0.5")

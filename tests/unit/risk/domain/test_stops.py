from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.domain.stops import protected_quantity, protective_prices, why_not_placeable
from tests.unit.risk.domain.builders import make_limits, make_rules

D = Decimal
RULES = make_rules(tick_size=D("0.1"))


def test_it_rounds_each_price_to_safety() -> None:
    protection = protective_prices(entry_price=D("33333.3"), limits=make_limits(), rules=RULES)

    assert protection.stop_price == D("32666.7")  # 32666.634 up
    assert protection.stop_limit_price == D("32340.0")  # 32340.033 down
    assert protection.take_profit_price == D("35000.0")  # 34999.965 up


@given(st.integers(1_000, 10**9))
def test_it_loses_at_most_what_was_asked_for(ticks: int) -> None:
    entry = D(ticks) / 10

    protection = protective_prices(entry_price=entry, limits=make_limits(), rules=RULES)

    assert protection.stop_price >= entry * D("0.98")
    assert protection.take_profit_price >= entry * D("1.05")
    for price in (
        protection.stop_price,
        protection.stop_limit_price,
        protection.take_profit_price,
    ):
        assert price % RULES.tick_size == 0


def test_it_sells_what_the_fee_left_on_the_step() -> None:
    left = protected_quantity(quantity=D("0.02"), fee_fraction=D("0.001"), rules=make_rules())

    assert left == D("0.01998")


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ({"min_price": D(48511)}, "lowest price"),
        ({"max_price": D(52499)}, "highest price"),
        ({"ask_multiplier_down": D("0.98")}, "too far below"),
        ({"ask_multiplier_up": D("1.04")}, "too far above"),
        ({"min_quantity": D("0.02")}, "smallest quantity"),
        ({"min_notional": D(970)}, "smallest notional"),
    ],
    ids=str,
)
def test_it_says_why_the_exchange_would_refuse(rules, why: str) -> None:
    changed = make_rules(**rules)
    protection = protective_prices(entry_price=D(50000), limits=make_limits(), rules=changed)

    found = why_not_placeable(
        quantity=D("0.02"),
        reference=D(50000),
        protection=protection,
        fee_fraction=D("0.001"),
        rules=changed,
    )

    assert found is not None
    assert why in found

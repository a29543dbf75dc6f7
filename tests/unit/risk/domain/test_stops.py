from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.domain.stops import (
    STOP_LIMIT_GAP_FRACTION,
    Protection,
    chosen_prices,
    protected_quantity,
    protective_prices,
    why_not_placeable,
)
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
        ({"min_notional": D(970)}, "after fees 969.2298 is below the smallest notional 970"),
    ],
    ids=str,
)
def test_it_says_why_the_exchange_would_refuse(rules, why: str) -> None:
    found = find_wrong(make_rules(**rules))

    assert found is not None
    assert why in found


@pytest.mark.parametrize(
    "rules",
    [
        {"min_price": D(48510)},
        {"max_price": D(52500)},
        {"ask_multiplier_down": D("0.9702")},
        {"ask_multiplier_up": D("1.05")},
        {"min_quantity": D("0.01998")},
        {"min_notional": D("969.2298")},
        {
            "min_price": None,
            "max_price": None,
            "ask_multiplier_down": None,
            "ask_multiplier_up": None,
        },
    ],
    ids=str,
)
def test_it_places_at_the_very_edge_of_what_the_exchange_takes(rules) -> None:
    assert find_wrong(make_rules(**rules)) is None


@pytest.mark.parametrize(
    ("limit", "stop", "target"),
    [(48, 48, 52), (49, 48, 52), (47, 50, 52), (47, 51, 52), (47, 48, 50), (47, 48, 49)],
)
def test_it_wants_limit_stop_price_and_target_in_order(limit: int, stop: int, target: int) -> None:
    protection = Protection(
        stop_limit_price=D(limit), stop_price=D(stop), take_profit_price=D(target)
    )

    found = find_wrong(make_rules(), protection=protection, reference=D(50), quantity=D(10))

    assert found == f"prices are not in order: {limit} < {stop} < 50 < {target}"


def test_it_protects_nothing_below_one_step() -> None:
    found = find_wrong(make_rules(min_quantity=D(0), step_size=D(1)), quantity=D(1))

    assert found == "after fees 0 is below the smallest quantity 0"


def test_it_protects_one_unit() -> None:
    rules = make_rules(min_quantity=D(0), step_size=D(1), min_notional=D(0))

    assert find_wrong(rules, quantity=D(1), fee_fraction=D(0)) is None


def test_it_sells_a_triggered_stop_down_to_one_percent_lower() -> None:
    assert D("0.01") == STOP_LIMIT_GAP_FRACTION

    protection = protective_prices(entry_price=D(100), limits=make_limits(), rules=make_rules())

    assert protection == Protection(
        stop_price=D(98), stop_limit_price=D("97.02"), take_profit_price=D(105)
    )


def test_it_has_no_price_below_the_first_tick() -> None:
    coarse = make_rules(tick_size=D(1000))

    protection = protective_prices(entry_price=D(10), limits=make_limits(), rules=coarse)

    assert protection == Protection(
        stop_price=D(1000), stop_limit_price=D(0), take_profit_price=D(1000)
    )


def find_wrong(rules, **changes) -> str | None:
    values = {
        "quantity": D("0.02"),
        "reference": D(50000),
        "protection": protective_prices(entry_price=D(50000), limits=make_limits(), rules=RULES),
        "fee_fraction": D("0.001"),
    }
    return why_not_placeable(**{**values, **changes}, rules=rules)


def test_chosen_prices_stay_and_the_stop_sells_with_the_usual_room() -> None:
    chosen = chosen_prices(stop_price=D("48000"), take_profit_price=D("52000.1"), rules=RULES)

    assert chosen == Protection(
        stop_price=D("48000"), stop_limit_price=D("47520"), take_profit_price=D("52000.1")
    )


def test_the_room_below_a_chosen_stop_is_rounded_away_from_it() -> None:
    chosen = chosen_prices(stop_price=D("48000.9"), take_profit_price=D("52000.1"), rules=RULES)

    assert chosen.stop_limit_price == D("47520.8")  # 47520.891 down

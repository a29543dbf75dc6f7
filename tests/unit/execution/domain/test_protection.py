"""The protective pair."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import pytest

from execution.domain.order import OrderType, Side
from execution.domain.protection import (
    Bracket,
    ProtectionPlan,
    ProtectionStyle,
    ProtectionTerms,
    plan_protection,
)

D = Decimal


class Grid:
    """Step 0.001, tick 0.01, orders of 5 and 0.002 at least."""

    min_quantity = D("0.002")
    min_notional = D(5)
    trailing_below_bps = (None, None)

    def trailing_bounds(self, side):
        return self.trailing_below_bps if side == Side.SELL else (1_900, 2_000)

    def quantize_quantity(self, quantity):
        return quantity.quantize(D("0.001"), ROUND_FLOOR)

    def quantize_price(self, price, side):
        assert side in (Side.BUY, Side.SELL)
        return price.quantize(D("0.01"), ROUND_FLOOR if side is Side.BUY else ROUND_CEILING)


class NoLeast(Grid):
    min_quantity = D(0)
    min_notional = D(0)


def plan(held, price="100.01", rules=None, **terms):
    return plan_protection(
        held_quantity=D(held),
        entry_price=D(price),
        stop_loss_fraction=terms.pop("stop_loss_fraction", D("0.02")),
        take_profit_fraction=D("0.05"),
        rules=rules or Grid(),
        terms=ProtectionTerms(**terms),
    )


def trailing_delta(
    wanted, bounds=(None, None), style=ProtectionStyle.TRAILING, stop_loss_fraction="0.02"
):
    rules = Grid()
    rules.trailing_below_bps = bounds
    return plan(
        "1",
        rules=rules,
        style=style,
        trailing_delta_bps=wanted,
        stop_loss_fraction=D(stop_loss_fraction),
    ).trailing_delta_bps


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


def chosen(held="1", **prices):
    bracket = Bracket(**{"stop_price": D("90.001"), "take_profit_price": D("140.001"), **prices})
    return plan_protection(
        held_quantity=D(held),
        entry_price=D("100"),
        stop_loss_fraction=D("0.02"),
        take_profit_fraction=D("0.05"),
        rules=Grid(),
        terms=ProtectionTerms(style=ProtectionStyle.TRAILING, chosen=bracket),
    )


def test_what_a_person_chose_counts_before_limits_and_strategy():
    assert chosen("0.9999") == ProtectionPlan(
        quantity=D("0.999"), take_profit_price=D("140.01"), stop_price=D("90.01")
    )


def test_too_little_has_no_pair_at_chosen_prices_either():
    assert chosen("0.005", stop_price=D("999")) is None
    assert chosen("0.005", stop_price=D("1000")) is not None


def test_a_bracket_is_kept_to_the_last_digit():
    bracket = Bracket(stop_price=D("0.000000000000000001"), take_profit_price=D("1E+3"))

    assert bracket.to_json() == {
        "stop_price": "0.000000000000000001",
        "take_profit_price": "1000",
    }
    assert Bracket.from_json(bracket.to_json()) == bracket


def test_a_pair_is_a_list_with_a_stop_that_stays():
    pair = plan("1")

    assert pair.type is OrderType.OCO
    assert pair.trailing_delta_bps is None
    assert pair.trigger_price == pair.stop_price == D("98.01")


def test_a_trailing_stop_stands_alone_and_starts_from_the_price_of_the_market():
    stop = plan("1", "100", style=ProtectionStyle.TRAILING, trailing_delta_bps=150)

    assert stop.type is OrderType.STOP_LOSS
    assert stop.take_profit_price is None
    assert stop.trailing_delta_bps == 150
    assert stop.stop_price == D("98.50")
    assert stop.trigger_price is None


def test_a_trailing_pair_keeps_its_target():
    pair = plan("1", "100", style=ProtectionStyle.TRAILING_PAIR, trailing_delta_bps=150)

    assert pair.type is OrderType.OCO
    assert (pair.take_profit_price, pair.trailing_delta_bps) == (D("105.00"), 150)


def test_a_pair_does_not_trail_whatever_its_distance_would_be():
    assert trailing_delta(150, style=ProtectionStyle.PAIR) is None


@pytest.mark.parametrize(
    ("wanted", "bounds", "delta"),
    [
        (150, (None, None), 150),
        (300, (None, None), 200),  # the limit's 2 %
        (150, (10, 100), 100),
        (150, (150, 2_000), 150),
        (149, (150, 2_000), None),
        (2, (3, 2_000), None),
    ],
)
def test_a_trailing_stop_keeps_to_the_limit_and_to_what_the_exchange_takes(wanted, bounds, delta):
    assert trailing_delta(wanted, bounds) == delta


def test_a_trailing_stop_follows_at_one_basis_point_or_more():
    assert trailing_delta(150, stop_loss_fraction="0.0001") == 1
    assert trailing_delta(150, stop_loss_fraction="0.00009") is None


def test_a_trailing_stop_that_the_exchange_would_not_take_becomes_a_plain_pair():
    rules = Grid()
    rules.trailing_below_bps = (300, 2_000)

    pair = plan("1", rules=rules, style=ProtectionStyle.TRAILING, trailing_delta_bps=150)

    assert pair == plan("1")

from dataclasses import asdict
from decimal import Decimal

import pytest

from risk.domain.limits import BOUNDS, LimitsInvalid, RiskLimits, find_problems

D = Decimal


def test_it_has_the_promised_defaults() -> None:
    limits = RiskLimits()

    assert limits.max_position_size == D(10000)
    assert limits.max_positions == 10
    assert limits.max_daily_loss == D(1000)
    assert limits.max_drawdown_fraction == D("0.1")
    assert limits.stop_loss_fraction == D("0.02")
    assert limits.take_profit_fraction == D("0.05")


@pytest.mark.parametrize("name", BOUNDS)
def test_it_takes_each_bound_and_nothing_beyond(name: str) -> None:
    bound = BOUNDS[name]
    kind = type(getattr(RiskLimits(), name) or D(0))
    step = D("1e-18") if kind is D else D(1)
    others = {**asdict(RiskLimits()), "max_position_size": D(1000000)}

    def is_wrong(number: Decimal) -> bool:
        values = {**others, name: kind(number)}
        return any(problem.field == name for problem in find_problems(values))

    assert not is_wrong(bound.high)
    assert is_wrong(bound.high + step)
    assert is_wrong(bound.low - step)
    if not bound.is_low_allowed:
        assert is_wrong(bound.low)


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize("value", [0.1, "10", True, [], D("NaN"), D("Infinity"), D("1e30")])
def test_it_refuses_other_types_and_odd_numbers(name: str, value: object) -> None:
    problems = find_problems({**asdict(RiskLimits()), name: value})

    assert [problem.field for problem in problems] == [name]
    assert problems[0].fix


def test_it_takes_two_percent_as_a_fraction_only() -> None:
    with pytest.raises(LimitsInvalid) as caught:
        RiskLimits(stop_loss_fraction=D(2))

    assert "stop_loss_fraction was 2" in caught.value.message
    assert caught.value.context["problems"][0]["field"] == "stop_loss_fraction"


def test_it_wants_the_take_profit_to_pay_the_fees() -> None:
    with pytest.raises(LimitsInvalid, match="take_profit_fraction"):
        RiskLimits(take_profit_fraction=D("0.002"), fee_fraction=D("0.001"))


def test_it_wants_an_order_not_above_the_position() -> None:
    with pytest.raises(LimitsInvalid, match="max_order_notional"):
        RiskLimits(max_order_notional=D(10001))


def test_it_names_every_missing_limit() -> None:
    required = set(BOUNDS) - {"max_order_notional"}

    assert {problem.field for problem in find_problems({})} == required


# Written a second time: the upper ends are ceilings that no setting can exceed.
EXPECTED_BOUNDS = {
    "max_position_size": ("0", "1000000", False, "quote units"),
    "max_positions": ("1", "100", True, "positions"),
    "max_daily_loss": ("0", "100000", False, "quote units"),
    "max_drawdown_fraction": ("0", "0.5", False, "a fraction (0.1 = 10 %)"),
    "stop_loss_fraction": ("0", "0.5", False, "a fraction (0.02 = 2 %)"),
    "take_profit_fraction": ("0", "1", False, "a fraction (0.05 = 5 %)"),
    "max_order_notional": ("0", "1000000", False, "quote units"),
    "price_collar_fraction": ("0", "0.2", False, "a fraction (0.02 = 2 %)"),
    "max_data_age_bars": ("1", "10", True, "candles"),
    "max_open_orders": ("1", "200", True, "orders"),
    "fee_fraction": ("0", "0.02", True, "a fraction (0.001 = 0.1 %)"),
    "fee_reserve": ("0", "100000", True, "quote units"),
    "duplicate_window_s": ("0", "3600", True, "seconds"),
    "flatten_slice_notional": ("0", "1000000", False, "quote units"),
    "flatten_slippage_fraction": ("0", "0.2", False, "a fraction (0.01 = 1 %)"),
}


def test_its_bounds_are_meant() -> None:
    assert {
        name: (str(bound.low), str(bound.high), bound.is_low_allowed, bound.unit)
        for name, bound in BOUNDS.items()
    } == EXPECTED_BOUNDS


@pytest.mark.parametrize("name", [name for name in BOUNDS if BOUNDS[name].is_low_allowed])
def test_it_takes_the_lowest_where_that_is_allowed(name: str) -> None:
    kind = type(getattr(RiskLimits(), name))

    assert find_problems({**asdict(RiskLimits()), name: kind(BOUNDS[name].low)}) == []


@pytest.mark.parametrize(
    ("name", "value", "shown", "fix"),
    [
        ("max_positions", None, "missing", "set it, in positions"),
        ("max_positions", D(1), "Decimal('1')", "must be a whole number, in positions"),
        ("max_positions", True, "True", "must be a whole number, in positions"),
        ("fee_reserve", 1, "1", "must be a decimal number, in quote units"),
        ("fee_reserve", D("NaN"), "NaN", "must be a finite number, in quote units"),
        ("fee_reserve", D(-1), "-1", "must be from 0 to 100000, in quote units"),
        ("max_daily_loss", D(0), "0", "must be above 0 to 100000, in quote units"),
        ("max_positions", 101, "101", "must be from 1 to 100, in positions"),
        (
            "take_profit_fraction",
            D("0.002"),
            "0.002",
            "must be above 0.002, the fees of entry and exit",
        ),
        (
            "max_order_notional",
            D(10001),
            "10001",
            "must not be above max_position_size, 10000",
        ),
    ],
)
def test_it_names_field_value_and_fix(name: str, value: object, shown: str, fix: str) -> None:
    assert find_problems({**asdict(RiskLimits()), name: value}) == [(name, shown, fix)]


def test_it_takes_limits_that_just_fit_together() -> None:
    values = asdict(RiskLimits())

    assert find_problems({**values, "take_profit_fraction": D("0.002000000000000001")}) == []
    assert find_problems({**values, "max_order_notional": D(10000)}) == []
    assert find_problems({**values, "max_order_notional": None}) == []


def test_it_tells_the_first_problem_and_lists_all() -> None:
    with pytest.raises(LimitsInvalid) as caught:
        RiskLimits(max_positions=0, max_open_orders=201)

    assert caught.value.message == "max_positions was 0: must be from 1 to 100, in positions"
    assert caught.value.context["problems"] == [
        {"field": "max_positions", "value": "0", "fix": "must be from 1 to 100, in positions"},
        {"field": "max_open_orders", "value": "201", "fix": "must be from 1 to 200, in orders"},
    ]


def test_it_names_both_limits_that_do_not_fit_the_others() -> None:
    values = {
        **asdict(RiskLimits()),
        "take_profit_fraction": D("0.001"),
        "max_order_notional": D(20000),
    }

    assert [problem.field for problem in find_problems(values)] == [
        "take_profit_fraction",
        "max_order_notional",
    ]

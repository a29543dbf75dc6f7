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

from decimal import Decimal

import pytest

from tests.unit.risk.domain.builders import (
    codes,
    judge,
    make_entry,
    make_holding,
    make_portfolio,
    make_reference,
)

ODD_NUMBERS = [
    Decimal("NaN"),
    Decimal("sNaN"),
    Decimal("Infinity"),
    Decimal("-Infinity"),
    Decimal("-0"),
    Decimal(0),
    Decimal(-1),
    Decimal("1e400"),
    Decimal("1e-400"),
    Decimal("1e20"),
    Decimal("0.0000000000000000001"),
    0.02,
    "0.02",
    True,
]


@pytest.mark.parametrize("number", ODD_NUMBERS, ids=repr)
@pytest.mark.parametrize(
    "field",
    [
        "quantity",
        "price",
        "stop_price",
        "leg_limit_price",
        "stop_loss_price",
        "stop_limit_price",
        "take_profit_price",
    ],
)
def test_it_refuses_what_is_no_plain_positive_decimal(field: str, number: object) -> None:
    verdict = judge(make_entry(**{field: number}))

    assert codes(verdict) == ["SCHEMA_NOT_FINITE"]
    assert verdict.denials[0].value == f"{field} {str(number)[:60]}"


@pytest.mark.parametrize("number", ["NaN", "0", "-1", "Infinity"])
def test_it_refuses_an_odd_reference(number: str) -> None:
    verdict = judge(make_entry(references=(make_reference(), make_reference(number))))

    assert codes(verdict) == ["SCHEMA_NOT_FINITE"]


@pytest.mark.parametrize(
    "change",
    [
        {"side": "buy"},
        {"side": "HOLD"},
        {"type": "ICEBERG"},
        {"type": "LIMIT", "price": None},
        {"type": "LIMIT", "time_in_force": None},
        {"type": "LIMIT", "time_in_force": "GTX"},
        {"type": "LIMIT", "stop_price": Decimal(49000)},
        {"type": "MARKET"},
        {"type": "MARKET", "price": None},
        {"type": "LIMIT_MAKER"},
        {"type": "STOP_LOSS_LIMIT"},
        {"type": "OCO", "time_in_force": None},
        {"leg_limit_price": Decimal(49000)},
        {"references": ()},
        {"bar_s": 0},
    ],
    ids=str,
)
def test_it_refuses_what_is_not_one_order(change) -> None:
    assert codes(judge(make_entry(**change))) == ["SCHEMA_INVALID"]


TRAILING = {"type": "STOP_LOSS", "price": None, "time_in_force": None}


@pytest.mark.parametrize("delta", [0, -1, 10_000, True, 1.5, "100", Decimal(100)], ids=repr)
def test_it_refuses_a_distance_that_is_no_whole_number_of_basis_points_within_the_price(delta):
    assert codes(judge(make_entry(**TRAILING, trailing_delta_bps=delta))) == ["SCHEMA_INVALID"]


@pytest.mark.parametrize("delta", [1, 9_999])
def test_it_takes_every_distance_within_the_price(delta: int) -> None:
    verdict = judge(make_entry(**TRAILING, trailing_delta_bps=delta))

    assert "SCHEMA_INVALID" not in codes(verdict)


def test_it_takes_the_limit_price_of_a_pairs_stop_by_its_own_name() -> None:
    pair = make_entry(
        type="OCO",
        time_in_force=None,
        price=Decimal(49000),
        stop_price=Decimal(51000),
        leg_limit_price=Decimal(51300),
    )

    assert "SCHEMA_INVALID" not in codes(judge(pair))


@pytest.mark.parametrize(
    "change",
    [
        {"type": "MARKET", "price": None, "time_in_force": None},
        {"type": "LIMIT_MAKER", "time_in_force": None},
        {"time_in_force": "GTC"},
        {"time_in_force": "FOK"},
    ],
    ids=str,
)
def test_it_takes_every_form_of_an_entry(change) -> None:
    verdict = judge(
        make_entry(**change), make_portfolio(make_holding(), quote_balance=Decimal(9999))
    )

    assert verdict.approved, codes(verdict)

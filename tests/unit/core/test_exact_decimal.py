from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

from core.rest.encoding import plain
from core.rest.fields import ExactDecimal, StrictSerializer


class OrderInput(StrictSerializer):
    quantity = ExactDecimal()
    price = ExactDecimal(required=False, allow_null=True)


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("1", "1"),
        ("0.015", "0.015"),
        (7, "7"),
        ("007.50", "7.50"),
        ("1" * 20 + "." + "1" * 18, "1" * 20 + "." + "1" * 18),
    ],
)
def test_it_takes_plain_decimals(sent, meant):
    assert ExactDecimal().run_validation(sent) == Decimal(meant)


@pytest.mark.parametrize(
    "sent",
    [
        0.1,
        1.0,
        True,
        False,
        None,
        [],
        {},
        "",
        " 1",
        "1 ",
        "1\n",
        "+1",
        "-1",
        -1,
        "1e3",
        "1E-3",
        "1_000",
        "1,5",
        ".5",
        "5.",
        "0x10",
        "NaN",
        "Infinity",
        "\uff11",
        "\u0661",
        "0." + "1" * 19,
        "1" * 21,
        10**40,
        "1" * 1_000_000,
        "0",
        0,
        "0.000",
    ],
)
def test_it_refuses_everything_else(sent):
    with pytest.raises(ValidationError):
        ExactDecimal().run_validation(sent)


def test_it_takes_zero_where_zero_has_a_meaning():
    assert ExactDecimal(allow_zero=True).run_validation("0") == 0


def test_it_refuses_unknown_fields_by_name():
    form = OrderInput(data={"quantity": "1", "is_staff": True})

    assert not form.is_valid()
    assert form.errors["is_staff"][0].code == "unknown"


@given(st.decimals(min_value=0, max_value=10**19, places=18, allow_nan=False))
def test_it_gives_back_what_it_took(value):
    text = plain(value)

    assert "E" not in text
    assert ExactDecimal(allow_zero=True).run_validation(text) == value

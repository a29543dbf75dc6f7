from typing import Any

import pytest
from rest_framework.serializers import ValidationError

from core.rest.fields import Symbol, Whole


@pytest.mark.parametrize("data", ["BTCUSDT", "1INCHUSDT", "AB"])
def test_it_takes_a_symbol_as_exchanges_write_it(data: str) -> None:
    assert Symbol().to_internal_value(data) == data


@pytest.mark.parametrize(
    "data",
    [
        "btcusdt",
        "BTCUSDT\n",
        " BTCUSDT",
        "BTC/USDT",
        "A",
        "A" * 33,
        "",
        None,
        7,
        ["BTCUSDT"],
        "\uff22TC",
    ],
    ids=repr,
)
def test_it_refuses_what_is_no_symbol(data: Any) -> None:
    with pytest.raises(ValidationError, match="BTCUSDT"):
        Symbol().to_internal_value(data)


@pytest.mark.parametrize(("data", "number"), [(0, 0), (4, 4), ("4", 4), ("010", 10)])
def test_it_takes_whole_numbers(data: Any, number: int) -> None:
    assert Whole(maximum=100).to_internal_value(data) == number


@pytest.mark.parametrize(
    "data",
    [
        -1,
        101,
        10**30,
        "-1",
        "+4",
        " 4 ",
        "4.0",
        4.0,
        True,
        None,
        "",
        "\uff14",
        "1_0",
        "9" * 5_000,
        [4],
    ],
    ids=lambda data: repr(data)[:20],
)
def test_it_refuses_what_is_no_whole_number_of_its_range(data: Any) -> None:
    with pytest.raises(ValidationError, match="from 0 to 100"):
        Whole(maximum=100).to_internal_value(data)

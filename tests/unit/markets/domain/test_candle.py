from decimal import Decimal
from typing import Any

import pytest

from core.errors import InvalidInput
from markets.domain.candle import ROW_FIELDS, Candle, check_row
from markets.domain.timeframe import Timeframe

OPEN_MS = 1_700_000_100_000 // 300_000 * 300_000
ROW = [7, OPEN_MS, "10.5", "11", "10", "10.75", "3.000000000000000001", "32.1", 12, "1.5", "16"]


def row_with(**changes: Any) -> list[Any]:
    return [changes.get(name, value) for name, value in zip(ROW_FIELDS, ROW, strict=True)]


def test_it_comes_back_from_its_row_exactly() -> None:
    candle = Candle.from_row(ROW, timeframe=Timeframe.M5)

    assert candle.to_row() == ROW
    assert candle.volume == Decimal("3.000000000000000001")
    assert candle.close_time - candle.open_time == Timeframe.M5.delta


def test_it_allows_what_some_histories_lack() -> None:
    sparse = row_with(quote_volume=None, trades=None, taker_buy_base=None, taker_buy_quote=None)

    assert Candle.from_row(sparse, timeframe=Timeframe.M5).quote_volume is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("open_time_ms", OPEN_MS + 1),
        ("open_time_ms", OPEN_MS // 1000),
        ("open_time_ms", OPEN_MS * 1000),
        ("open_time_ms", float(OPEN_MS)),
        ("open", "NaN"),
        ("open", "1e1"),
        ("open", 10.5),
        ("open", "-10.5"),
        ("open", "9.99"),
        ("close", "11.01"),
        ("close", None),
        ("low", "0"),
        ("volume", "-1"),
        ("volume", "0.0000000000000000001"),
        ("volume", "100000000000000000000"),
        ("quote_volume", "Infinity"),
        ("taker_buy_base", "1,5"),
        ("trades", -1),
        ("trades", "12"),
    ],
)
def test_it_names_the_field_that_cannot_be_used(field: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as raised:
        check_row(row_with(**{field: value}), timeframe=Timeframe.M5)

    assert raised.value.context["field"] == field
    assert str(value) in raised.value.message


def test_it_refuses_a_row_of_another_length() -> None:
    with pytest.raises(InvalidInput, match="11 values"):
        check_row(ROW[:6], timeframe=Timeframe.M5)

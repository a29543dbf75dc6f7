from datetime import UTC, datetime, timedelta

import pytest

from markets.domain.timeframe import Timeframe


@pytest.mark.parametrize(
    ("text", "seconds"), [("1m", 60), ("15m", 900), ("4h", 14_400), ("12h", 43_200), ("1d", 86_400)]
)
def test_it_knows_its_length(text: str, seconds: int) -> None:
    timeframe = Timeframe(text)

    assert timeframe.seconds == seconds
    assert timeframe.ms == seconds * 1000
    assert timeframe.delta == timedelta(seconds=seconds)


def test_it_floors_to_the_open_time() -> None:
    moment = datetime(2024, 2, 29, 13, 59, 59, 999000, tzinfo=UTC)

    assert Timeframe.H4.floor(moment) == datetime(2024, 2, 29, 12, tzinfo=UTC)
    assert Timeframe.D1.floor(moment) == datetime(2024, 2, 29, tzinfo=UTC)
    assert Timeframe.M1.floor(Timeframe.M1.floor(moment)) == Timeframe.M1.floor(moment)


def test_it_divides_the_day_whatever_the_timeframe() -> None:
    assert [item for item in Timeframe if 86_400 % item.seconds] == []

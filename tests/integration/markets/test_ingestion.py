import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from core.clock import from_ms
from core.errors import InvalidInput
from markets.domain.timeframe import Timeframe
from markets.models import Candle, Instrument
from markets.services.ingestion import SMALL_BATCH, Stored, store_candles

M1 = Timeframe.M1
START = 1_700_000_000_000 // 60_000 * 60_000
NOW = datetime(2024, 1, 1, tzinfo=UTC)
SIZES = [3, SMALL_BATCH + 3]  # one statement, bulk load

MakeInstrument = Callable[..., Instrument]


def make_rows(instrument_id: int, count: int, **changes: Any) -> list[list[Any]]:
    return [
        [
            instrument_id,
            START + number * M1.ms,
            changes.get("open", "10.50"),
            "12345678901234567890.123456789012345678",
            "0.000000000000000001",
            changes.get("close", f"1{number}.25"),
            changes.get("volume", "3.000000000000000001"),
            changes.get("quote_volume", "32.10"),
            changes.get("trades", 12),
            "1.5",
            "16",
        ]
        for number in range(count)
    ]


@pytest.mark.parametrize("count", SIZES)
def test_it_keeps_every_digit_on_both_ways(make_instrument: MakeInstrument, count: int) -> None:
    instrument = make_instrument()

    stored = store_candles(timeframe=M1, rows=make_rows(instrument.pk, count), now=NOW)

    assert stored == Stored(new=count)
    candle = Candle.objects.get(instrument=instrument, open_time=from_ms(START + 2 * M1.ms))
    assert candle.high == Decimal("12345678901234567890.123456789012345678")
    assert candle.low == Decimal("0.000000000000000001")
    assert candle.volume == Decimal("3.000000000000000001")
    assert candle.close == Decimal("12.25")
    assert (candle.trade_count, candle.revision, candle.timeframe) == (12, 0, "1m")


@pytest.mark.parametrize("count", SIZES)
def test_the_same_candles_again_change_nothing(make_instrument: MakeInstrument, count: int) -> None:
    rows = make_rows(make_instrument().pk, count)
    store_candles(timeframe=M1, rows=rows, now=NOW)

    padded = [[*row[:2], row[2] + "000", *row[3:]] for row in rows]
    again = store_candles(timeframe=M1, rows=padded, now=NOW)

    assert again == Stored(unchanged=count)
    assert Candle.objects.count() == count


@pytest.mark.parametrize("count", SIZES)
def test_a_closed_candle_that_comes_back_different_is_kept_counted_and_logged(
    make_instrument: MakeInstrument, count: int, caplog: pytest.LogCaptureFixture
) -> None:
    rows = make_rows(make_instrument().pk, count)
    store_candles(timeframe=M1, rows=rows, now=NOW)

    rows[1][6] = "4"
    with caplog.at_level(logging.WARNING, logger="markets"):
        stored = store_candles(timeframe=M1, rows=rows, now=NOW)

    assert stored == Stored(unchanged=count - 1, revised=1)
    candle = Candle.objects.get(open_time=from_ms(rows[1][1]))
    assert (candle.volume, candle.revision) == (Decimal(4), 1)
    assert "candle.revised" in caplog.text


@pytest.mark.parametrize("count", SIZES)
def test_a_poorer_source_does_not_wipe_out_what_a_richer_one_stored(
    make_instrument: MakeInstrument, count: int
) -> None:
    instrument_id = make_instrument().pk
    store_candles(timeframe=M1, rows=make_rows(instrument_id, count), now=NOW)

    poor = make_rows(instrument_id, count, quote_volume=None, trades=None)
    stored = store_candles(timeframe=M1, rows=poor, now=NOW)

    assert stored == Stored(unchanged=count)
    assert set(Candle.objects.values_list("trade_count", flat=True)) == {12}


def test_the_last_of_a_repeated_open_time_counts(make_instrument: MakeInstrument) -> None:
    instrument_id = make_instrument().pk
    first = make_rows(instrument_id, 1, volume="1")
    second = make_rows(instrument_id, 1, volume="2")

    stored = store_candles(timeframe=M1, rows=first + second, now=NOW)

    assert stored == Stored(new=1)
    assert Candle.objects.get().volume == Decimal(2)


def test_one_bad_row_keeps_its_batch_out(make_instrument: MakeInstrument) -> None:
    rows = make_rows(make_instrument().pk, 3)
    rows[2][5] = "NaN"

    with pytest.raises(InvalidInput, match="close must be"):
        store_candles(timeframe=M1, rows=rows, now=NOW)

    assert not Candle.objects.exists()


def test_it_refuses_candles_that_have_not_closed(make_instrument: MakeInstrument) -> None:
    rows = make_rows(make_instrument().pk, 3)
    early = from_ms(START) + timedelta(minutes=1)

    with pytest.raises(InvalidInput, match="closed 1m candle"):
        store_candles(timeframe=M1, rows=rows, now=early)


def test_the_database_itself_refuses_a_candle_out_of_range(
    make_instrument: MakeInstrument,
) -> None:
    with pytest.raises(IntegrityError, match="candle_prices_in_range"), transaction.atomic():
        Candle.objects.create(
            instrument=make_instrument(),
            timeframe="1m",
            open_time=from_ms(START),
            open=Decimal("9.99"),
            high=Decimal(11),
            low=Decimal(10),
            close=Decimal(10),
            volume=Decimal(1),
        )


def test_a_close_of_many_symbols_is_one_statement(
    make_instrument: MakeInstrument, django_assert_num_queries: Any
) -> None:
    ids = [make_instrument(f"S{number}USDT").pk for number in range(20)]
    rows = [row for key in ids for row in make_rows(key, 1)]

    with django_assert_num_queries(1 + 2):  # the statement and its savepoint in this test
        stored = store_candles(timeframe=M1, rows=rows, now=NOW)

    assert stored == Stored(new=20)

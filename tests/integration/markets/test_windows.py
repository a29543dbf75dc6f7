from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from core.clock import from_ms
from markets.domain.timeframe import Timeframe
from markets.domain.windows import FLOAT_FIELDS, Window
from markets.models import Instrument
from markets.selectors import load_window
from markets.services.ingestion import store_candles
from markets.services.windows import WindowStore

M5 = Timeframe.M5
START = 1_700_000_100_000 // M5.ms * M5.ms
NOW = datetime(2024, 6, 1, tzinfo=UTC)


def rows_of(instrument_id: int, numbers: range, *, seed: int = 1) -> list[list[Any]]:
    generator = np.random.default_rng(seed + instrument_id)
    prices = {number: generator.uniform(5, 9, size=5) for number in range(numbers.stop)}
    return [
        [
            instrument_id,
            START + number * M5.ms,
            f"{prices[number][0]:.8f}",
            "9.87654321",
            "0.1",
            f"{prices[number][1]:.18f}",
            f"{prices[number][2]:.5f}",
            None if number % 7 == 0 else f"{prices[number][3]:.8f}",
            3,
            f"{prices[number][4]:.3f}",
            "1",
        ]
        for number in numbers
    ]


def close_ms(number: int) -> int:
    return START + (number + 1) * M5.ms


def assert_same(window: Window, expected: Window) -> None:
    for name in ("open_time_ms", *FLOAT_FIELDS):
        assert getattr(window, name).tobytes() == getattr(expected, name).tobytes(), name


@pytest.fixture
def ids(make_instrument: Callable[..., Instrument]) -> list[int]:
    return [make_instrument(symbol).pk for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT")]


def test_it_equals_the_database_bit_for_bit_loaded_or_extended(
    ids: list[int], django_assert_num_queries: Any
) -> None:
    store = WindowStore(capacity=50)
    for key in ids:
        store_candles(timeframe=M5, rows=rows_of(key, range(80)), now=NOW)

    with django_assert_num_queries(1):
        store.ensure(timeframe=M5, instrument_ids=ids, close_time_ms=close_ms(79))
    for number in range(80, 95):
        fresh = [row for key in ids for row in rows_of(key, range(number, number + 1))]
        store_candles(timeframe=M5, rows=fresh, now=NOW)
        store.extend(timeframe=M5, rows=fresh)
        with django_assert_num_queries(0):
            store.ensure(timeframe=M5, instrument_ids=ids, close_time_ms=close_ms(number))

    for key in ids:
        window = store.window(timeframe=M5, instrument_id=key, length=50)
        assert_same(window, load_window(instrument_id=key, timeframe=M5, limit=50))
        assert len(window) == 50
        late = store.window(timeframe=M5, instrument_id=key, length=9, close_time_ms=close_ms(90))
        end = from_ms(close_ms(90))
        assert_same(late, load_window(instrument_id=key, timeframe=M5, end=end, limit=9))


def test_it_finds_what_another_process_stored_meanwhile(ids: list[int]) -> None:
    store = WindowStore(capacity=20)
    store_candles(timeframe=M5, rows=rows_of(ids[0], range(30)), now=NOW)
    store.ensure(timeframe=M5, instrument_ids=ids[:1], close_time_ms=close_ms(29))

    store_candles(timeframe=M5, rows=rows_of(ids[0], range(30, 34)), now=NOW)
    store.extend(timeframe=M5, rows=rows_of(ids[0], range(33, 34)))
    store.ensure(timeframe=M5, instrument_ids=ids[:1], close_time_ms=close_ms(33))

    window = store.window(timeframe=M5, instrument_id=ids[0], length=20)
    assert_same(window, load_window(instrument_id=ids[0], timeframe=M5, limit=20))


def test_history_that_arrives_late_reaches_the_window_without_a_query_per_close(
    ids: list[int], django_assert_max_num_queries: Any
) -> None:
    store = WindowStore(capacity=40)
    store_candles(timeframe=M5, rows=rows_of(ids[0], range(50, 51)), now=NOW)
    store.ensure(timeframe=M5, instrument_ids=ids[:1], close_time_ms=close_ms(50))
    store_candles(timeframe=M5, rows=rows_of(ids[0], range(50)), now=NOW)
    later = rows_of(ids[0], range(51, 150))
    store_candles(timeframe=M5, rows=later, now=NOW)

    with django_assert_max_num_queries(9):
        for row in later:
            store.extend(timeframe=M5, rows=[row])
            close_time_ms = row[1] + M5.ms
            store.ensure(timeframe=M5, instrument_ids=ids[:1], close_time_ms=close_time_ms)

    window = store.window(timeframe=M5, instrument_id=ids[0], length=40)
    assert_same(window, load_window(instrument_id=ids[0], timeframe=M5, limit=40))


def test_a_hole_of_the_exchange_stays_a_hole(ids: list[int]) -> None:
    store = WindowStore(capacity=30)
    rows = rows_of(ids[0], range(40))
    store_candles(timeframe=M5, rows=rows[:20] + rows[25:], now=NOW)

    store.ensure(timeframe=M5, instrument_ids=ids, close_time_ms=close_ms(39))

    window = store.window(timeframe=M5, instrument_id=ids[0], length=30)
    assert_same(window, load_window(instrument_id=ids[0], timeframe=M5, limit=30))
    assert np.diff(window.open_time_ms).max() == 6 * M5.ms
    assert len(store.window(timeframe=M5, instrument_id=ids[1], length=30)) == 0


def test_load_window_cuts_at_open_and_close_times(ids: list[int]) -> None:
    store_candles(timeframe=M5, rows=rows_of(ids[0], range(10)), now=NOW)

    window = load_window(
        instrument_id=ids[0],
        timeframe="5m",
        start=from_ms(START + 2 * M5.ms),
        end=from_ms(close_ms(7)),
    )

    assert [(time - START) // M5.ms for time in window.open_time_ms] == [2, 3, 4, 5, 6, 7]
    assert np.isnan(window.quote_volume[5])
    assert not np.isnan(window.quote_volume[:5]).any()

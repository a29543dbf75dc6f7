"""Compact rows give back what was put in, however large it is."""

import numpy as np
import pytest

from simexchange.market.bars import COUNT, QUOTE, SOURCE_COLUMNS, VOLUME
from simexchange.market.candles import CandleStore
from simexchange.market.rows import NO_ID, CandleRows

LARGE = 2**40


def some_rows(count: int, seed: int = 1, *, largest: int = 2**30) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(1, largest, size=(count, SOURCE_COLUMNS))


@pytest.mark.parametrize("largest", [2**20, LARGE])
def test_it_gives_back_what_was_put_in(largest: int) -> None:
    rows, times = some_rows(700, largest=largest), np.arange(700) * 60_000

    held = CandleRows.of(times, rows)
    held.put_one(700, 700 * 60_000, [LARGE] * SOURCE_COLUMNS, first_id=9)

    assert (held.block(0, 700)[:, :SOURCE_COLUMNS] == rows).all()
    assert held.row(5) == rows[5].tolist()
    assert held.row(700) == [LARGE] * SOURCE_COLUMNS
    assert held.first_ids(698, 701).tolist() == [NO_ID, NO_ID, 9]
    assert held.times[700] == 700 * 60_000


def test_it_folds_as_the_wide_rows_do() -> None:
    rows = some_rows(300, largest=LARGE)
    held = CandleRows.of(np.arange(300), rows)
    held.put_one(120, 120, rows[120].tolist(), first_id=44)

    folded = held.fold(100, 200)

    part = rows[100:200]
    assert folded[:4] == [part[0, 0], part[:, 1].max(), part[:, 2].min(), part[-1, 3]]
    for column in (VOLUME, QUOTE, COUNT):
        assert folded[column] == part[:, column].sum()
    assert folded[-1] == 44


def test_it_takes_less_room_than_wide_rows() -> None:
    rows = some_rows(10_000)
    held = CandleRows.of(np.arange(10_000), rows)

    taken = held.times.nbytes + sum(column.nbytes for column in held._columns)

    assert taken == 10_000 * (8 + 4 * SOURCE_COLUMNS)


def test_it_holds_and_sums_what_64_bits_do_not_hold() -> None:
    rows = CandleRows(2)
    large = [5, 5, 5, 5, 2**62, 2**70, 3, 2**62, 2**69]
    for place in range(3):
        rows.put_one(place, place, large)

    folded = rows.fold(0, 3)

    assert rows.row(1) == large
    assert folded[4:9] == [3 * 2**62, 3 * 2**70, 9, 3 * 2**62, 3 * 2**69]
    assert rows.block(0, 3)[:, 5].tolist() == [2**70] * 3


def test_a_price_moved_by_hand_beyond_64_bits_is_folded_exactly() -> None:
    store = CandleStore("1m", CandleRows(0), 0)
    for minute in range(4):
        store.append_closed(minute * 60_000, [9, 9, 9, 9, 2**40, 2**62, 1, 0, 0])
    store.open_candle(240_000, 9)
    store.add_print(ticks=9, units=1, quote=2**66, trades=1, is_buyer_maker=True, trade_id=7)

    (candle,) = store.candles("5m", limit=1)

    assert candle.quote == 4 * 2**62 + 2**66
    assert candle.volume == 4 * 2**40 + 1

"""Compact rows give back what was put in, however large it is."""

import numpy as np
import pytest

from simexchange.market.bars import COUNT, QUOTE, SOURCE_COLUMNS, VOLUME
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

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby

import numpy as np
import pytest

from simexchange.market.candles import Candle, CandleStore
from simexchange.market.intervals import INTERVAL_MS, floor_time, floor_times, next_open
from simexchange.market.rows import CandleRows

MINUTE = 60_000
FOLDABLE = [name for name in INTERVAL_MS if name != "1s"]
START = int(datetime(2024, 1, 29, 22, 17, tzinfo=UTC).timestamp() * 1000)


def gappy_store(minutes: int = 4_000, seed: int = 5) -> CandleStore:
    rng = np.random.default_rng(seed)
    kept = np.flatnonzero(rng.random(minutes) > 0.1)
    times = START + kept * MINUTE
    prices = rng.integers(900, 1_100, size=(len(kept), 4))
    rows = np.column_stack(
        [
            prices[:, 0],
            prices.max(axis=1),
            prices.min(axis=1),
            prices[:, 3],
            rng.integers(1, 50, size=(len(kept), 5)),
        ]
    )
    return CandleStore("1m", CandleRows.of(times, rows), len(times))


def open_of(time_ms: int, interval: str) -> int:
    """Work the border out by the calendar, not by arithmetic on the epoch."""
    at = datetime.fromtimestamp(time_ms / 1000, tz=UTC)
    if interval == "1M":
        at = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    elif interval == "1w":
        at = (at - timedelta(days=at.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
    else:
        return time_ms - time_ms % INTERVAL_MS[interval]
    return int(at.timestamp() * 1000)


def fold_by_hand(store: CandleStore, interval: str) -> Iterator[tuple[int, ...]]:
    base = store.candles("1m", limit=10**6)
    for open_ms, group in groupby(base, key=lambda candle: open_of(candle.open_ms, interval)):
        part = list(group)
        yield (
            open_ms,
            part[0].open,
            max(c.high for c in part),
            min(c.low for c in part),
            part[-1].close,
            *(sum(getattr(c, name) for c in part) for name in VOLUMES),
        )


VOLUMES = ("volume", "quote", "trades", "taker", "taker_quote")


def figures(candle: Candle) -> tuple[int, ...]:
    return (
        candle.open_ms,
        candle.open,
        candle.high,
        candle.low,
        candle.close,
        *(getattr(candle, name) for name in VOLUMES),
    )


@pytest.mark.parametrize("interval", FOLDABLE)
def test_it_folds_like_brute_force(interval: str) -> None:
    store = gappy_store()

    folded = store.candles(interval, limit=10**6)

    assert [figures(c) for c in folded] == list(fold_by_hand(store, interval))
    assert [store.candle_at(interval, c.open_ms) for c in folded] == folded


@pytest.mark.parametrize("interval", ["1m", "5m", "1h", "1d", "1w", "1M"])
@pytest.mark.parametrize("limit", [1, 3, 50])
def test_it_keeps_to_the_rules_of_start_end_and_limit(interval: str, limit: int) -> None:
    store = gappy_store()
    everything = store.candles(interval, limit=10**6)
    rng = np.random.default_rng(9)

    for start, end in rng.integers(START - MINUTE, START + 4_100 * MINUTE, size=(40, 2)).tolist():
        newest = store.candles(interval, limit=limit)
        from_start = store.candles(interval, start_ms=start, limit=limit)
        up_to_end = store.candles(interval, end_ms=end, limit=limit)
        between = store.candles(interval, start_ms=start, end_ms=end, limit=limit)

        assert newest == everything[-limit:]
        assert from_start == [c for c in everything if c.open_ms >= start][:limit]
        assert up_to_end == [c for c in everything if c.open_ms <= end][-limit:]
        assert between == [c for c in everything if start <= c.open_ms <= end][:limit]


def test_it_finds_the_very_first_candle_from_time_zero() -> None:
    store = gappy_store()

    assert store.candles("1m", start_ms=0, limit=1)[0].open_ms >= START
    assert len(store.candles("1m", start_ms=0, limit=1)) == 1


def test_it_shows_the_running_candle_last() -> None:
    store = gappy_store()
    open_ms = START + 5_000 * MINUTE
    store.open_candle(open_ms, 1_000)
    store.add_print(ticks=1_010, units=5, quote=50, trades=2, is_buyer_maker=False, trade_id=77)

    last = store.candles("1m", limit=1)[0]

    assert figures(last) == (open_ms, 1_000, 1_010, 1_000, 1_010, 5, 50, 2, 5, 50)
    assert last.first_id == 77
    assert store.candles("1d", limit=1)[0].close == 1_010


def test_it_closes_with_the_sources_volumes_and_what_users_added() -> None:
    store = gappy_store()
    store.open_candle(START + 5_000 * MINUTE, 1_000)
    store.add_print(ticks=990, units=5, quote=9, trades=1, is_buyer_maker=True, trade_id=1)
    store.add_extra(
        ticks=2_000, units=3, quote=6, is_buyer_maker=False, trade_id=2, moves_range=False
    )
    source = [1_000, 1_000, 990, 990, 100, 200, 30, 40, 80]

    differs = store.close_candle(source)

    assert differs
    assert figures(store.candles("1m", limit=1)[0])[1:] == (
        1_000, 1_000, 990, 990, 103, 206, 31, 43, 86,
    )  # fmt: skip


@pytest.mark.parametrize("interval", FOLDABLE)
def test_its_borders_agree_one_by_one_and_in_bulk(interval: str) -> None:
    times = START + np.arange(0, 90 * 24 * 60, 997, dtype=np.int64) * MINUTE

    in_bulk = floor_times(times, interval, 8 * 3_600_000).tolist()

    assert in_bulk == [floor_time(t, interval, 8 * 3_600_000) for t in times.tolist()]
    for open_ms, time_ms in zip(in_bulk, times.tolist(), strict=True):
        assert open_ms <= time_ms < next_open(open_ms, interval, 8 * 3_600_000)

"""The budget of request weight and the grid of candles, for any figures."""

from hypothesis import given
from hypothesis import strategies as st

from core.clock import from_ms, to_ms
from markets.domain.budget import MINUTE_MS, Priority, Usage, priority_of, wait_ms
from markets.domain.timeframe import Timeframe

moments = st.integers(0, 4_000_000_000_000)
weights = st.integers(0, 20_000)
limits = st.integers(1, 10_000)
usages = st.builds(Usage, minute=st.integers(0, 70_000_000), used=weights, frozen_until_ms=moments)
priorities = st.sampled_from(Priority)
timeframes = st.sampled_from(Timeframe)


@given(usage=usages, limit=limits, now_ms=moments)
def test_what_matters_more_never_waits_longer(usage, limit, now_ms):
    waits = [wait_ms(usage, priority=p, limit=limit, now_ms=now_ms) for p in sorted(Priority)]

    assert waits == sorted(waits, reverse=True)


@given(used=weights, limit=limits, now_ms=moments)
def test_a_cancel_goes_while_anything_is_left(used, limit, now_ms):
    usage = Usage(minute=now_ms // MINUTE_MS, used=used)

    waits = wait_ms(usage, priority=Priority.CANCEL, limit=limit, now_ms=now_ms)

    assert (waits == 0) == (used < limit)


@given(usage=usages, priority=priorities, limit=limits, now_ms=moments)
def test_nobody_asks_while_the_exchange_wants_quiet(usage, priority, limit, now_ms):
    waits = wait_ms(usage, priority=priority, limit=limit, now_ms=now_ms)

    assert waits >= usage.frozen_until_ms - now_ms


@given(used=weights, priority=priorities, limit=limits, now_ms=moments)
def test_after_the_wait_there_is_room(used, priority, limit, now_ms):
    usage = Usage(minute=now_ms // MINUTE_MS, used=used)
    waits = wait_ms(usage, priority=priority, limit=limit, now_ms=now_ms)

    assert wait_ms(usage, priority=priority, limit=limit, now_ms=now_ms + waits) == 0
    assert waits <= MINUTE_MS


@given(path=st.text(max_size=30), side=st.sampled_from(["", "BUY", "SELL"]))
def test_every_deletion_is_a_cancel(path, side):
    assert priority_of(method="delete", path=path, side=side) is Priority.CANCEL


@given(timeframe=timeframes, time_ms=moments)
def test_a_moment_lies_in_its_own_candle(timeframe, time_ms):
    opened_ms = timeframe.floor_ms(time_ms)

    assert opened_ms <= time_ms < opened_ms + timeframe.ms
    assert timeframe.floor_ms(opened_ms) == opened_ms


@given(time_ms=moments)
def test_milliseconds_survive_the_way_through_a_datetime(time_ms):
    assert to_ms(from_ms(time_ms)) == time_ms

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.domain.timeframe import Timeframe
from markets.domain.windows import FLOAT_FIELDS, Change, RingWindow, Window

MINUTE = 60_000


def values(number: float) -> tuple[float, ...]:
    return tuple(number + offset / 10 for offset in range(len(FLOAT_FIELDS)))


def ring(capacity: int = 5) -> RingWindow:
    return RingWindow(timeframe=Timeframe.M1, capacity=capacity)


def minutes(window: Window) -> list[int]:
    return [int(time) // MINUTE for time in window.open_time_ms]


@given(order=st.lists(st.integers(0, 30), max_size=400), capacity=st.integers(1, 12))
def test_it_holds_the_newest_in_order_whatever_the_order_of_arrival(
    order: list[int], capacity: int
) -> None:
    store = ring(capacity)
    model: dict[int, float] = {}

    for number, minute in enumerate(order):
        change = store.put(minute * MINUTE, values(number))
        if change is not Change.IGNORED:
            model[minute] = number
        model = {key: model[key] for key in sorted(model)[-capacity:]}

    window = store.window(length=capacity)
    assert minutes(window) == list(model)
    assert window.open.tolist() == list(model.values())
    assert window.taker_buy_base.tolist() == [value + 0.6 for value in model.values()]


def test_it_tells_what_each_candle_did() -> None:
    store = ring(capacity=4)

    changes = [store.put(minute * MINUTE, values(minute)) for minute in (10, 11, 14, 12, 14, 9, 8)]

    assert changes == [
        Change.APPENDED,
        Change.APPENDED,
        Change.GAPPED,
        Change.INSERTED,
        Change.REPLACED,
        Change.IGNORED,
        Change.IGNORED,
    ]
    assert store.has_gap
    assert store.put(13 * MINUTE, values(13)) is Change.INSERTED
    assert minutes(store.window(length=9)) == [11, 12, 13, 14]
    assert not store.has_gap


def test_it_stays_right_over_many_turns_of_the_buffer() -> None:
    store = ring(capacity=3)

    for minute in range(1000):
        store.put(minute * MINUTE, values(minute))

    assert minutes(store.window(length=3)) == [997, 998, 999]
    assert store.window(length=2).close.tolist() == [values(998)[3], values(999)[3]]


def test_its_windows_do_not_change_afterwards_and_can_end_earlier() -> None:
    store = ring()
    for minute in range(5):
        store.put(minute * MINUTE, values(minute))

    before = store.window(length=5)
    store.put(4 * MINUTE, values(99))
    store.put(5 * MINUTE, values(5))

    assert before.open.tolist() == [0, 1, 2, 3, 4]
    assert minutes(store.window(length=2, end_ms=4 * MINUTE)) == [2, 3]


def test_a_window_has_arrays_of_one_length() -> None:
    floats = dict.fromkeys(FLOAT_FIELDS, np.zeros(3))

    assert len(Window(open_time_ms=np.arange(3), **floats).tail(2)) == 2
    with pytest.raises(ValueError, match="must have shape"):
        Window(open_time_ms=np.arange(2), **floats)

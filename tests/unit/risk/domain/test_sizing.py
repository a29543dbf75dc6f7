from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.domain.sizing import shrink_fraction, size_entry

D = Decimal


def size(**changes):
    values = {
        "base_notional": D(1000),
        "max_notional": D(10000),
        "room": D(10000),
        "net_return": 0.004,
        "sigma": 0.01,
        "confidence": 0.65,
        "effective_samples": 600.0,
    }
    return size_entry(**{**values, **changes})


def test_it_scales_the_base_by_a_shrunk_quarter_kelly() -> None:
    # 0.25 * 0.004 / 0.01**2 * 600 / 800 = 7.5
    assert size() == D("7500.00")


def test_it_never_goes_below_the_base() -> None:
    assert size(net_return=0.0001, sigma=0.02) == D(1000)


def test_it_never_goes_above_the_largest_position() -> None:
    assert size(net_return=0.05) == D(10000)


def test_it_never_goes_above_the_largest_position_where_there_is_more_room() -> None:
    assert size(net_return=0.05, max_notional=D(4000)) == D(4000)


def test_it_never_puts_in_more_than_a_thousand_times_the_base() -> None:
    assert size(net_return=1.0, base_notional=D(1), confidence=1.0) == D(1000)


@pytest.mark.parametrize(("room", "expected"), [("400.129", "400.12"), ("0", "0"), ("-5", "0")])
def test_it_stays_in_the_room_that_is_left(room: str, expected: str) -> None:
    assert size(room=D(room)) == D(expected)


def test_it_takes_the_base_when_there_is_no_spread_to_measure_against() -> None:
    assert size(sigma=0.0) == D(1000)


@pytest.mark.parametrize(
    ("confidence", "expected"), [(0.4, 0.0), (0.5, 0.0), (0.75, 0.5), (1.0, 1.0)]
)
def test_it_trusts_a_model_of_unknown_sample_as_far_as_its_confidence(
    confidence: float, expected: float
) -> None:
    assert shrink_fraction(confidence=confidence, effective_samples=None) == pytest.approx(expected)


@given(
    st.floats(-1, 1),
    st.floats(0, 1),
    st.floats(0, 1),
    st.none() | st.floats(0, 1e6),
    st.decimals(0, 50_000, places=2),
)
def test_it_stays_within_its_bounds(net_return, sigma, confidence, samples, room) -> None:
    notional = size(
        net_return=net_return,
        sigma=sigma,
        confidence=confidence,
        effective_samples=samples,
        room=room,
    )

    assert min(D(1000), room) <= notional <= min(D(10000), room)

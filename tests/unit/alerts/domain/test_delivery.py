from datetime import timedelta
from itertools import product

import pytest

from alerts.domain.delivery import (
    FINAL,
    TRANSITIONS,
    DeliveryEvent,
    DeliveryState,
    IllegalTransition,
    advance,
    wait_after,
)
from alerts.domain.severity import Severity, at_least


@pytest.mark.parametrize(("state", "event"), list(product(DeliveryState, DeliveryEvent)))
def test_it_moves_only_as_the_table_says(state, event):
    if (state, event) in TRANSITIONS:
        assert advance(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(IllegalTransition, match=str(state)):
            advance(state, event)


def test_nothing_leaves_a_final_state():
    assert not {state for state, _ in TRANSITIONS} & FINAL


def test_it_waits_longer_each_time_up_to_a_limit():
    waits = [wait_after(attempts) for attempts in range(1, 100)]

    assert waits[:3] == [timedelta(seconds=15), timedelta(seconds=30), timedelta(seconds=60)]
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(minutes=10)


def test_severities_are_ordered():
    assert at_least(Severity.ERROR) == (Severity.ERROR, Severity.CRITICAL)

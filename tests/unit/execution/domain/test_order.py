"""Every state and every event: the table says all there is to say."""

import itertools

import pytest

from execution.domain.order import (
    FINAL_STATES,
    LIST_TYPES,
    LIVE_STATES,
    RESTING_STATES,
    TRANSITIONS,
    UNRESOLVED_STATES,
    IllegalTransition,
    OrderEvent,
    OrderState,
    OrderType,
    next_state,
)

S, E = OrderState, OrderEvent
# Written a second time, by hand and by event, so that an edit of the table must be meant twice.
EXPECTED = {
    E.CLAIM: {S.APPROVED: S.SENDING},
    E.LAPSE: {S.APPROVED: S.LAPSED, S.SENDING: S.LAPSED},
    E.REJECT: {
        S.SENDING: S.REJECTED,
        S.UNKNOWN: S.REJECTED,
        S.PENDING_NEW: S.REJECTED,
        S.NEW: S.REJECTED,
        S.REJECTED: S.REJECTED,
    },
    E.LOSE_TRACK: {
        S.SENDING: S.UNKNOWN,
        S.UNKNOWN: S.UNKNOWN,
        S.QUARANTINED: S.QUARANTINED,
    },
    E.PROVE_ABSENT: {S.UNKNOWN: S.NOT_ACCEPTED, S.QUARANTINED: S.NOT_ACCEPTED},
    E.GIVE_UP: {S.UNKNOWN: S.QUARANTINED},
    E.WAIT: {
        **dict.fromkeys(
            (S.SENDING, S.UNKNOWN, S.QUARANTINED, S.PENDING_NEW, S.NOT_ACCEPTED, S.REJECTED),
            S.PENDING_NEW,
        ),
        S.NEW: S.NEW,
        S.PARTIALLY_FILLED: S.PARTIALLY_FILLED,
        S.FILLED: S.FILLED,
        S.CANCELED: S.CANCELED,
        S.EXPIRED: S.EXPIRED,
    },
    E.ACCEPT: {
        **dict.fromkeys(
            (
                S.SENDING,
                S.UNKNOWN,
                S.QUARANTINED,
                S.PENDING_NEW,
                S.NEW,
                S.NOT_ACCEPTED,
                S.REJECTED,
            ),
            S.NEW,
        ),
        S.PARTIALLY_FILLED: S.PARTIALLY_FILLED,
        S.FILLED: S.FILLED,
        S.CANCELED: S.CANCELED,
        S.EXPIRED: S.EXPIRED,
    },
    E.FILL_PART: {
        **dict.fromkeys(
            (
                S.SENDING,
                S.UNKNOWN,
                S.QUARANTINED,
                S.PENDING_NEW,
                S.NEW,
                S.NOT_ACCEPTED,
                S.REJECTED,
                S.PARTIALLY_FILLED,
            ),
            S.PARTIALLY_FILLED,
        ),
        S.FILLED: S.FILLED,
        S.CANCELED: S.CANCELED,
        S.EXPIRED: S.EXPIRED,
    },
    E.FILL: dict.fromkeys(
        (
            S.SENDING,
            S.UNKNOWN,
            S.QUARANTINED,
            S.PENDING_NEW,
            S.NEW,
            S.NOT_ACCEPTED,
            S.REJECTED,
            S.PARTIALLY_FILLED,
            S.FILLED,
            S.CANCELED,
            S.EXPIRED,
        ),
        S.FILLED,
    ),
    E.CANCEL: dict.fromkeys(
        (
            S.SENDING,
            S.UNKNOWN,
            S.QUARANTINED,
            S.PENDING_NEW,
            S.NEW,
            S.NOT_ACCEPTED,
            S.REJECTED,
            S.PARTIALLY_FILLED,
            S.CANCELED,
        ),
        S.CANCELED,
    ),
    E.EXPIRE: dict.fromkeys(
        (
            S.SENDING,
            S.UNKNOWN,
            S.QUARANTINED,
            S.PENDING_NEW,
            S.NEW,
            S.NOT_ACCEPTED,
            S.REJECTED,
            S.PARTIALLY_FILLED,
            S.EXPIRED,
        ),
        S.EXPIRED,
    ),
}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(OrderState, OrderEvent)))
def test_it_allows_exactly_the_moves_of_the_table(state, event):
    expected = EXPECTED[event].get(state)

    if expected is None:
        with pytest.raises(IllegalTransition) as caught:
            next_state(7, state, event)
        assert caught.value.context == {"order_id": 7, "state": state, "event": event}
    else:
        assert next_state(7, state, event) is expected


def test_it_never_sends_an_order_a_second_time():
    into_sending = [move for move, after in TRANSITIONS.items() if after is S.SENDING]

    assert into_sending == [(S.APPROVED, E.CLAIM)]


def test_it_never_returns_to_what_only_we_know():
    ours = {S.APPROVED, S.DENIED, S.SENDING}

    assert all(
        after not in ours for (state, event), after in TRANSITIONS.items() if event is not E.CLAIM
    )


def test_it_splits_the_states_into_live_and_final():
    assert set(OrderState) == LIVE_STATES | FINAL_STATES
    assert UNRESOLVED_STATES < LIVE_STATES
    assert RESTING_STATES < LIVE_STATES


@pytest.mark.parametrize("state", OrderState)
def test_it_expects_nothing_more_of_a_final_order(state):
    alive = {"APPROVED", "SENDING", "UNKNOWN", "QUARANTINED"}
    alive |= {"PENDING_NEW", "NEW", "PARTIALLY_FILLED"}

    assert state.is_final is (state.value not in alive)


def test_it_says_what_is_illegal():
    with pytest.raises(IllegalTransition) as caught:
        next_state(7, S.FILLED, E.CLAIM)

    assert caught.value.message == "order 7 cannot CLAIM while FILLED"


def test_only_a_pair_stands_for_several_orders_at_the_exchange():
    assert {kind for kind in OrderType if kind.is_list} == LIST_TYPES == {OrderType.OCO}

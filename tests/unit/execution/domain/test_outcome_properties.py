"""Whatever the exchange answers: what we do not know for certain stays in doubt."""

from hypothesis import given
from hypothesis import strategies as st

from execution.domain.fill import STATUS_EVENTS, VenueStatus
from execution.domain.ids import PREFIX, client_order_id, is_ours
from execution.domain.order import FINAL_STATES, TRANSITIONS, Leg, OrderEvent, OrderState
from execution.domain.outcome import (
    UNKNOWN_CODES,
    Outcome,
    Reaction,
    classify_refusal,
    reaction_to,
)

codes = st.integers(-9999, 9999)
statuses = st.integers(300, 599)
texts = st.text(max_size=30)
names = st.text(min_size=1, max_size=20)
legs = st.sampled_from(Leg)
VALID = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@given(status=st.integers(500, 599), code=codes, text=texts)
def test_a_server_error_is_never_a_refusal(status, code, text):
    assert classify_refusal(http_status=status, code=code, message=text) is Outcome.UNKNOWN


@given(status=statuses, code=st.sampled_from(sorted(UNKNOWN_CODES)), text=texts)
def test_a_code_that_leaves_it_open_is_never_a_refusal(status, code, text):
    assert classify_refusal(http_status=status, code=code, message=text) is Outcome.UNKNOWN


@given(status=statuses, code=st.integers(1, 9999), text=texts)
def test_an_undocumented_code_settles_nothing_by_itself(status, code, text):
    found = classify_refusal(http_status=status, code=code, message=text)

    assert found is Outcome.UNKNOWN or status in (401, 403, 418, 429)


@given(status=statuses, code=codes, text=texts)
def test_no_refusal_is_taken_for_an_acceptance(status, code, text):
    found = classify_refusal(http_status=status, code=code, message=text)

    assert found in (Outcome.REJECTED, Outcome.DUPLICATE, Outcome.UNKNOWN)


@given(status=st.integers(400, 499), before=texts, after=texts)
def test_a_duplicate_is_ours_and_is_asked_for(status, before, after):
    text = f"{before}DUPLICATE order sent{after}"

    assert classify_refusal(http_status=status, code=-2010, message=text) is Outcome.DUPLICATE


@given(status=st.sampled_from([403, 418, 429]), code=codes)
def test_whoever_asks_for_quiet_gets_it_whatever_else_he_says(status, code):
    assert reaction_to(http_status=status, code=code) is Reaction.BACK_OFF


@given(status=st.sampled_from([400, 401]), code=st.sampled_from([-2014, -2015]))
def test_a_revoked_key_halts(status, code):
    assert reaction_to(http_status=status, code=code) is Reaction.HALT


@given(account=names, key=names, leg=legs, attempt=st.integers(1, 10_000))
def test_a_name_is_one_that_the_exchange_takes(account, key, leg, attempt):
    name = client_order_id(account=account, key=key, leg=leg, attempt=attempt)

    assert name.startswith(PREFIX)
    assert len(name) <= 36
    assert set(name) <= set(VALID)
    assert is_ours(name)


@given(account=names, key=names, leg=legs, attempts=st.sets(st.integers(1, 999), min_size=2))
def test_no_two_attempts_share_a_name(account, key, leg, attempts):
    made = {client_order_id(account=account, key=key, leg=leg, attempt=n) for n in attempts}

    assert len(made) == len(attempts)


@given(name=st.text(alphabet=VALID, max_size=36))
def test_a_name_of_another_length_is_somebody_elses(name):
    assert not is_ours(name) or len(name) == 29


@given(state=st.sampled_from(OrderState), events=st.lists(st.sampled_from(OrderEvent)))
def test_an_order_that_filled_stays_filled(state, events):
    """Walk the table by any events: what is illegal leaves the order where it is."""
    has_filled = False
    for event in events:
        state = TRANSITIONS.get((state, event), state)
        has_filled = has_filled or state is OrderState.FILLED
        assert not has_filled or state is OrderState.FILLED


@given(state=st.sampled_from(sorted(FINAL_STATES)), events=st.lists(st.sampled_from(OrderEvent)))
def test_no_event_of_ours_wakes_what_is_final(state, events):
    """Only the exchange's own word does: it knows an order that we held for dead."""
    told = set(STATUS_EVENTS.values())
    for event in events:
        state = TRANSITIONS.get((state, event), state)
        if state not in FINAL_STATES:
            assert event in told
            return


@given(status=st.sampled_from(VenueStatus), state=st.sampled_from([OrderState.UNKNOWN]))
def test_whatever_the_exchange_shows_ends_the_doubt(status, state):
    after = TRANSITIONS[state, STATUS_EVENTS[status]]

    assert after not in (OrderState.UNKNOWN, OrderState.SENDING)

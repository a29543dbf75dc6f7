"""Client order ids: the same wish, the same name."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.domain.ids import client_order_id, is_ours
from execution.domain.order import Leg

PARTS = st.tuples(
    st.text(min_size=1, max_size=20).filter(lambda text: "|" not in text),
    st.integers(1, 10**12),
    st.sampled_from(Leg),
    st.integers(1, 99),
)


@given(PARTS)
def test_it_is_deterministic_and_legal_at_the_exchange(parts):
    account, decision_id, leg, attempt = parts

    first = client_order_id(
        account=account, key=f"decision:{decision_id}", leg=leg, attempt=attempt
    )
    again = client_order_id(
        account=account, key=f"decision:{decision_id}", leg=leg, attempt=attempt
    )

    assert first == again
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,36}", first)
    assert is_ours(first)


@given(PARTS, PARTS)
def test_it_differs_when_any_part_differs(one, other):
    def name(parts):
        account, decision_id, leg, attempt = parts
        return client_order_id(
            account=account, key=f"decision:{decision_id}", leg=leg, attempt=attempt
        )

    assert (name(one) == name(other)) is (one == other)


def test_it_keeps_its_names_for_ever():
    # A changed digest would send every approved order of yesterday again under another name.
    name = client_order_id(account="demo", key="decision:1", leg=Leg.ENTRY, attempt=1)

    assert name == "ts-EUPJWANYRAEWHXW4RTXOIQ7564"


def test_it_refuses_an_attempt_before_the_first():
    with pytest.raises(ValueError, match="was 0"):
        client_order_id(account="demo", key="decision:1", leg=Leg.ENTRY, attempt=0)


@pytest.mark.parametrize("foreign", ["x-HNA2TXFJabc", "web_123", "ts-short", ""])
def test_it_knows_a_stranger(foreign):
    assert not is_ours(foreign)

"""Claims that age, and requests of two halves: both are written ahead, renewed and numbered."""

from datetime import timedelta
from decimal import Decimal

import pytest

from execution.domain.request import digest
from execution.models import Order, SubmitAttempt
from execution.services.claims import claim_cancels, fence_after, renew_claim
from execution.services.order_rows import RESTRICTION
from risk.services.trading_state import read_state
from tests.fakes.claiming import approve, claim, hold, rest, settle

D = Decimal
MS = timedelta(milliseconds=1)


def test_an_aged_claim_is_renewed_only_by_who_still_holds_it(world):
    settle(world)
    [made] = claim(world, approve(world, world.decide("BTCUSDT")))
    signed_at = made.attempt.signed_at
    world.clock.advance(3)

    assert renew_claim(made, clock=world.clock)

    row = SubmitAttempt.objects.get()
    assert row.signed_at == made.attempt.signed_at == signed_at + timedelta(seconds=3) + MS
    assert row.fence_at == fence_after(row.signed_at, world.clock)
    Order.objects.update(state="UNKNOWN")
    assert not renew_claim(made, clock=world.clock)
    Order.objects.update(state="SENDING")
    SubmitAttempt.objects.update(outcome="UNKNOWN")
    assert not renew_claim(made, clock=world.clock)
    assert SubmitAttempt.objects.get().signed_at == row.signed_at


def test_one_claim_is_renewed_and_the_others_of_its_moment_are_not(world):
    settle(world)
    ids = approve(world, world.decide("BTCUSDT"), world.decide("ETHUSDT"))
    one, other = claim(world, ids)
    assert one.attempt.signed_at == other.attempt.signed_at
    world.clock.advance(3)

    assert renew_claim(one, clock=world.clock)

    assert one.attempt.fence_at == fence_after(one.attempt.signed_at, world.clock)
    row = SubmitAttempt.objects.get(pk=other.attempt.pk)
    assert (row.signed_at, row.fence_at) == (other.attempt.signed_at, other.attempt.fence_at)
    SubmitAttempt.objects.filter(pk=other.attempt.pk).update(signed_at=world.clock.now())
    assert not renew_claim(other, clock=world.clock)  # somebody else has signed it since


@pytest.mark.parametrize("before", [0, 1])
def test_a_claim_that_replaces_an_order_writes_both_of_its_halves_ahead(world, before):
    settle(world)
    old = rest(world)
    ids = approve(world, world.decide("ETHUSDT"))
    Order.objects.filter(pk__in=ids).update(supersedes=old, context={RESTRICTION: "ONLY_NEW"})
    claim_cancels(orders=[old] * before, clock=world.clock)

    [made] = claim(world, ids)
    world.clock.advance(3)
    assert renew_claim(made, clock=world.clock)

    half = SubmitAttempt.objects.get(pk=made.cancel_attempt.pk)
    whole = SubmitAttempt.objects.get(pk=made.attempt.pk)
    assert made.request.canceled_client_order_id == old.client_order_id
    assert (half.order_id, half.kind, half.number) == (old.pk, "CANCEL", before + 1)
    assert half.evidence == {"replaced_by": ids[0]}
    for name in ("epoch", "signed_at", "fence_at", "request_sha256", "outcome", "created_at"):
        assert getattr(half, name) == getattr(whole, name), name
    assert whole.signed_at > whole.created_at


def test_nothing_is_placed_in_the_stead_of_an_order_that_is_gone(world):
    settle(world)
    hold(world)
    entry = Order.objects.get(leg="ENTRY")
    ids = approve(world, world.decide("ETHUSDT"))
    Order.objects.filter(pk__in=ids).update(supersedes=entry, context={RESTRICTION: "ONLY_NEW"})

    assert claim(world, ids) == []

    order = Order.objects.get(pk=ids[0])
    assert (order.state, order.reason) == ("LAPSED", "NOTHING_TO_REPLACE")


def test_cancels_of_one_order_are_numbered(world):
    settle(world)
    hold(world)
    pair = Order.objects.get(leg="PROTECT")

    for number in (1, 2):
        [made] = claim_cancels(orders=[pair], clock=world.clock)
        row = SubmitAttempt.objects.get(kind="CANCEL", number=number)
        assert (row.pk, row.order_id, row.outcome) == (made.attempt.pk, pair.pk, "SENDING")
        assert row.epoch == read_state().epoch
        assert row.fence_at - row.signed_at == timedelta(seconds=17)
        assert row.request_sha256 == digest(made.request.parameters())

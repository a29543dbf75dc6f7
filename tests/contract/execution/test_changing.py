"""Cancel-replace and amendments at every broker: each half of each reply is known."""

from decimal import Decimal

import pytest

from execution.domain.fill import VenueStatus
from execution.domain.outcome import Outcome
from execution.domain.request import AmendRequest, ReplaceRequest, Restriction, digest
from tests.fakes.broker import Fault
from tests.fakes.broker_desk import SYMBOL, name, order, post_json, rounded, submit

pytestmark = pytest.mark.contract
SIM_OPTIONS = ("--generate", "--symbols", "BTCUSDT,ETHUSDT", "--balance", "BTC=1,USDT=100000")
D = Decimal


def rest(desk, request):
    wanted = order(name(request), price=rounded(desk.price * D("0.9")))
    assert submit(desk, wanted).outcome is Outcome.ACCEPTED
    return wanted


def replace(desk, request, *, quantity="0.02", restriction=Restriction.ONLY_NEW):
    wanted = ReplaceRequest(
        order=order(
            name(request, attempt=2), quantity=quantity, price=rounded(desk.price * D("0.91"))
        ),
        canceled_client_order_id=name(request),
        restriction=restriction,
    )
    return desk.broker.replace(
        wanted, request_sha256=digest(wanted.parameters()), signed_at=desk.clock.now()
    )


def amend(desk, request, quantity):
    wanted = AmendRequest(symbol=SYMBOL, client_order_id=name(request), quantity=D(quantity))
    return desk.broker.amend(
        wanted, request_sha256=digest(wanted.parameters()), signed_at=desk.clock.now()
    )


def test_it_cancels_one_and_places_the_other(desk, request):
    rest(desk, request)

    reply = replace(desk, request)

    assert (reply.outcome, reply.cancel.outcome) == (Outcome.ACCEPTED, Outcome.ACCEPTED)
    assert reply.reports[0].client_order_id == name(request, attempt=2)
    assert reply.cancel.reports[0].client_order_id == name(request)
    assert reply.cancel.reports[0].status is VenueStatus.CANCELED
    assert [o.quantity for o in desk.broker.open_orders(SYMBOL)] == [D("0.02")]


def test_it_places_nothing_when_there_is_nothing_to_cancel(desk, request):
    reply = replace(desk, request)

    assert (reply.outcome, reply.cancel.outcome) == (Outcome.REJECTED, Outcome.REJECTED)
    assert reply.cancel.code == -2011
    assert desk.broker.query(SYMBOL, name(request, attempt=2)) is None


def test_it_tells_that_only_the_cancel_was_done(desk, request):
    rest(desk, request)

    reply = replace(desk, request, quantity="10")

    assert (reply.outcome, reply.code) == (Outcome.REJECTED, -2010)
    assert reply.cancel.outcome is Outcome.ACCEPTED
    assert desk.broker.query(SYMBOL, name(request)).status is VenueStatus.CANCELED


def test_it_leaves_what_is_not_as_filled_as_was_seen(desk, request):
    rest(desk, request)

    reply = replace(desk, request, restriction=Restriction.ONLY_PARTIALLY_FILLED)

    assert (reply.outcome, reply.cancel.outcome) == (Outcome.REJECTED, Outcome.REJECTED)
    assert desk.broker.query(SYMBOL, name(request)).status is VenueStatus.NEW


@pytest.mark.parametrize("accepted", [True, False])
def test_it_knows_neither_half_of_a_lost_reply(desk, request, accepted):
    rest(desk, request)
    desk.lose_next_reply("/api/v3/order/cancelReplace", "replace", accepted=accepted)

    reply = replace(desk, request)

    assert (reply.outcome, reply.cancel.outcome) == (Outcome.UNKNOWN, Outcome.UNKNOWN)
    assert (desk.broker.query(SYMBOL, name(request, attempt=2)) is not None) is accepted


def test_it_does_not_guess_when_the_reply_leaves_out_which_half_failed(desk, request):
    if desk.sim_url is None:
        pytest.skip("the exchange in memory always says which half")
    rest(desk, request)
    rule = {
        "match": {"method": "POST", "path": "/api/v3/order/cancelReplace"},
        "fault": "http",
        "status": 409,
        "code": -2021,
        "msg": "Order cancel-replace partially failed.",
        "accepted": True,
        "times": 1,
    }
    post_json(f"{desk.sim_url}/_sim/faults", [rule])

    reply = replace(desk, request)

    assert (reply.outcome, reply.cancel.outcome) == (Outcome.UNKNOWN, Outcome.UNKNOWN)


def test_it_makes_an_order_smaller_under_its_own_name(desk, request):
    rest(desk, request)

    reply = amend(desk, request, "0.004")

    assert reply.outcome is Outcome.ACCEPTED, reply
    assert (reply.reports[0].client_order_id, reply.reports[0].quantity) == (
        name(request),
        D("0.004"),
    )
    told = desk.broker.query(SYMBOL, name(request))
    assert (told.status, told.quantity) == (VenueStatus.NEW, D("0.004"))


@pytest.mark.parametrize("quantity", ["0.01", "0.02"])
def test_it_refuses_to_make_it_no_smaller(desk, request, quantity):
    rest(desk, request)

    assert amend(desk, request, quantity).outcome is Outcome.REJECTED
    assert desk.broker.query(SYMBOL, name(request)).quantity == D("0.01")


def test_it_does_not_know_whether_an_amendment_without_a_reply_was_done(desk, request):
    rest(desk, request)
    if desk.sim_url is None:
        desk.broker.faults.append(Fault("amend", "lose_reply"))
    else:
        match = {"method": "PUT", "path": "/api/v3/order/amend/keepPriority"}
        rule = {"match": match, "fault": "accept_then_drop_reply", "times": 1}
        post_json(f"{desk.sim_url}/_sim/faults", [rule])

    assert amend(desk, request, "0.004").outcome is Outcome.UNKNOWN
    assert desk.broker.query(SYMBOL, name(request)).quantity == D("0.004")

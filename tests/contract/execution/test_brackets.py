"""An entry with a pair that waits for it, at every broker: what is told, and what happens when."""

import time
from decimal import Decimal

import pytest

from execution.domain.fill import VenueStatus
from execution.domain.order import Leg, OrderType, Side
from execution.domain.outcome import Outcome
from execution.domain.request import CancelRequest, OcoRequest, OtocoRequest, Terms, digest
from tests.fakes.broker_desk import SYMBOL, name, order, rounded

pytestmark = pytest.mark.contract
SIM_OPTIONS = ("--generate", "--symbols", "BTCUSDT,ETHUSDT", "--balance", "BTC=1,USDT=100000")
D = Decimal
_WAITING = {VenueStatus.PENDING_NEW}


def bracket(desk, request, *, price_share="0.98", held="0.00999"):
    pair = OcoRequest(
        symbol=SYMBOL,
        side=Side.SELL,
        quantity=D(held),
        list_client_order_id=name(request, leg=Leg.PROTECT),
        take_profit=Terms(
            type=OrderType.LIMIT_MAKER,
            client_order_id=name(request, leg=Leg.TAKE_PROFIT),
            price=rounded(desk.price * D("1.1")),
        ),
        stop=Terms(
            type=OrderType.STOP_LOSS,
            client_order_id=name(request, leg=Leg.STOP_LOSS),
            stop_price=rounded(desk.price * D("0.9")),
        ),
    )
    entry = order(name(request), price=rounded(desk.price * D(price_share)))
    return OtocoRequest(working=entry, pending=pair)


def submit(desk, wanted):
    return desk.broker.submit_list(
        wanted, request_sha256=digest(wanted.parameters()), signed_at=desk.clock.now()
    )


def cancel(desk, client_order_id, *, is_list=False):
    wanted = CancelRequest(symbol=SYMBOL, client_order_id=client_order_id, is_list=is_list)
    return desk.broker.cancel(
        wanted, request_sha256=digest(wanted.parameters()), signed_at=desk.clock.now()
    )


def legs_of(desk, wanted):
    """Return the pair's states once the exchange has placed it, or refused to."""
    for _ in range(100):
        found = [desk.broker.query(SYMBOL, leg) for leg in sorted(wanted.pending.names)]
        if {leg.status for leg in found} != _WAITING:
            break
        time.sleep(0.05)
    return {leg.status for leg in found}


def test_the_pair_waits_and_locks_nothing(desk, request):
    wanted = bracket(desk, request)

    reply = submit(desk, wanted)

    assert reply.outcome is Outcome.ACCEPTED
    told = {report.client_order_id: report for report in reply.reports}
    assert told.keys() == wanted.names
    assert told[wanted.working.client_order_id].status is VenueStatus.NEW
    assert {told[leg].status for leg in wanted.pending.names} == _WAITING
    assert len({report.venue_list_id for report in reply.reports} - {None}) == 1
    assert {desk.broker.query(SYMBOL, leg).status for leg in wanted.pending.names} == _WAITING
    locked = {item.asset: item.locked for item in desk.broker.balances()}
    assert locked["BTC"] == 0
    assert locked["USDT"] == wanted.working.price * wanted.working.quantity


@pytest.mark.parametrize("by", ["entry", "leg", "list"])
def test_whichever_is_cancelled_all_three_go(desk, request, by):
    wanted = bracket(desk, request)
    submit(desk, wanted)
    names = {
        "entry": wanted.working.client_order_id,
        "leg": wanted.pending.stop.client_order_id,
        "list": wanted.list_client_order_id,
    }

    reply = cancel(desk, names[by], is_list=by == "list")

    assert reply.outcome is Outcome.ACCEPTED
    assert {report.client_order_id for report in reply.reports} == wanted.names
    assert {report.status for report in reply.reports} == {VenueStatus.CANCELED}


def test_a_filled_entry_brings_the_pair_and_cannot_be_cancelled_any_more(desk, request):
    wanted = bracket(desk, request, price_share="1.02")

    reply = submit(desk, wanted)

    told = {report.client_order_id: report for report in reply.reports}
    assert told[wanted.working.client_order_id].status is VenueStatus.FILLED
    assert legs_of(desk, wanted) == {VenueStatus.NEW}
    too_late = cancel(desk, wanted.working.client_order_id)
    assert (too_late.outcome, too_late.code) == (Outcome.REJECTED, -2011)
    assert legs_of(desk, wanted) == {VenueStatus.NEW}
    ended = cancel(desk, wanted.list_client_order_id, is_list=True)
    assert {report.client_order_id for report in ended.reports} == wanted.pending.names


def test_a_pair_of_more_than_is_held_is_refused_when_its_time_comes(desk, request):
    wanted = bracket(desk, request, price_share="1.02", held="5")

    assert submit(desk, wanted).outcome is Outcome.ACCEPTED

    assert legs_of(desk, wanted) == {VenueStatus.EXPIRED}

"""Every order type and every pair, at every broker."""

from decimal import Decimal

import pytest

from execution.domain.fill import VenueStatus
from execution.domain.order import Leg, OrderType, Side, TimeInForce
from execution.domain.outcome import Outcome
from execution.domain.request import OcoRequest, OrderRequest, Terms, digest
from tests.fakes.broker_desk import SYMBOL, name, rounded, submit

pytestmark = pytest.mark.contract
SIM_OPTIONS = ("--generate", "--symbols", "BTCUSDT,ETHUSDT", "--balance", "BTC=1,USDT=100000")
D = Decimal


# type, side, price and stop price as shares of the market's, trailing delta, time in force, status
@pytest.mark.parametrize(
    ("kind", "side", "price", "stop", "delta", "time", "status"),
    [
        ("LIMIT", "BUY", "0.9", None, None, "GTC", "NEW"),
        ("LIMIT", "BUY", "0.9", None, None, "IOC", "EXPIRED"),
        ("LIMIT", "BUY", "0.9", None, None, "FOK", "EXPIRED"),
        ("LIMIT", "BUY", "1.05", None, None, "IOC", "FILLED"),
        ("LIMIT", "SELL", "0.95", None, None, "FOK", "FILLED"),
        ("LIMIT_MAKER", "SELL", "1.1", None, None, None, "NEW"),
        ("STOP_LOSS", "SELL", None, "0.9", None, None, "NEW"),
        ("STOP_LOSS", "BUY", None, "1.1", None, None, "NEW"),
        ("STOP_LOSS", "SELL", None, None, 200, None, "NEW"),
        ("STOP_LOSS", "BUY", None, None, 200, None, "NEW"),
        ("STOP_LOSS_LIMIT", "SELL", "0.89", "0.9", None, "GTC", "NEW"),
        ("TAKE_PROFIT", "SELL", None, "1.1", None, None, "NEW"),
        ("TAKE_PROFIT_LIMIT", "BUY", "0.89", "0.9", None, "GTC", "NEW"),
    ],
)
def test_it_places_every_type_and_tells_what_became_of_it(
    desk, request, kind, side, price, stop, delta, time, status
):
    def at(share):
        return None if share is None else rounded(desk.price * D(share))

    wanted = OrderRequest(
        symbol=SYMBOL,
        side=Side(side),
        type=OrderType(kind),
        quantity=D("0.01"),
        client_order_id=name(request),
        price=at(price),
        stop_price=at(stop),
        trailing_delta_bps=delta,
        time_in_force=time and TimeInForce(time),
    )

    reply = submit(desk, wanted)

    assert reply.outcome is Outcome.ACCEPTED, reply
    (report,) = reply.reports
    told = desk.broker.query(SYMBOL, name(request))
    assert {report.status, told.status} == {VenueStatus(status)}
    assert (told.type, told.side, told.quantity) == (kind, Side(side), D("0.01"))
    assert (told.price, told.stop_price) == (at(price), at(stop))


@pytest.mark.parametrize(
    ("kind", "side", "price", "stop"),
    [
        ("LIMIT_MAKER", "BUY", "1.1", None),
        ("STOP_LOSS", "SELL", None, "1.1"),
        ("TAKE_PROFIT", "SELL", None, "0.9"),
    ],
)
def test_it_refuses_what_would_trade_or_trigger_at_once(desk, request, kind, side, price, stop):
    wanted = OrderRequest(
        symbol=SYMBOL,
        side=Side(side),
        type=OrderType(kind),
        quantity=D("0.01"),
        client_order_id=name(request),
        price=price and rounded(desk.price * D(price)),
        stop_price=stop and rounded(desk.price * D(stop)),
    )

    reply = submit(desk, wanted)

    assert (reply.outcome, reply.code) == (Outcome.REJECTED, -2010)


@pytest.mark.parametrize("delta", [None, 200])
@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_it_places_a_pair_on_either_side_with_a_stop_that_may_follow(desk, request, side, delta):
    up, down = rounded(desk.price * D("1.1")), rounded(desk.price * D("0.9"))
    target, stop = (up, down) if side == "SELL" else (down, up)
    pair = OcoRequest(
        symbol=SYMBOL,
        side=Side(side),
        quantity=D("0.01"),
        list_client_order_id=name(request, leg=Leg.MANUAL),
        take_profit=Terms(
            type=OrderType.LIMIT_MAKER,
            client_order_id=name(request, leg=Leg.TAKE_PROFIT),
            price=target,
        ),
        stop=Terms(
            type=OrderType.STOP_LOSS,
            client_order_id=name(request, leg=Leg.STOP_LOSS),
            stop_price=None if delta else stop,
            trailing_delta_bps=delta,
        ),
    )

    reply = desk.broker.submit_list(
        pair, request_sha256=digest(pair.parameters()), signed_at=desk.clock.now()
    )

    assert reply.outcome is Outcome.ACCEPTED, reply
    assert {report.client_order_id for report in reply.reports} == pair.names
    assert {report.side for report in reply.reports} == {Side(side)}

"""One contract, every broker: the one in memory, and Binance's on the local exchange."""

from datetime import timedelta
from decimal import Decimal

import pytest

from execution.adapters.binance_broker import BinanceBroker
from execution.domain.fill import VenueStatus
from execution.domain.order import Leg, OrderType
from execution.domain.outcome import Outcome, Reaction
from execution.domain.request import CancelRequest, OcoRequest, Terms, digest
from markets.adapters.binance_client import build_client
from tests.fakes.broker_desk import SYMBOL, name, order, rounded, sim_clock, submit

pytestmark = pytest.mark.contract
SIM_OPTIONS = ("--generate", "--symbols", "BTCUSDT,ETHUSDT", "--balance", "BTC=1,USDT=100000")
D = Decimal


def test_it_fills_a_market_order_with_all_its_trades(desk, request):
    before = {item.asset: item.total for item in desk.broker.balances()}

    reply = submit(desk, order(name(request)))

    assert reply.outcome is Outcome.ACCEPTED
    (report,) = reply.reports
    assert report.status is VenueStatus.FILLED
    assert report.filled_quantity == D("0.01")
    assert sum(item.quantity for item in report.executions) == D("0.01")
    assert sum(item.quote_quantity for item in report.executions) == report.filled_quote
    after = {item.asset: item.total for item in desk.broker.balances()}
    fees = sum(item.fee for item in report.executions if item.fee_asset == "BTC")
    assert after["BTC"] - before["BTC"] == D("0.01") - fees
    assert before["USDT"] - after["USDT"] == report.filled_quote


def test_it_tells_the_same_trades_by_every_way(desk, request):
    (report,) = submit(desk, order(name(request))).reports

    listed = desk.broker.trades(SYMBOL, venue_order_id=report.venue_order_id)

    def figures(items):
        return [
            (i.trade_id, i.side, i.price, i.quantity, i.quote_quantity, i.fee, i.fee_asset)
            for i in items
        ]

    assert figures(listed) == figures(report.executions)
    by_id = desk.broker.trades(SYMBOL, from_id=listed[0].trade_id)
    assert figures(by_id)[: len(listed)] == figures(listed)
    since = desk.broker.trades(SYMBOL, since=desk.clock.now() - timedelta(minutes=1))
    assert set(figures(listed)) <= set(figures(since))
    queried = desk.broker.query(SYMBOL, name(request))
    assert (queried.status, queried.filled_quantity) == (VenueStatus.FILLED, D("0.01"))


def test_it_knows_nothing_of_an_order_that_was_never_placed(desk, request):
    assert desk.broker.query(SYMBOL, name(request)) is None


def test_it_rests_cancels_and_refuses_a_second_cancel(desk, request):
    client_id = name(request)
    wanted = order(client_id, price=rounded(desk.price * D("0.9")))

    reply = submit(desk, wanted)

    assert reply.outcome is Outcome.ACCEPTED
    assert reply.reports[0].status is VenueStatus.NEW
    assert client_id in {item.client_order_id for item in desk.broker.open_orders(SYMBOL)}
    cancel = CancelRequest(symbol=SYMBOL, client_order_id=client_id)
    sha = digest(cancel.parameters())
    first = desk.broker.cancel(cancel, request_sha256=sha, signed_at=desk.clock.now())
    assert first.outcome is Outcome.ACCEPTED
    assert first.reports[0].client_order_id == client_id
    assert first.reports[0].status is VenueStatus.CANCELED
    second = desk.broker.cancel(cancel, request_sha256=sha, signed_at=desk.clock.now())
    assert (second.outcome, second.code) == (Outcome.REJECTED, -2011)


def test_it_calls_a_second_order_of_the_same_name_a_duplicate_while_the_first_is_open(
    desk, request
):
    wanted = order(name(request), price=rounded(desk.price * D("0.9")))
    submit(desk, wanted)

    assert submit(desk, wanted).outcome is Outcome.DUPLICATE


def test_it_places_and_cancels_a_protective_pair(desk, request):
    pair = OcoRequest(
        symbol=SYMBOL,
        quantity=D("0.01"),
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

    reply = desk.broker.submit_list(
        pair, request_sha256=digest(pair.parameters()), signed_at=desk.clock.now()
    )

    assert reply.outcome is Outcome.ACCEPTED
    names = pair.names
    assert {report.client_order_id for report in reply.reports} == names
    assert len({report.venue_list_id for report in reply.reports} - {None}) == 1
    stop = desk.broker.query(SYMBOL, pair.stop.client_order_id)
    assert (stop.status, stop.stop_price) == (VenueStatus.NEW, pair.stop.stop_price)
    locked = {item.asset: item.locked for item in desk.broker.balances()}
    assert locked["BTC"] == D("0.01")
    cancel = CancelRequest(symbol=SYMBOL, client_order_id=pair.list_client_order_id, is_list=True)
    ended = desk.broker.cancel(
        cancel, request_sha256=digest(cancel.parameters()), signed_at=desk.clock.now()
    )
    assert ended.outcome is Outcome.ACCEPTED
    assert {report.status for report in ended.reports} == {VenueStatus.CANCELED}
    assert {report.client_order_id for report in ended.reports} == names


def test_it_refuses_more_than_there_is(desk, request):
    reply = submit(desk, order(name(request), quantity="50"))

    assert (reply.outcome, reply.code) == (Outcome.REJECTED, -2010)
    assert desk.broker.query(SYMBOL, name(request)) is None


@pytest.mark.parametrize("accepted", [True, False])
def test_it_does_not_know_the_outcome_of_a_lost_reply(desk, request, accepted):
    desk.lose_next_reply("/api/v3/order", "submit", accepted=accepted)

    reply = submit(desk, order(name(request)))

    assert reply.outcome is Outcome.UNKNOWN
    assert reply.reports == ()
    found = desk.broker.query(SYMBOL, name(request))
    assert (found is not None) is accepted


@pytest.mark.parametrize(
    ("http_status", "code", "outcome", "reaction"),
    [
        (503, 0, Outcome.UNKNOWN, None),
        (504, -1007, Outcome.UNKNOWN, None),
        (429, -1015, Outcome.REJECTED, Reaction.BACK_OFF),
        (401, -2015, Outcome.REJECTED, Reaction.HALT),
        (400, -1013, Outcome.REJECTED, Reaction.REFRESH_RULES),
    ],
)
def test_it_classes_refusals(desk, request, http_status, code, outcome, reaction):
    desk.refuse_next(http_status=http_status, code=code)

    reply = submit(desk, order(name(request)))

    assert (reply.outcome, reply.reaction) == (outcome, reaction)


def test_it_cannot_place_an_order_long_after_it_was_written_ahead(desk, request):
    wanted = order(name(request))
    long_ago = desk.clock.now() - desk.clock.protocol(timedelta(seconds=30))

    reply = desk.broker.submit(
        wanted, request_sha256=digest(wanted.parameters()), signed_at=long_ago
    )

    assert (reply.outcome, reply.code) == (Outcome.REJECTED, -1021)
    assert desk.broker.query(SYMBOL, name(request)) is None


def test_it_never_lets_another_request_leave_than_was_written_ahead(request, sim_exchange):
    clock = sim_clock(sim_exchange.url)
    broker = BinanceBroker(
        build_client(
            mode="demo",
            sim_url=sim_exchange.url,
            clock=clock,
            api_key=sim_exchange.key,
            api_secret=sim_exchange.secret,
        ),
        clock,
    )
    approved, altered = order(name(request)), order(name(request), quantity="0.1")

    reply = broker.submit(
        altered, request_sha256=digest(approved.parameters()), signed_at=clock.now()
    )

    assert reply.outcome is Outcome.NOT_SENT
    assert broker.query(SYMBOL, name(request)) is None


def test_it_tells_the_exchange_s_time(desk):
    assert abs(desk.broker.server_time() - desk.clock.now()) < timedelta(seconds=2)


def test_it_tells_the_rules_of_a_symbol(desk):
    listing = desk.broker.listing(SYMBOL)

    assert (listing.symbol, listing.base_asset, listing.quote_asset) == (SYMBOL, "BTC", "USDT")
    assert {"PRICE_FILTER", "LOT_SIZE"} <= {item["filterType"] for item in listing.filters}

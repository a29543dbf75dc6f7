"""Placing on the local exchange, over real sockets, with its own faults."""

import time
from decimal import Decimal

import pytest

from execution.domain.decision import Action
from execution.models import Order, Position
from execution.services.protection import protect_positions
from execution.services.reconciliation import sync_orders
from execution.services.resolution import resolve_unknown
from tests.floor import build_floor

pytestmark = pytest.mark.faults
SIM_OPTIONS = ("--generate", "--symbols", "BTCUSDT,ETHUSDT", "--balance", "USDT=100000")
D = Decimal


@pytest.fixture
def floor(db, sim_exchange):
    floor = build_floor(sim_exchange)
    yield floor
    floor.call("DELETE", "/_sim/faults")
    for symbol in ("BTCUSDT", "ETHUSDT"):
        floor.broker.cancel_all(symbol)


def test_it_makes_a_round_trip_that_equals_the_exchange_to_the_last_digit(floor):
    floor.place(floor.decide("BTCUSDT"), floor.decide("ETHUSDT"))
    assert set(Position.objects.values_list("status", flat=True)) == {"open"}
    assert Order.objects.filter(leg="PROTECT", state="NEW").count() == 2
    assert floor.reconcile().is_green

    floor.place(floor.decide("BTCUSDT", Action.EXIT), floor.decide("ETHUSDT", Action.EXIT))

    assert set(Position.objects.values_list("status", flat=True)) == {"closed"}
    row = floor.reconcile()
    assert row.is_green, row.differences
    assert row.assets_compared >= 1


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "accept_then_drop_reply"},
        {"fault": "http", "status": 503, "accepted": True},
        {
            "fault": "http",
            "status": 504,
            "code": -1007,
            "msg": "Send status unknown",
            "accepted": True,
        },
        {"fault": "truncate_reply"},
    ],
    ids=["reset", "503", "1007", "truncated"],
)
def test_it_adopts_an_accepted_order_whatever_became_of_the_reply(floor, fault):
    rule = {"match": {"method": "POST", "path": "/api/v3/order"}, "times": 1, **fault}
    floor.call("POST", "/_sim/faults", [rule])
    floor.place(floor.decide("BTCUSDT"))
    entry = Order.objects.get(leg="ENTRY")
    assert entry.state == "UNKNOWN"

    result = resolve_unknown(account_id=floor.account.pk, broker=floor.broker, clock=floor.clock)

    assert result.adopted == 1
    protect_positions(account_id=floor.account.pk, broker=floor.broker, clock=floor.clock)
    entry.refresh_from_db()
    assert entry.state == "FILLED"
    assert Order.objects.get(leg="PROTECT").state == "NEW"
    placed = [
        item
        for item in floor.call("GET", "/_sim/ledger")["orders"]
        if item["clientOrderId"] == entry.client_order_id
    ]
    assert len(placed) == 1
    assert floor.reconcile().is_green


def test_it_books_a_stop_that_the_market_reached(floor):
    floor.place(floor.decide("BTCUSDT"))
    fallen = (floor.price("BTCUSDT") * D("0.95")).quantize(D("1"))

    floor.call("POST", "/_sim/price", {"symbol": "BTCUSDT", "price": str(fallen)})
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and Position.objects.get().status == "open":
        sync_orders(account_id=floor.account.pk, broker=floor.broker, clock=floor.clock)
        time.sleep(0.1)

    assert Position.objects.get().status == "closed"
    assert Order.objects.get(leg="STOP_LOSS").state == "FILLED"
    assert Order.objects.get(leg="TAKE_PROFIT").state == "EXPIRED"
    assert Position.objects.get().realized_pnl < 0
    assert floor.reconcile().is_green

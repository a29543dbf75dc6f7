"""Old rules and a clock that is off: mended, and asked for once more; never a double."""

from datetime import timedelta
from decimal import Decimal

import pytest

from alerts.models import Alert
from execution.models import Order, Position
from execution.services.orders import place_orders
from markets.domain.filters import Listing
from markets.services.instruments import refresh_instrument
from risk.models import TradingState
from tests.fakes.broker import Fault

pytestmark = pytest.mark.faults
D = Decimal


def listing(step="0.001", tick="0.1"):
    return Listing(
        symbol="BTCUSDT",
        base_asset="BTC",
        quote_asset="USDT",
        status="TRADING",
        filters=[
            {"filterType": "PRICE_FILTER", "tickSize": tick},
            {"filterType": "LOT_SIZE", "stepSize": step, "minQty": step, "maxQty": "9000"},
            {"filterType": "NOTIONAL", "minNotional": "5"},
        ],
    )


def place(world):
    ids = [world.decide("BTCUSDT", notional="1234").pk]
    place_orders(decision_ids=ids, broker=world.broker, clock=world.clock)


def refuse(world, code, call="submit", times=1):
    world.broker.faults.append(Fault(call, "refuse", times=times, code=code, message="no"))


def entries():
    rows = Order.objects.filter(leg="ENTRY").order_by("pk")
    return [(row.attempt, row.state, row.quantity) for row in rows]


class TestRules:
    def test_it_plans_once_more_on_the_new_grid(self, world):
        world.broker.listings["BTCUSDT"] = listing()
        refuse(world, -1013)

        place(world)

        assert entries() == [(1, "REJECTED", D("0.02468")), (2, "FILLED", D("0.024"))]
        assert Order.objects.get(attempt=2, leg="ENTRY").supersedes.attempt == 1
        assert Order.objects.get(leg="PROTECT").state == "NEW"

    def test_it_tries_no_third_time(self, world):
        world.broker.listings["BTCUSDT"] = listing()
        refuse(world, -1013, times=2)

        place(world)

        assert [row[:2] for row in entries()] == [(1, "REJECTED"), (2, "REJECTED")]
        assert not Position.objects.exists()

    def test_it_tries_nothing_when_the_rules_are_the_same(self, world):
        world.broker.listings["BTCUSDT"] = listing()
        refresh_instrument(listing=listing(), now=world.clock.now())
        refuse(world, -1013)

        place(world)

        assert [row[:2] for row in entries()] == [(1, "REJECTED")]

    def test_it_tries_nothing_when_the_exchange_does_not_tell(self, world):
        refuse(world, -1013)
        world.broker.faults.append(Fault("listing", "error"))

        place(world)

        assert [row[:2] for row in entries()] == [(1, "REJECTED")]

    def test_a_person_s_figures_are_not_changed(self, client, world):
        world.broker.listings["BTCUSDT"] = listing()
        refuse(world, -1013)
        body = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01234"}

        reply = client.post("/trading/order", body, format="json")

        assert (reply.json()["state"], reply.json()["reason"]) == ("REJECTED", "VENUE_1013")
        assert Order.objects.count() == 1

    def test_protection_is_planned_anew_instead_of_selling(self, world):
        world.broker.listings["BTCUSDT"] = listing()
        refuse(world, -1013, call="submit_oco")

        place(world)

        states = Order.objects.filter(leg="PROTECT").order_by("pk").values_list("state", "quantity")
        assert [*states] == [("REJECTED", D("0.02465")), ("NEW", D("0.024"))]
        assert Position.objects.get().status == "open"

    def test_protection_that_is_refused_again_sells(self, world):
        world.broker.listings["BTCUSDT"] = listing()
        refuse(world, -1013, call="submit_oco", times=2)

        place(world)

        assert Position.objects.get().status == "closed"
        assert Order.objects.filter(leg="PROTECT").count() == 2


class TestClock:
    @pytest.mark.parametrize("error_s", [-20, -6, 2, 4])
    def test_it_is_steered_and_the_order_asked_for_once_more(self, world, error_s):
        world.clock.error = timedelta(seconds=error_s)

        place(world)

        assert [row[:2] for row in entries()] == [(1, "REJECTED"), (2, "FILLED")]
        assert abs(world.clock.error) < timedelta(milliseconds=20)
        assert Alert.objects.filter(code="CLOCK_STEERED").exists()
        assert sum(item.call == "submit" for item in world.broker.requests) == 2

    def test_what_was_decided_in_the_future_is_not_entered(self, world):
        world.clock.error = timedelta(seconds=30)

        place(world)

        assert [row[:2] for row in entries()] == [(1, "REJECTED"), (2, "DENIED")]
        assert Order.objects.get(attempt=2).reason == "DATA_STALE"

    def test_the_same_time_of_both_is_no_cause(self, world):
        refuse(world, -1021)

        place(world)

        assert [row[:2] for row in entries()] == [(1, "REJECTED")]

    def test_a_clock_that_is_far_off_is_left_to_people(self, world):
        world.clock.error = timedelta(minutes=3)
        world.unsound = "the books bear the wrong time"

        place(world)

        assert [row[:2] for row in entries()] == [(1, "REJECTED")]

    def test_it_is_no_storm_of_refusals(self, world):
        refuse(world, -1021, times=9)

        for _ in range(6):
            place(world)
            world.clock.advance(6)

        assert TradingState.objects.get(scope="GLOBAL").level == "ACTIVE"

    def test_a_person_gets_the_second_attempt(self, client, world):
        world.clock.error = timedelta(seconds=2)
        body = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
        headers = {"Idempotency-Key": "key-1"}

        first = client.post("/trading/order", body, format="json", headers=headers)
        again = client.post("/trading/order", body, format="json", headers=headers)

        assert (first.json()["state"], again.json()["id"]) == ("FILLED", first.json()["id"])
        assert Order.objects.filter(leg="MANUAL").count() == 2

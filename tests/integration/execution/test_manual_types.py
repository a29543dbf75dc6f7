"""Every order type by hand: through the gate, to the exchange, and no part without a stop."""

from decimal import Decimal

import pytest

from execution.domain.order import Side
from execution.models import Order, Position, Strategy
from execution.services.completing import record_live
from execution.services.orders import place_orders
from execution.services.protection import protect_positions
from tests.fakes.broker import Fault

D = Decimal


def post(client, key="key-1", **body):
    body = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", **body}
    return client.post("/trading/order", body, format="json", headers={"Idempotency-Key": key})


def open_at_venue(world):
    return sorted((order.type, order.side.value) for order in world.broker._open())


@pytest.mark.parametrize(
    ("body", "state", "reserved"),
    [
        ({"type": "MARKET"}, "FILLED", "0"),
        ({"type": "LIMIT", "price": "49500"}, "NEW", "500.5"),
        ({"type": "LIMIT", "price": "49500", "time_in_force": "IOC"}, "EXPIRED", "0"),
        ({"type": "LIMIT", "price": "50100", "time_in_force": "FOK"}, "FILLED", "0"),
        ({"type": "LIMIT_MAKER", "price": "49500"}, "NEW", "500.5"),
        ({"type": "STOP_LOSS", "stop_price": "51000"}, "NEW", "510.51"),
        ({"type": "STOP_LOSS", "trailing_delta_bps": 100}, "NEW", "505.505"),
        ({"type": "STOP_LOSS_LIMIT", "stop_price": "51000", "price": "51200"}, "NEW", "512.512"),
        ({"type": "TAKE_PROFIT", "stop_price": "49000"}, "NEW", "500.5"),
        ({"type": "TAKE_PROFIT_LIMIT", "stop_price": "49000", "price": "49100"}, "NEW", "500.5"),
        ({"type": "OCO", "price": "49000", "stop_price": "51000"}, "NEW", "510.51"),
        ({"type": "OCO", "price": "49000", "trailing_delta_bps": 100}, "NEW", "505.505"),
        (
            {"type": "OCO", "price": "49000", "stop_price": "51000", "stop_limit_price": "51300"},
            "NEW",
            "513.513",
        ),
    ],
    ids=str,
)
def test_it_buys_by_every_type_and_reserves_the_most_it_may_cost(
    client, world, body, state, reserved
):
    reply = post(client, **body)

    assert (reply.status_code, reply.json().get("state")) == (201, state), reply.json()
    assert Order.objects.get(leg="MANUAL").reserved_quantity == D(reserved)
    assert post(client, **body).json()["id"] == reply.json()["id"]
    assert len(world.broker.requests) == 1 + (state == "FILLED")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"type": "LIMIT"}, "price"),
        ({"type": "MARKET", "price": "50000"}, "price"),
        ({"type": "MARKET", "time_in_force": "IOC"}, "time_in_force"),
        ({"type": "LIMIT_MAKER", "price": "1", "time_in_force": "GTC"}, "time_in_force"),
        ({"type": "STOP_LOSS"}, "stop_price"),
        ({"type": "STOP_LOSS", "stop_price": "1", "price": "2"}, "price"),
        ({"type": "TAKE_PROFIT", "trailing_delta_bps": 100, "stop_price": "1"}, "trailing"),
        ({"type": "OCO", "stop_price": "51000"}, "price"),
        ({"type": "OCO", "price": "49000"}, "stop_price"),
        ({"type": "STOP_LOSS", "trailing_delta_bps": 0}, "trailing_delta_bps"),
        ({"type": "STOP_LOSS", "trailing_delta_bps": "1e2"}, "trailing_delta_bps"),
        ({"type": "STOP_LOSS", "stop_price": "NaN"}, "stop_price"),
    ],
    ids=str,
)
def test_it_names_the_field_that_does_not_fit(client, world, body, field):
    reply = post(client, **body)

    assert reply.status_code == 400
    assert field in str(reply.json())
    assert not world.broker.requests


@pytest.mark.parametrize(
    "body",
    [
        {"type": "STOP_LOSS", "stop_price": "49000"},
        {"type": "TAKE_PROFIT", "stop_price": "51000"},
        {"type": "OCO", "price": "51000", "stop_price": "52000"},
    ],
    ids=str,
)
def test_it_denies_what_would_trigger_at_once(client, world, body):
    reply = post(client, **body)

    assert (reply.status_code, reply.json()["code"]) == (422, "TRIGGER_SIDE")
    assert not world.broker.requests


def test_it_protects_what_the_stop_of_a_pair_bought(client, world):
    post(client, type="OCO", price="49000", stop_price="51000")
    report = world.broker.trigger("STOP_LOSS", "BTCUSDT")

    record_live(
        account_id=world.account.pk, reports=[report], broker=world.broker, clock=world.clock
    )
    protect_positions(account_id=world.account.pk, broker=world.broker, clock=world.clock)

    assert Position.objects.get().average_entry_price == D("51000")
    world.reconcile()
    assert Order.objects.get(leg="MANUAL").state == "FILLED"
    assert Order.objects.get(leg="PROTECT").stop_price == D("49980")


class TestSales:
    """Of what a position holds."""

    @pytest.fixture(autouse=True)
    def _hold(self, world):
        place_orders(
            decision_ids=[world.decide("BTCUSDT").pk], broker=world.broker, clock=world.clock
        )

    def sell(self, client, **body):
        return post(client, side="SELL", **body)

    @pytest.mark.parametrize(
        "body",
        [
            {"type": "MARKET"},
            {"type": "LIMIT", "price": "49900", "time_in_force": "IOC"},
            {"type": "LIMIT", "price": "49900", "time_in_force": "FOK"},
        ],
        ids=str,
    )
    def test_one_that_trades_at_once_leaves_the_rest_protected(self, client, world, body):
        reply = self.sell(client, **body)

        assert (reply.status_code, reply.json()["state"]) == (201, "FILLED"), reply.json()
        pair = Order.objects.get(leg="PROTECT", state="NEW")
        assert pair.quantity == D("0.00998")
        assert Position.objects.get().quantity == D("0.00998")

    def test_one_that_finds_nobody_leaves_everything_protected(self, client, world):
        reply = self.sell(client, type="LIMIT", price="50500", time_in_force="IOC")

        assert reply.json()["state"] == "EXPIRED"
        assert Order.objects.get(leg="PROTECT", state="NEW").quantity == D("0.01998")

    @pytest.mark.parametrize(
        ("body", "kinds"),
        [
            ({"type": "STOP_LOSS", "stop_price": "49500"}, [("STOP_LOSS", "SELL")]),
            ({"type": "STOP_LOSS", "trailing_delta_bps": 150}, [("STOP_LOSS", "SELL")]),
            (
                {"type": "STOP_LOSS_LIMIT", "stop_price": "49500", "price": "49400"},
                [("STOP_LOSS_LIMIT", "SELL")],
            ),
            (
                {"type": "OCO", "price": "51000", "trailing_delta_bps": 150},
                [("LIMIT_MAKER", "SELL"), ("STOP_LOSS", "SELL")],
            ),
        ],
        ids=str,
    )
    def test_a_stop_takes_the_place_of_the_protection(self, client, world, body, kinds):
        reply = self.sell(client, quantity="0.01998", **body)

        assert (reply.status_code, reply.json()["state"]) == (201, "NEW"), reply.json()
        assert open_at_venue(world) == kinds
        protect_positions(account_id=world.account.pk, broker=world.broker, clock=world.clock)
        assert open_at_venue(world) == kinds

    def test_a_stop_for_a_part_leaves_the_rest_under_a_pair(self, client, world):
        self.sell(client, type="STOP_LOSS", stop_price="49500")
        protect_positions(account_id=world.account.pk, broker=world.broker, clock=world.clock)

        live = Order.objects.filter(leg="PROTECT", state="NEW").order_by("pk")
        assert [row.quantity for row in live] == [D("0.01"), D("0.00998")]

    @pytest.mark.parametrize(
        ("body", "above"),
        [
            ({"type": "LIMIT", "price": "51000"}, "LIMIT_MAKER"),
            ({"type": "LIMIT_MAKER", "price": "51000"}, "LIMIT_MAKER"),
            ({"type": "TAKE_PROFIT", "stop_price": "51000"}, "TAKE_PROFIT"),
            (
                {"type": "TAKE_PROFIT_LIMIT", "stop_price": "51000", "price": "50900"},
                "TAKE_PROFIT_LIMIT",
            ),
        ],
        ids=str,
    )
    def test_a_resting_target_keeps_the_position_s_stop_beside_it(self, client, world, body, above):
        reply = self.sell(client, quantity="0.01998", **body)

        assert reply.status_code == 201, reply.json()
        assert (reply.json()["type"], reply.json()["stop_price"]) == ("OCO", "49000")
        assert open_at_venue(world) == sorted([(above, "SELL"), ("STOP_LOSS", "SELL")])
        again = self.sell(client, quantity="0.01998", **body)
        assert again.json()["id"] == reply.json()["id"]

    def test_a_refused_stop_leaves_the_position_protected_by_ours(self, client, world):
        world.broker.faults.append(Fault("submit", "refuse", code=-2010, message="no"))

        reply = self.sell(client, quantity="0.01998", type="STOP_LOSS", stop_price="49500")
        protect_positions(account_id=world.account.pk, broker=world.broker, clock=world.clock)

        assert reply.json()["state"] == "REJECTED"
        assert Position.objects.get().status == "open"
        assert open_at_venue(world) == [("LIMIT_MAKER", "SELL"), ("STOP_LOSS", "SELL")]

    def test_more_than_is_held_is_denied(self, client):
        reply = self.sell(client, quantity="0.03", type="STOP_LOSS", stop_price="49500")

        assert (reply.status_code, reply.json()["code"]) == (422, "POSITION_SHORT")

    def test_what_nobody_holds_cannot_be_sold(self, client):
        reply = post(client, symbol="ETHUSDT", side="SELL", type="LIMIT", price="2600")

        assert (reply.status_code, reply.json()["code"]) == (422, "POSITION_SHORT")


@pytest.mark.parametrize(
    ("style", "kinds"),
    [
        ("TRAILING", [("STOP_LOSS", "SELL")]),
        ("TRAILING_PAIR", [("LIMIT_MAKER", "SELL"), ("STOP_LOSS", "SELL")]),
    ],
)
def test_a_strategy_may_protect_by_a_stop_that_follows(world, style, kinds):
    Strategy.objects.update(protection=style, trailing_delta_bps=150)

    place_orders(decision_ids=[world.decide("BTCUSDT").pk], broker=world.broker, clock=world.clock)

    assert open_at_venue(world) == kinds
    order = Order.objects.get(leg="PROTECT")
    assert (order.state, order.trailing_delta_bps, order.stop_price) == ("NEW", 150, None)
    protect_positions(account_id=world.account.pk, broker=world.broker, clock=world.clock)
    assert Order.objects.filter(leg="PROTECT").count() == 1
    report = world.broker.trigger("STOP_LOSS", "BTCUSDT")
    assert report.side is Side.SELL
    record_live(
        account_id=world.account.pk, reports=[report], broker=world.broker, clock=world.clock
    )
    assert Position.objects.get().status == "closed"


def test_a_trailing_stop_never_follows_further_than_the_limit(world):
    Strategy.objects.update(protection="TRAILING", trailing_delta_bps=4000)

    place_orders(decision_ids=[world.decide("BTCUSDT").pk], broker=world.broker, clock=world.clock)

    assert Order.objects.get(leg="PROTECT").trailing_delta_bps == 200

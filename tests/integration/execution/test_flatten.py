"""FLATTEN: everything is sold, and no stop is left at the exchange."""

from decimal import Decimal

import pytest

from alerts.models import Alert
from core.models import AuditRecord
from execution.models import Order, Position
from execution.services.kill import cancel_resting
from execution.services.orders import place_orders
from markets.models import Instrument
from markets.selectors import forget_rules
from risk.domain.trading_state import Level
from risk.models import RiskLimits
from risk.services.trading_state import raise_level
from tests.fakes.broker import Fault

pytestmark = pytest.mark.faults
D = Decimal


def sweep(world):
    return cancel_resting(account_id=world.account.pk, broker=world.broker, clock=world.clock)


def flatten(world):
    raise_level(level=Level.FLATTEN, reason="x", actor="tester", now=world.clock.now())
    return sweep(world)


def test_it_sells_everything_at_flatten(world):
    place_orders(
        decision_ids=[world.decide("BTCUSDT").pk, world.decide("ETHUSDT").pk],
        broker=world.broker,
        clock=world.clock,
    )

    flatten(world)

    assert set(Position.objects.values_list("status", flat=True)) == {"closed"}
    assert world.broker.open_orders() == ()
    assert world.reconcile().is_green


def test_it_sells_the_positions_of_one_strategy(world):
    place_orders(decision_ids=[world.decide("BTCUSDT").pk], broker=world.broker, clock=world.clock)
    raise_level(
        level=Level.FLATTEN,
        scope="strategy:test",
        reason="it misbehaves",
        actor="tester",
        now=world.clock.now(),
    )

    sweep(world)

    assert Position.objects.get().status == "closed"
    assert sweep(world).is_confirmed


def test_flatten_sells_in_slices_with_a_worst_price(world):
    RiskLimits.objects.update(flatten_slice_notional=D("400"))
    place_orders(decision_ids=[world.decide("BTCUSDT").pk], broker=world.broker, clock=world.clock)

    swept = flatten(world)

    assert swept.is_confirmed
    exits = Order.objects.filter(leg="EXIT").order_by("pk")
    assert [(row.quantity, row.price, row.time_in_force, row.state) for row in exits] == [
        (D("0.008"), D("49500"), "IOC", "FILLED"),
        (D("0.008"), D("49500"), "IOC", "FILLED"),
        (D("0.00398"), D("49500"), "IOC", "FILLED"),
    ]
    assert not world.broker._open()


def test_flatten_waits_for_buyers_above_the_cap_and_goes_on_from_the_new_price(world):
    place_orders(decision_ids=[world.decide("BTCUSDT").pk], broker=world.broker, clock=world.clock)
    world.broker.prices["BTCUSDT"] = D("48000")  # the book is there, our ticker is not yet

    first = flatten(world)
    assert (first.held, Order.objects.get(leg="EXIT").state) == (1, "EXPIRED")

    world.move_price("BTCUSDT", "48000")
    world.clock.advance(1)
    again = sweep(world)
    assert (again.held, Position.objects.get().status) == (0, "closed")
    assert Order.objects.filter(leg="EXIT").order_by("pk")[1].price == D("47520")


def test_flatten_sells_at_the_market_what_no_slice_found_a_buyer_for(world):
    place_orders(decision_ids=[world.decide("BTCUSDT").pk], broker=world.broker, clock=world.clock)
    world.broker.prices["BTCUSDT"] = D("30000")  # and our ticker never hears of it

    held = [flatten(world).held]
    while held[-1] and len(held) < 9:
        world.clock.advance(1)
        held.append(flatten(world).held)

    exits = Order.objects.filter(leg="EXIT").order_by("pk")
    assert held == [1, 1, 1, 1, 0]
    assert [row.price for row in exits] == [D(49500), D(49500), D(49000), D(48000), None]
    assert [row.type for row in exits][-1] == "MARKET"
    assert Position.objects.get().status == "closed"
    assert Alert.objects.get(code="FLATTEN_UNSOLD").count == 4


def test_it_names_the_symbols_that_a_sweep_sold_nothing_of(world):
    for symbol in ("ETHUSDT", "BTCUSDT"):
        place_orders(decision_ids=[world.decide(symbol).pk], broker=world.broker, clock=world.clock)
        world.broker.prices[symbol] /= 2  # the book is there, our ticker is not yet

    flatten(world)

    alert = Alert.objects.get(code="FLATTEN_UNSOLD")
    assert alert.severity == "CRITICAL"
    assert alert.context["symbols"] == ["BTCUSDT", "ETHUSDT"]
    assert set(alert.context["position_ids"]) == {*Position.objects.values_list("pk", flat=True)}
    assert alert.context["tries"] == {"BTCUSDT": "EXPIRED", "ETHUSDT": "EXPIRED"}
    assert "BTCUSDT (EXPIRED), ETHUSDT (EXPIRED)" in alert.message
    # Both again tell nothing new; another pair of symbols would.
    assert alert.dedupe_key.startswith("FLATTEN_UNSOLD:BTCUSDT,ETHUSDT|")


def test_it_says_why_a_symbol_that_does_not_trade_is_not_sold(world):
    place_orders(decision_ids=[world.decide("BTCUSDT").pk], broker=world.broker, clock=world.clock)
    Instrument.objects.filter(symbol="BTCUSDT").update(status="BREAK")
    forget_rules()

    flatten(world)

    alert = Alert.objects.get(code="FLATTEN_UNSOLD")
    assert alert.context["tries"] == {"BTCUSDT": "DENIED SYMBOL_NOT_TRADING"}
    assert "BTCUSDT (DENIED SYMBOL_NOT_TRADING)" in alert.message


def test_flatten_is_not_confirmed_while_a_stop_still_rests(world):
    place_orders(decision_ids=[world.decide("BTCUSDT").pk], broker=world.broker, clock=world.clock)
    world.broker.faults.append(Fault("cancel", "drop", times=9))

    swept = flatten(world)

    assert (swept.resting, swept.held, swept.is_confirmed) == (1, 1, False)
    assert not AuditRecord.objects.filter(action="kill.confirmed").exists()
    world.broker.faults.clear()
    world.clock.advance(30)
    while not sweep(world).is_confirmed:
        world.clock.advance(1)
    assert world.broker.open_orders() == ()
    assert Position.objects.get().status == "closed"


def test_flatten_waits_for_no_sale_of_its_own_that_is_in_doubt(world):
    place_orders(decision_ids=[world.decide("BTCUSDT").pk], broker=world.broker, clock=world.clock)
    world.broker.faults.append(Fault("submit", "lose_reply"))

    swept = flatten(world)

    assert Order.objects.get(leg="EXIT").state == "UNKNOWN"
    assert (swept.resting, swept.in_doubt, swept.held) == (0, 0, 1)

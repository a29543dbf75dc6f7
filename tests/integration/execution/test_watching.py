"""What the guardian watches: files, clocks, silent processes, bare positions."""

import time
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from alerts.models import Alert
from core.health import ComponentStatus, ComponentView
from execution.domain.order import OrderType, Side, TimeInForce
from execution.models import Order
from execution.services.cancels import cancel_orders
from execution.services.coverage import measure_unprotected
from execution.services.guarding import Guardian
from execution.services.orders import ManualOrder, place_manual_order, place_orders
from execution.services.protection import protect_positions
from execution.services.watching import Watch
from markets.models import Instrument
from markets.selectors import forget_rules
from risk.domain.trading_state import Level
from risk.models import RiskMetrics
from risk.services.trading_state import read_state, rearm
from tests.fakes.broker import Fault

pytestmark = pytest.mark.faults


def component(name, *, age_s=0.0, status=ComponentStatus.OK):
    from tests.fakes.clock import START

    return ComponentView(name=name, age_s=age_s, status=status, at=START, pid=1)


def rest_entry(world, symbol):
    """Return an entry of the strategy that rests at the exchange."""
    order = place_manual_order(
        account_id=world.account.pk,
        wanted=ManualOrder(
            symbol=symbol,
            side=Side.BUY,
            type=OrderType.LIMIT,
            quantity=Decimal("0.1"),
            price=world.broker.prices[symbol] * Decimal("0.99"),
            time_in_force=TimeInForce.GTC,
        ),
        idempotency_key=symbol,
        actor="tester",
        broker=world.broker,
        clock=world.clock,
    )
    Order.objects.filter(pk=order.pk).update(leg="ENTRY")
    return order


@pytest.fixture
def watch(world, tmp_path: Path):
    views = []
    watch = Watch(
        account_id=world.account.pk,
        broker=world.broker,
        clock=world.clock,
        kill_file=tmp_path / "KILL",
        read_components=lambda: views,
    )
    return watch, views


@pytest.mark.parametrize(
    ("text", "scope", "level"),
    [
        ("", "GLOBAL", Level.CANCEL),
        ("FLATTEN", "GLOBAL", Level.FLATTEN),
        ("halt symbol:BTCUSDT odd prices", "symbol:BTCUSDT", Level.HALT),
        ("please stop", "GLOBAL", Level.CANCEL),
        ("ACTIVE", "GLOBAL", Level.CANCEL),
    ],
)
def test_a_file_raises_the_switch_and_goes_on_raising_it(world, watch, text, scope, level):
    watch, _ = watch
    assert not watch.obey_file()
    watch.kill_file.write_text(text)

    assert watch.obey_file()

    assert read_state(scopes=[scope]).level is level
    epoch = read_state(scopes=[scope]).epoch
    watch.obey_file()
    assert read_state(scopes=[scope]).epoch == epoch  # nothing new to say
    rearm(reason="too early", actor="anna", now=world.clock.now(), scope=scope)
    watch.obey_file()
    assert read_state(scopes=[scope]).level is level


def test_a_kill_file_that_cannot_be_read_stops_everything(watch):
    watch, _ = watch
    watch.kill_file.mkdir()

    assert watch.obey_file()

    assert read_state().level is Level.CANCEL


@pytest.mark.parametrize(
    ("offset_s", "level"), [(0.9, Level.ACTIVE), (1.5, Level.REDUCE_ONLY), (-2, Level.REDUCE_ONLY)]
)
def test_a_wrong_clock_closes_the_door(world, watch, monkeypatch, offset_s, level):
    watch, _ = watch
    honest = world.broker.server_time
    monkeypatch.setattr(world.broker, "server_time", lambda: honest() + timedelta(seconds=offset_s))

    watch.look_at_clock()

    assert read_state().level is level
    assert abs(watch.offset_ms - offset_s * 1000) <= 2


def test_the_clock_is_looked_at_only_so_often(world, watch, monkeypatch):
    watch, _ = watch
    looks = []
    honest = world.broker.server_time
    monkeypatch.setattr(world.broker, "server_time", lambda: looks.append(1) or honest())

    watch.look_at_clock()
    watch.look_at_clock()
    assert len(looks) == 1
    world.clock.advance(31)
    watch.look_at_clock()
    assert len(looks) == 2


def test_it_cancels_entries_when_the_gateway_is_silent(world, watch):
    watch, views = watch
    place_orders(decision_ids=[world.decide("BTCUSDT").pk], broker=world.broker, clock=world.clock)
    entry = Order.objects.get(leg="ENTRY")
    resting = rest_entry(world, "ETHUSDT")
    world.unsound = "a person's order was made the strategy's"
    views.append(component("worker.orders", age_s=14))
    watch.look_at_components()
    assert Order.objects.get(pk=resting.pk).state == "NEW"

    views[:] = [component("worker.orders", age_s=16)]
    watch.look_at_components()

    assert Order.objects.get(pk=resting.pk).state == "CANCELED"
    assert Order.objects.get(pk=entry.pk).state == "FILLED"
    assert Order.objects.get(leg="PROTECT").state == "NEW"
    assert Alert.objects.filter(code="GATEWAY_SILENT").count() == 1


def test_a_deaf_stream_closes_the_door_after_a_while(world, watch):
    watch, views = watch
    views.append(component("stream.user", status=ComponentStatus.FAILING))
    watch.look_at_components()
    world.clock.advance(30)
    views[:] = [component("stream.user")]
    watch.look_at_components()
    views[:] = [component("stream.user", status=ComponentStatus.DEAD)]
    watch.look_at_components()
    world.clock.advance(59)
    watch.look_at_components()
    assert read_state().level is Level.ACTIVE

    world.clock.advance(2)
    watch.look_at_components()

    assert read_state().level is Level.REDUCE_ONLY


def test_it_tells_of_a_queue_that_stands_still_while_the_schedule_turns(watch):
    watch, views = watch
    views[:] = [component("queue.orders", age_s=90), component("beat", status=ComponentStatus.DEAD)]
    watch.look_at_components()
    assert not Alert.objects.filter(code="QUEUE_STUCK").exists()

    views[1] = component("beat")
    watch.look_at_components()

    assert Alert.objects.get(code="QUEUE_STUCK").context["queue"] == "queue.orders"


def test_it_tells_of_a_strategy_that_decides_nothing(world, watch):
    watch, _ = watch
    decision = world.decide("BTCUSDT")
    world.clock.advance(3 * 3600)
    watch.look_at_decisions()
    assert not Alert.objects.filter(code="NO_DECISION").exists()

    world.clock.advance(2 * 3600)
    watch.look_at_decisions()

    assert Alert.objects.get(code="NO_DECISION").context["bars"] == 5
    type(decision).objects.all().delete()


def test_it_measures_how_long_a_position_is_bare(world):
    world.broker.faults.append(Fault("submit_oco", "drop"))
    place_orders(decision_ids=[world.decide("BTCUSDT").pk], broker=world.broker, clock=world.clock)
    world.clock.advance(4)

    measured = measure_unprotected(account_id=world.account.pk, clock=world.clock)

    assert [round(seconds) for seconds in measured.values()] == [4]


def test_a_position_that_is_bare_for_ten_seconds_is_sold(world):
    place_orders(decision_ids=[world.decide("BTCUSDT").pk], broker=world.broker, clock=world.clock)
    # A pair would now be below the exchange's least notional, a sale at the market is not.
    Instrument.objects.filter(symbol="BTCUSDT").update(min_notional=Decimal(990))
    forget_rules()
    cancel_orders(
        orders=list(Order.objects.filter(leg="PROTECT")), broker=world.broker, clock=world.clock
    )
    world.clock.advance(9)
    protect_positions(account_id=world.account.pk, broker=world.broker, clock=world.clock)
    assert not Order.objects.filter(leg="EXIT").exists()

    world.clock.advance(2)
    protect_positions(account_id=world.account.pk, broker=world.broker, clock=world.clock)

    assert Order.objects.get(leg="EXIT").state == "FILLED"
    assert Alert.objects.filter(code="POSITION_UNPROTECTED").exists()
    assert measure_unprotected(account_id=world.account.pk, clock=world.clock) == {}


def test_the_guardian_watches_values_and_measures(world, watch):
    watch, _ = watch
    guardian = Guardian(
        account_id=world.account.pk,
        broker=world.broker,
        clock=world.clock,
        pause=time.sleep,
        watch=watch,
    )
    watch.kill_file.write_text("REDUCE_ONLY the test")

    assert guardian.run_round(), guardian.failures

    assert read_state().level is Level.REDUCE_ONLY
    assert RiskMetrics.objects.count() == 1
    assert watch.offset_ms is not None

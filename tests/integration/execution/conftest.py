"""A small account on an exchange in memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from rest_framework.test import APIClient

from execution.api import actions
from execution.domain.decision import Action
from execution.domain.invariants import WorldReport
from execution.domain.truth import VenueTruth
from execution.models import Account, Decision, Strategy
from execution.services.accounts import open_account
from execution.services.reconciliation import reconcile_account
from execution.services.world.asking import truth_reader
from execution.services.world.checking import check_world
from markets.domain.ticker import Ticker
from markets.models import Candle, Instrument
from markets.models.tickers import write_tickers
from markets.selectors import forget_rules
from risk.models import RiskLimits
from risk.services.trading_state import rearm, start_trading
from tests.fakes.bracket_desk import BracketDesk
from tests.fakes.broker import FakeBroker
from tests.fakes.clock import HandClock

D = Decimal
PRICES = {"BTCUSDT": D("50000"), "ETHUSDT": D("2500"), "SOLUSDT": D("100"), "ADAUSDT": D("0.5")}


@dataclass
class World:
    """Everything a test of execution needs."""

    account: Account
    strategy: Strategy
    broker: FakeBroker
    clock: HandClock
    instruments: dict[str, Instrument]
    # Why the books of this test cannot be sound at its end; empty: they must be.
    unsound: str = ""

    def decide(
        self, symbol: str, action: Action = Action.ENTER, notional: str = "1000"
    ) -> Decision:
        """Store a decision of now."""
        now = self.clock.now()
        return Decision.objects.create(
            strategy=self.strategy,
            instrument=self.instruments[symbol],
            timeframe="1h",
            close_time=now,
            action=action.value,
            reason="TEST",
            price=self.broker.prices[symbol],
            target_notional=D(notional),
            created_at=now,
        )

    def move_price(self, symbol: str, price: str) -> None:
        """Let the market move, and our tickers with it."""
        self.broker.prices[symbol] = D(price)
        ticker = Ticker(symbol=symbol, price=D(price), at=self.clock.now())
        assert write_tickers([ticker])

    def read_truth(self) -> VenueTruth:
        """Ask the exchange in memory for everything."""
        return truth_reader(
            account_id=self.account.pk,
            broker=self.broker,
            clock=self.clock,
            look_back=timedelta(days=7),
        )()

    def check(self, **options) -> WorldReport:
        """Check every invariant beside the exchange in memory."""
        return check_world(
            account_id=self.account.pk,
            clock=self.clock,
            **{"read_truth": self.read_truth, "pause": lambda _seconds: None, **options},
        )

    def must_be_sound(self) -> None:
        """Fail with every finding; what the market did meanwhile is booked first."""
        if self.unsound:
            return
        self.broker.faults.clear()
        self.broker.before_submit = None
        self.reconcile()
        assert self.check().findings == ()

    def reconcile(self, **options):
        return reconcile_account(
            account_id=self.account.pk,
            broker=self.broker,
            clock=self.clock,
            pause=lambda _seconds: None,
            **options,
        )


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def _instrument(symbol: str, price: Decimal, clock: HandClock) -> Instrument:
    row = Instrument.objects.create(
        symbol=symbol,
        base_asset=symbol.removesuffix("USDT"),
        quote_asset="USDT",
        status="TRADING",
        tick_size=D("0.0001") if price < 10 else D("0.01"),
        step_size=D("0.1") if price < 10 else D("0.00001"),
        min_quantity=D("0.00001"),
        min_notional=D("5"),
        synced_at=clock.now(),
    )
    Candle.objects.create(
        instrument=row,
        timeframe="1m",
        open_time=clock.now() - timedelta(minutes=1),
        **dict.fromkeys(("open", "high", "low", "close"), price),
        volume=D(1),
    )
    return row


def build_world(clock: HandClock, symbols: dict[str, Decimal]) -> World:
    forget_rules()
    instruments = {name: _instrument(name, price, clock) for name, price in symbols.items()}
    account = open_account(name="test", mode="demo", quote_asset="USDT", now=clock.now())
    strategy = Strategy.objects.create(name="test", account=account)
    broker = FakeBroker(
        clock=clock,
        prices=dict(symbols),
        assets={name: (name.removesuffix("USDT"), "USDT") for name in symbols},
    )
    broker.held["USDT"] = D("100000")
    if not RiskLimits.objects.exists():
        RiskLimits.objects.create()
    RiskLimits.objects.update(max_positions=100, max_open_orders=200, max_position_size=D("20000"))
    rearm(reason="test", actor="tester", now=clock.now())
    start_trading(reason="test", actor="tester", now=clock.now())
    world = World(account, strategy, broker, clock, instruments)
    assert world.reconcile().is_green
    return world


@pytest.fixture
def world(db: None, clock: HandClock) -> Iterator[World]:
    world = build_world(clock, PRICES)
    yield world
    world.must_be_sound()


@pytest.fixture
def committed_world(transactional_db: None, clock: HandClock) -> Iterator[World]:
    """The same, seen by other threads and processes."""
    world = build_world(clock, PRICES)
    yield world
    world.must_be_sound()


@pytest.fixture
def wide_world(db: None, clock: HandClock) -> Iterator[Callable[[int], World]]:
    worlds = []

    def build(count: int) -> World:
        worlds.append(build_world(clock, {f"C{index}USDT": D(100) for index in range(count)}))
        return worlds[-1]

    yield build
    for world in worlds:
        world.must_be_sound()


@pytest.fixture
def desk(world) -> BracketDesk:
    """Somebody who gives resting entries a stop and a target."""
    return BracketDesk(world)


@pytest.fixture
def client(world, monkeypatch, settings) -> APIClient:
    """A trader at the API of this world."""
    settings.ACCOUNT_NAME = "test"
    monkeypatch.setattr(actions, "get_broker", lambda: world.broker)
    monkeypatch.setattr(actions, "get_clock", lambda: world.clock)
    client = APIClient()
    client.force_authenticate(get_user_model().objects.create_user("trader"))
    return client

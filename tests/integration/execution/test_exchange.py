"""Placing on the local exchange, over real sockets, with its own faults."""

import json
import time
import urllib.request
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from core.clock import AffineClock
from execution.adapters.binance_broker import BinanceBroker
from execution.domain.decision import Action
from execution.models import Account, Decision, Order, Position, Strategy
from execution.services.accounts import open_account
from execution.services.orders import place_orders
from execution.services.protection import protect_positions
from execution.services.reconciliation import reconcile_account, sync_orders
from execution.services.resolution import resolve_unknown
from markets.adapters.binance_client import build_client
from markets.adapters.binance_market_data import BinanceMarketData
from markets.domain.ticker import Ticker
from markets.models import Instrument
from markets.models.tickers import write_tickers
from markets.selectors import forget_rules
from markets.services.instruments import sync_instruments
from risk.models import RiskLimits
from risk.services.trading_state import rearm, start_trading

pytestmark = pytest.mark.faults
SIM_OPTIONS = ("--generate", "--symbols", "BTCUSDT,ETHUSDT", "--balance", "USDT=100000")
D = Decimal


@dataclass
class Floor:
    account: Account
    strategy: Strategy
    broker: BinanceBroker
    clock: AffineClock
    url: str

    def call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}{path}",
            json.dumps(body).encode() if body is not None else None,
            {"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.load(reply)

    def price(self, symbol: str) -> Decimal:
        return D(self.call("GET", f"/api/v3/ticker/price?symbol={symbol}")["price"])

    def decide(self, symbol: str, action: Action = Action.ENTER) -> Decision:
        now, price = self.clock.now(), self.price(symbol)
        write_tickers([Ticker(symbol=symbol, price=price, at=now)])
        return Decision.objects.create(
            strategy=self.strategy,
            instrument=Instrument.objects.get(symbol=symbol),
            timeframe="1h",
            close_time=now,
            action=action.value,
            reason="TEST",
            price=price,
            target_notional=D("1000"),
            created_at=now,
        )

    def place(self, *decisions: Decision) -> list[int]:
        return place_orders(
            decision_ids=[row.pk for row in decisions], broker=self.broker, clock=self.clock
        )

    def reconcile(self):
        return reconcile_account(
            account_id=self.account.pk, broker=self.broker, clock=self.clock, pause=time.sleep
        )


def build_floor(sim_exchange):
    """Return an account on the local exchange, reconciled and allowed to trade."""
    with urllib.request.urlopen(f"{sim_exchange.url}/_sim/clock", timeout=10) as reply:
        told = json.load(reply)
    clock = AffineClock(
        origin_wall_ms=int(time.time() * 1000), origin_market_ms=told["now_ms"], speed=told["speed"]
    )
    client = build_client(
        mode="demo",
        sim_url=sim_exchange.url,
        clock=clock,
        api_key=sim_exchange.key,
        api_secret=sim_exchange.secret,
    )
    forget_rules()
    sync_instruments(market_data=BinanceMarketData(client, clock, is_local=True), now=clock.now())
    account = open_account(name="floor", mode="demo", quote_asset="USDT", now=clock.now())
    strategy = Strategy.objects.create(name="floor", account=account)
    if not RiskLimits.objects.exists():
        RiskLimits.objects.create()
    rearm(reason="test", actor="tester", now=clock.now())
    start_trading(reason="test", actor="tester", now=clock.now())
    floor = Floor(account, strategy, BinanceBroker(client, clock), clock, sim_exchange.url)
    assert floor.reconcile().is_green
    return floor


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

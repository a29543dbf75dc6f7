"""An account on the local exchange, for tests that trade over real sockets."""

import time
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from core.clock import AffineClock, Clock
from execution.adapters.binance_broker import BinanceBroker
from execution.domain.decision import Action
from execution.models import Account, Decision, Strategy
from execution.services.accounts import open_account
from execution.services.orders import place_orders
from execution.services.reconciliation import reconcile_account
from markets.adapters.binance_client import VenueClient, build_client
from markets.adapters.binance_market_data import BinanceMarketData
from markets.domain.ticker import Ticker
from markets.models import Instrument
from markets.models.tickers import write_tickers
from markets.selectors import forget_rules
from markets.services.instruments import sync_instruments
from risk.models import RiskLimits
from risk.services.trading_state import rearm, start_trading
from tests.processes import SimExchange, call_json

D = Decimal


@dataclass
class Floor:
    account: Account
    strategy: Strategy
    broker: BinanceBroker
    clock: Clock
    url: str

    def call(self, method: str, path: str, body: Any = None) -> Any:
        return call_json(method, f"{self.url}{path}", body)

    def price(self, symbol: str) -> Decimal:
        return D(self.call("GET", f"/api/v3/ticker/price?symbol={symbol}")["price"])

    def quote(self, symbol: str) -> Decimal:
        """Return the price, and have our tickers know it."""
        price = self.price(symbol)
        write_tickers([Ticker(symbol=symbol, price=price, at=self.clock.now())])
        return price

    def decide(self, symbol: str, action: Action = Action.ENTER) -> Decision:
        price, now = self.quote(symbol), self.clock.now()
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


def build_floor(sim_exchange: SimExchange, *, name: str = "floor", patience: float = 1.0) -> Floor:
    """Return an account on the local exchange, reconciled and allowed to trade."""
    told = call_json("GET", f"{sim_exchange.url}/_sim/clock")
    clock = AffineClock(
        origin_wall_ms=round(told["origin_wall_ms"]),
        origin_market_ms=round(told["origin_sim_ms"]),
        speed=told["speed"],
        patience=patience,
    )
    client = build_client(
        mode="demo",
        sim_url=sim_exchange.url,
        clock=clock,
        api_key=sim_exchange.key,
        api_secret=sim_exchange.secret,
    )
    return open_floor(client, clock, name=name, url=sim_exchange.url)


def open_floor(client: VenueClient, clock: Clock, *, name: str, url: str) -> Floor:
    """Return an account of the client's, reconciled and allowed to trade."""
    forget_rules()
    sync_instruments(market_data=BinanceMarketData(client, clock, is_local=True), now=clock.now())
    account = open_account(name=name, mode="demo", quote_asset="USDT", now=clock.now())
    strategy = Strategy.objects.create(name=name, account=account)
    if not RiskLimits.objects.exists():
        RiskLimits.objects.create()
    rearm(reason="test", actor="tester", now=clock.now())
    start_trading(reason="test", actor="tester", now=clock.now())
    floor = Floor(account, strategy, BinanceBroker(client, clock), clock, url)
    assert floor.reconcile().is_green
    return floor

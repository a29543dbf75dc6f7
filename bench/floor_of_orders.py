"""An account on the local exchange with a real guardian, for what is measured about safety."""

import contextlib
import json
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench import servers, system

SYMBOLS = tuple(f"S{number}USDT" for number in range(10))
ACTOR = "bench"
_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFloor:
    """One account, trading allowed; its processes are started by whoever measures."""

    account_id: int
    url: str
    folder: Path
    environment: dict[str, str]
    broker: Any

    @contextlib.contextmanager
    def running(self, name: str, *arguments: str, **environment: str) -> Iterator[servers.Program]:
        """Run a management command until the block ends."""
        command = [sys.executable, "manage.py", name, *arguments]
        own = {**self.environment, **environment}
        with servers.program(name, command, folder=self.folder, environment=own) as program:
            yield program

    @contextlib.contextmanager
    def guarded(self, *arguments: str) -> Iterator[float]:
        """Run a guardian until the block ends; yield the seconds from its start to READY."""
        from execution.models import Account
        from execution.services.reconciliation import close_gate

        close_gate(account_id=self.account_id)
        ready = Account.objects.filter(pk=self.account_id, ready_at__isnull=False)
        begun = time.monotonic()
        with self.running("guard", *arguments):
            wait_for(ready.exists, "READY")
            yield time.monotonic() - begun

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Make a call of the exchange that needs no key."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.url}{path}", data, method=method)  # noqa: S310 - our own server
        with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310 - the same
            return json.load(reply)

    def price(self, symbol: str) -> Decimal:
        """Return the market's price; our newest candle has it, for without Redis no ticker does."""
        from core.clock import get_clock
        from markets.domain.timeframe import Timeframe
        from markets.models import Candle, Instrument

        price = Decimal(self.call("GET", f"/api/v3/ticker/price?symbol={symbol}")["price"])
        minute = Timeframe("1m")
        Candle.objects.update_or_create(
            instrument=Instrument.objects.get(symbol=symbol),
            timeframe=minute.value,
            open_time=minute.floor(get_clock().now()) - minute.delta,
            defaults={**dict.fromkeys(("open", "high", "low", "close"), price), "volume": 1},
        )
        return price

    def rest(self, symbol: str, share: str = "0.985") -> Any:
        """Place a limit buy below the market, by hand; return its row."""
        from markets.selectors import get_rules_by_symbol

        wanted = self.price(symbol) * Decimal(share)
        price = get_rules_by_symbol(symbol).quantize_price(wanted, "BUY")
        return self.rest_at(symbol, price, notional=Decimal(200))

    def rest_at(self, symbol: str, price: Decimal, *, notional: Decimal) -> Any:
        """Place a limit buy at a price of the grid, by hand; return its row."""
        from core.clock import get_clock
        from execution.domain.order import OrderType, Side, TimeInForce
        from execution.services.orders import ManualOrder, place_manual_order
        from markets.selectors import get_rules_by_symbol

        return place_manual_order(
            account_id=self.account_id,
            wanted=ManualOrder(
                symbol=symbol,
                side=Side.BUY,
                type=OrderType.LIMIT,
                quantity=get_rules_by_symbol(symbol).quantize_quantity(notional / price),
                price=price,
                time_in_force=TimeInForce.GTC,
            ),
            idempotency_key=uuid.uuid4().hex,
            actor=ACTOR,
            broker=self.broker,
            clock=get_clock(),
        )

    def enter(self, symbol: str) -> Any:
        """Place the order of a decision to enter; return its row."""
        from core.clock import get_clock
        from execution.models import Decision, Order, Strategy
        from execution.services.orders import place_orders
        from markets.models import Instrument

        price, now = self.price(symbol), get_clock().now()
        decision = Decision.objects.create(
            strategy=Strategy.objects.get(),
            instrument=Instrument.objects.get(symbol=symbol),
            timeframe="1h",
            close_time=now,
            action="ENTER",
            reason="BENCH",
            price=price,
            target_notional=Decimal(1000),
            created_at=now,
        )
        place_orders(decision_ids=[decision.pk], broker=self.broker, clock=get_clock())
        return Order.objects.get(decision=decision, leg="ENTRY")

    def rearm(self) -> None:
        """Take the kill switch back."""
        from core.clock import get_clock
        from risk.services.trading_state import rearm

        rearm(reason="the next round", actor=ACTOR, now=get_clock().now())


def wait_for(condition: Callable[[], Any], what: str, *, limit_s: float = _LIMIT_S) -> Any:
    """Poll every five milliseconds; return what was found."""
    deadline = time.monotonic() + limit_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"no {what} within {limit_s:.0f} s")
        time.sleep(0.005)
    return found


@contextlib.contextmanager
def order_floor(folder: Path, *, database_url: str, redis_url: str) -> Iterator[OrderFloor]:
    """Start the exchange and open an account on it."""
    options = ("--generate", "--symbols", ",".join(SYMBOLS), "--history-days", "1")
    room = ("--orders-limit", "1000000", "--weight-limit", "100000000")
    with servers.exchange(folder, *options, *room, "--balance", "USDT=1000000") as told:
        url = f"http://127.0.0.1:{told['port']}"
        clock = servers_clock(url)
        environment = system.set_up(
            folder,
            DATABASE_URL=database_url,
            REDIS_URL=redis_url,
            SIM_URL=url,
            CLOCK=clock,
            BINANCE_API_KEY=told["key"],
            BINANCE_API_SECRET=told["secret"],
        )
        yield _open(url, folder=folder, environment=environment)


def servers_clock(url: str) -> str:
    """Return the exchange's clock in the form of the ``CLOCK`` setting."""
    with urllib.request.urlopen(f"{url}/_sim/clock", timeout=10) as reply:  # noqa: S310 - our own
        told = json.load(reply)
    return f"{round(told['origin_wall_ms'])}:{round(told['origin_sim_ms'])}:{told['speed']}"


def _open(url: str, *, folder: Path, environment: dict[str, str]) -> OrderFloor:
    from django.core.management import call_command

    from core.clock import get_clock
    from execution.adapters.factory import get_broker
    from execution.models import Strategy
    from execution.services.accounts import open_account
    from markets.adapters.factory import get_market_data
    from markets.services.instruments import sync_instruments
    from risk.services.limits import save_limits
    from risk.services.trading_state import start_trading

    now = get_clock().now()
    sync_instruments(market_data=get_market_data(), symbols=SYMBOLS, now=now)
    account = open_account(name="demo", mode="demo", quote_asset="USDT", now=now)
    Strategy.objects.create(name="bench", account=account)
    save_limits(
        changes={
            "max_positions": 100,
            "max_open_orders": 200,
            "max_position_size": Decimal(500_000),
            "max_daily_loss": Decimal(100_000),
            "duplicate_window_s": 0,
        },
        actor=ACTOR,
        reason="measuring",
        now=now,
    )
    call_command("reconcile", verbosity=0)
    start_trading(reason="measuring", actor=ACTOR, now=get_clock().now())
    return OrderFloor(
        account_id=account.pk,
        url=url,
        folder=folder,
        environment=environment,
        broker=get_broker(),
    )

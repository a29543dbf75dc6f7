"""A whole desk for the chain's measurement: exchange, database, broker and real workers.

Nothing is replaced: which symbols place an order is a matter of two strategies' thresholds.
"""

import json
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench import market, servers, system

SIZES = (1, 20, 100, 500)
# A candle of a minute closes every six seconds of the wall: time for one round.
SPEED = 10.0
TIMEFRAME = "1m"
PIPELINE_WORKERS = 2
_BARS = 620
_NEVER_BPS = 100_000.0
_ACTOR = "bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A running desk.

    Attributes:
        subsets: Instrument ids by the size of the measurement; no symbol is in two of them.
        entering: Those that enter at every close they are flat at, a tenth of each subset.
        exchange_url: Of the local exchange.
        origin: Wall ms, market ms: the clock's common origin.
    """

    account_id: int
    subsets: Mapping[int, tuple[int, ...]]
    entering: frozenset[int]
    symbols: Mapping[int, str]
    exchange_url: str
    exchange_pid: int
    origin: tuple[float, int]
    last_close_ms: dict[int, int] = field(default_factory=dict)

    def wall_s(self, moment: datetime) -> float:
        """Return the wall time of a moment of the market."""
        return self.wall_s_of_ms(moment.timestamp() * 1000)

    def wall_s_of_ms(self, market_ms: float) -> float:
        """Return the wall time of market milliseconds."""
        return (self.origin[0] + (market_ms - self.origin[1]) / SPEED) / 1000

    def entering_in(self, size: int) -> list[int]:
        """Return the ids of the subset that enter."""
        return [key for key in self.subsets[size] if key in self.entering]

    def next_rows(self, size: int) -> tuple[int, list[list[Any]]]:
        """Return the newest close that the subset has not had, and its candles at real prices."""
        from core.clock import get_clock

        while True:
            close_ms = get_clock().now_ms() // 60_000 * 60_000
            for missed_ms in range(self.last_close_ms[size] + 60_000, close_ms, 60_000):
                self._pass_close(size, missed_ms)
            if close_ms > self.last_close_ms[size]:
                break
            time.sleep(0.02)
        self.last_close_ms[size] = close_ms
        return close_ms, self._rows(size, close_ms)

    def fill_gap(self) -> None:
        """Store the candles that closed during the preparation; no worker has read any yet."""
        from core.clock import from_ms, get_clock
        from markets.services.ingestion import store_candles

        now_ms = get_clock().now_ms()
        end_ms = now_ms // 60_000 * 60_000
        rows = [
            row
            for size in SIZES
            for close_ms in range(self.last_close_ms[size] + 60_000, end_ms + 60_000, 60_000)
            for row in self._rows(size, close_ms)
        ]
        store_candles(timeframe=TIMEFRAME, rows=rows, now=from_ms(now_ms))
        self.last_close_ms.update(dict.fromkeys(SIZES, end_ms))

    def _pass_close(self, size: int, close_ms: int) -> None:
        """Let the chain see a close that is too old to enter on, so that no window has a hole."""
        from core.clock import from_ms
        from execution.models import Decision
        from tradingsite.pipeline import start_chain

        rows = self._rows(size, close_ms)
        start_chain(timeframe=TIMEFRAME, close_time_ms=close_ms, rows=rows)
        made = Decision.objects.filter(
            close_time=from_ms(close_ms), instrument_id__in=self.subsets[size]
        )
        deadline = time.monotonic() + 30
        while made.count() < size:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{made.count()} of {size} symbols decided on a passed close")
            time.sleep(0.02)
        self.last_close_ms[size] = close_ms

    def _rows(self, size: int, close_ms: int) -> list[list[Any]]:
        prices = self._publish_prices()
        tail = ["5", "500", 3, "2", "200"]
        return [
            [key, close_ms - 60_000, *[prices[self.symbols[key]]] * 4, *tail]
            for key in self.subsets[size]
        ]

    def ledger(self, requests: int) -> dict[str, Any]:
        """Return the exchange's own truth with its newest requests."""
        return dict(read_json(f"{self.exchange_url}/_sim/ledger?requests={requests}"))

    def close_all(self) -> None:
        """Close every position by the real service, and see that all are closed."""
        from core.clock import get_clock
        from execution.adapters.factory import get_broker
        from execution.models import Position
        from execution.services.orders import close_position

        clock, broker = get_clock(), get_broker()
        close_position(
            account_id=self.account_id, symbol=None, actor=_ACTOR, broker=broker, clock=clock
        )
        left = Position.objects.filter(status=Position.Status.OPEN).count()
        if left:
            raise RuntimeError(f"{left} positions are still open")

    def _publish_prices(self) -> dict[str, str]:
        """Hand on the exchange's prices as the market stream does."""
        from core.clock import get_clock
        from markets.domain.ticker import Ticker
        from markets.models.tickers import write_tickers

        found = read_json(f"{self.exchange_url}/api/v3/ticker/price")
        prices = {row["symbol"]: row["price"] for row in found}
        now = get_clock().now()
        write_tickers(
            Ticker(symbol=symbol, price=Decimal(price), at=now) for symbol, price in prices.items()
        )
        return prices


def read_json(url: str) -> Any:
    """Return the JSON that our own server answers with."""
    with urllib.request.urlopen(url, timeout=30) as reply:  # noqa: S310 - our own server
        return json.loads(reply.read())


@contextmanager
def running_desk(folder: Path, *, database_url: str) -> Iterator[Desk]:
    """Start everything, train the model and set up the strategies."""
    symbols = [f"T{number:03d}USDT" for number in range(sum(SIZES))]
    with ExitStack() as stack:
        begun = time.monotonic()
        told = stack.enter_context(
            servers.exchange(
                folder,
                *("--generate", "--symbols", ",".join(symbols), "--speed", f"{SPEED:g}"),
                *("--history-days", "1", "--balance", "USDT=50000000"),
                *("--orders-limit", "1000000", "--weight-limit", "100000000"),
            )
        )
        system.say(f"exchange with {len(symbols)} symbols: {time.monotonic() - begun:.1f} s")
        url = f"http://127.0.0.1:{told['port']}"
        clock = read_json(f"{url}/_sim/clock")
        origin = (float(round(clock["origin_wall_ms"])), int(clock["origin_sim_ms"]))
        environment = system.set_up(
            folder,
            DATABASE_URL=database_url,
            REDIS_URL=stack.enter_context(servers.broker(folder)),
            SIM_URL=url,
            CLOCK=f"{origin[0]:.0f}:{origin[1]}:{SPEED:g}",
            BINANCE_API_KEY=told["key"],
            BINANCE_API_SECRET=told["secret"],
            PIPELINE_WORKERS=str(PIPELINE_WORKERS),
        )
        desk = _prepare(symbols, url=url, origin=origin, pid=told["pid"])
        for name, command in _workers():
            stack.enter_context(
                servers.program(name, command, folder=folder, environment=environment)
            )
        yield desk


def _prepare(symbols: list[str], *, url: str, origin: tuple[float, int], pid: int) -> Desk:
    from django.core.management import call_command

    from core.clock import get_clock
    from execution.services.accounts import open_account
    from markets.adapters.factory import get_market_data
    from markets.services.instruments import sync_instruments
    from risk.services.limits import save_limits
    from risk.services.trading_state import start_trading

    now = get_clock().now()
    ids = sync_instruments(market_data=get_market_data(), symbols=symbols, now=now)
    by_id = dict(zip(ids, sorted(symbols), strict=True))
    subsets, first = {}, 0
    for size in SIZES:
        subsets[size] = tuple(ids[first : first + size])
        first += size
    entering = frozenset(key for some in subsets.values() for key in some[: -(-len(some) // 10)])
    account = open_account(name="demo", mode="demo", quote_asset="USDT", now=now)
    desk = Desk(
        account_id=account.pk,
        subsets=subsets,
        entering=entering,
        symbols=by_id,
        exchange_url=url,
        exchange_pid=pid,
        origin=origin,
    )
    _make_strategies(desk, ids)
    save_limits(
        changes={
            "max_positions": 100,
            "max_open_orders": 200,
            "max_position_size": Decimal(20_000),
            "max_daily_loss": Decimal(100_000),
            "max_data_age_bars": 10,
            "duplicate_window_s": 0,
        },
        actor=_ACTOR,
        reason="a tenth of 621 symbols enters at every close",
        now=now,
    )
    _store_history(desk)
    _train(desk)
    call_command("reconcile", verbosity=0)
    start_trading(reason="measuring", actor=_ACTOR, now=get_clock().now())
    return desk


def _make_strategies(desk: Desk, ids: list[int]) -> None:
    """Make one strategy that always enters and one that never does, by thresholds alone."""
    from execution.models import Strategy

    always = Strategy.objects.create(
        name="always",
        account_id=desk.account_id,
        timeframe=TIMEFRAME,
        base_position_size=Decimal(1000),
        min_confidence=0.0,
        min_edge_bps=-_NEVER_BPS,
        cooldown_bars=0,
        max_holding_bars=10_000,
    )
    always.instruments.set(desk.entering)
    never = Strategy.objects.create(
        name="never", account_id=desk.account_id, timeframe=TIMEFRAME, min_edge_bps=_NEVER_BPS
    )
    never.instruments.set(set(ids) - desk.entering)


def _store_history(desk: Desk) -> None:
    from core.clock import from_ms, get_clock
    from markets.services.ingestion import store_candles

    end_ms = get_clock().now_ms() // 60_000 * 60_000
    desk.last_close_ms.update(dict.fromkeys(SIZES, end_ms))
    found = read_json(f"{desk.exchange_url}/api/v3/ticker/price")
    prices = {row["symbol"]: row["price"] for row in found}
    rows: list[list[Any]] = []
    for key, symbol in desk.symbols.items():
        price = prices[symbol]
        rows += market.planted_rows(
            key,
            interval_ms=60_000,
            end_ms=end_ms,
            count=_BARS,
            last_price=float(price),
            price_places=max(2, len(price.partition(".")[2].rstrip("0"))),
        )
    begun = time.monotonic()
    store_candles(timeframe=TIMEFRAME, rows=rows, now=from_ms(end_ms))
    system.say(f"{len(rows):,} candles stored: {time.monotonic() - begun:.1f} s")


def _train(desk: Desk) -> None:
    """Train on the symbols that enter; the planted signal is there on each of them."""
    from core.clock import get_clock
    from markets.domain.timeframe import Timeframe
    from mlmodels.adapters.factory import get_all_trainers, get_artifact_store, get_trainers
    from mlmodels.services.serving import ModelCache
    from mlmodels.services.training import train_model

    begun = time.monotonic()
    train_model(
        timeframe=Timeframe(TIMEFRAME),
        instrument_ids=sorted(desk.entering),
        horizon_bars=1,
        trigger="manual",
        seed=7,
        trainers=get_trainers(),
        store=get_artifact_store(),
        now=get_clock().now(),
        progress=lambda _done, _total, _message: None,
        lease=timedelta(days=1),
    )
    cache = ModelCache(store=get_artifact_store(), trainers=get_all_trainers())
    model = cache.champion(TIMEFRAME)
    if model is None or not desk.entering <= model.bundle.skilled:
        found = 0 if model is None else len(model.bundle.skilled)
        raise RuntimeError(f"the model is believed on {found} of {len(desk.entering)} symbols")
    system.say(f"model trained: {time.monotonic() - begun:.1f} s")


def _workers() -> list[tuple[str, list[str]]]:
    """Return the commands of the real workers: one for orders, two for the pipeline."""
    from tradingsite.supervisor import plan

    specs = {spec.name: list(spec.argv) for spec in plan.system(port=0, with_web=False)}
    pipeline = specs["worker-pipeline"]
    found = [("worker-orders", specs["worker-orders"])]
    for number in range(PIPELINE_WORKERS):
        queue, name = f"pipeline.{number}", f"worker-pipeline{number}@%h"
        command = [queue if part == "pipeline.0" else part for part in pipeline]
        command[command.index("-n") + 1] = name
        found.append((f"worker-pipeline{number}", command))
    return found

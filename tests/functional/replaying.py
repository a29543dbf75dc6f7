"""A desk that lives through replayed candles in step with the local exchange's own clock.

The exchange is a process of its own whose clock stands still until it is moved. Everything of
ours runs as in production: candles over REST into the chain of tasks, orders through the broker,
the guardian after each close, outcomes, explanations and trainings when they are due.
"""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings

from bench.counting import counting
from core.clock import from_ms, to_ms
from core.keys.manager import forget_credentials
from execution.adapters.factory import get_broker
from execution.services.accounts import open_account
from execution.services.guarding import Guardian
from execution.services.strategies import set_up_strategy
from markets.adapters.binance_market_data import BinanceMarketData
from markets.adapters.factory import get_market_data
from markets.domain.timeframe import Timeframe
from markets.selectors import forget_rules, list_subscriptions
from markets.services.backfill import backfill
from markets.services.instruments import subscribe, sync_instruments
from markets.services.tickers import record_tickers
from mlmodels.tasks import retrain_due, score_outcomes, watch_models
from risk.models import RiskLimits
from risk.services.trading_state import rearm, start_trading
from tests.processes import SimExchange, call_json
from tests.unit.mlmodels.market import Series
from tradingsite.pipeline import start_chain

_BEFORE_CLOSE = timedelta(seconds=5)
_AFTER_CLOSE = timedelta(seconds=1)
_ON_THE_WAY = timedelta(milliseconds=80)
# How often what beat does every few minutes is done here, in closes.
_WATCH_EVERY = 48
# Who asks for the clock in production.
_CLOCKED = (
    *("tradingsite.pipeline", "execution.tasks", "mlmodels.tasks"),
    *("execution.adapters.factory", "markets.adapters.factory"),
)
_COLUMNS = (
    *("open_time", "open", "high", "low", "close", "volume"),
    *("quote_volume", "trades", "taker_buy_base", "taker_buy_quote"),
)


class VenueClock:
    """The exchange's clock, moved by hand; each reading moves ours by ten microseconds."""

    speed = 1.0

    def __init__(self, url: str) -> None:
        self._url = url
        self._now = from_ms(self._call("GET", "clock")["now_ms"])

    def now(self) -> datetime:
        self._now += timedelta(microseconds=10)
        return self._now

    def now_ms(self) -> int:
        return to_ms(self.now())

    def protocol(self, duration: timedelta) -> timedelta:
        return duration

    def venue(self, duration: timedelta) -> timedelta:
        return duration

    def move_to(self, moment: datetime) -> None:
        """Let the market play until `moment`."""
        left = to_ms(moment) - self._call("GET", "clock")["now_ms"]
        self._now = from_ms(self._call("POST", "advance", {"ms": left})["now_ms"])

    def _call(self, method: str, name: str, body: Any = None) -> Any:
        return call_json(method, f"{self._url}/_sim/{name}", body, timeout_s=60)


@dataclass(frozen=True, kw_only=True)
class ReplayDesk:
    """An account that trades candles of the local exchange, in this process."""

    clock: VenueClock
    timeframe: Timeframe
    symbols: dict[str, int]
    market_data: BinanceMarketData
    guardian: Guardian
    first_close: datetime

    def live(self, closes: int) -> datetime:
        """Live through so many closes; return the first close that was not lived."""
        close = self.first_close
        with counting():
            for number in range(closes):
                self._live_one(close)
                score_outcomes()
                if number % _WATCH_EVERY == _WATCH_EVERY - 1:
                    watch_models()
                    retrain_due()
                close += self.timeframe.delta
        return close

    def _live_one(self, close: datetime) -> None:
        self.clock.move_to(close - _BEFORE_CLOSE)
        self._guard()  # what the market did to resting orders is booked
        self.clock.move_to(close + _AFTER_CLOSE)
        rows = []
        for symbol, instrument_id in self.symbols.items():
            found = self.market_data.klines(
                symbol=symbol,
                timeframe=self.timeframe,
                start_ms=to_ms(close) - self.timeframe.ms,
                end_ms=to_ms(close),
                limit=1,
            )
            rows += [[instrument_id, *row] for row in found]
        record_tickers(tickers=[self.market_data.ticker(symbol) for symbol in self.symbols])
        if rows:
            start_chain(timeframe=self.timeframe.value, close_time_ms=to_ms(close), rows=rows)
        self._guard()

    def _guard(self) -> None:
        assert self.guardian.run_round(), self.guardian.failures


@contextmanager
def on_exchange(exchange: SimExchange, monkeypatch: Any) -> Iterator[VenueClock]:
    """Have every entry point of this process use the exchange, its key and its clock."""
    clock = VenueClock(exchange.url)
    with monkeypatch.context() as patch:
        for module in _CLOCKED:
            patch.setattr(f"{module}.get_clock", lambda: clock)
        patch.setattr("execution.tasks.get_broker", lambda: _far_broker(clock))
        patch.setattr(settings, "SIM_URL", exchange.url)
        patch.setattr(settings, "WEIGHT_LIMIT", None)
        patch.setenv("BINANCE_API_KEY", exchange.key)
        patch.setenv("BINANCE_API_SECRET", exchange.secret)
        forget_credentials()
        try:
            yield clock
        finally:
            forget_credentials()


def _far_broker(clock: VenueClock) -> Any:
    """Return the broker after the time that an order takes to the exchange."""
    clock.move_to(clock.now() + _ON_THE_WAY)
    return get_broker()


def open_replay_desk(clock: VenueClock, *, timeframe: Timeframe, history_bars: int) -> ReplayDesk:
    """Prepare an account, its history and its first model, as ``prepare_desk`` does."""
    forget_rules()
    market_data = get_market_data()
    now = clock.now()
    ids = sync_instruments(market_data=market_data, now=now)
    account = open_account(name="replay", mode="demo", quote_asset="USDT", now=now)
    set_up_strategy(account_id=account.pk, timeframe=timeframe, instrument_ids=ids)
    RiskLimits.objects.get_or_create()
    for instrument_id in ids:
        subscribe(instrument_id=instrument_id, timeframe=timeframe)
        backfill(
            source=market_data,
            instrument_id=instrument_id,
            timeframe=timeframe,
            start=now - history_bars * timeframe.delta,
            end=now,
            now=now,
        )
    guardian = Guardian(
        account_id=account.pk,
        broker=get_broker(),
        clock=clock,
        pause=lambda _seconds: None,
    )
    rearm(reason="test", actor="tester", now=clock.now())
    start_trading(reason="test", actor="tester", now=clock.now())
    with counting():
        retrain_due()
    opened = timeframe.floor_ms(to_ms(now))
    symbols = {row.symbol: row.instrument_id for row in list_subscriptions()}
    return ReplayDesk(
        clock=clock,
        timeframe=timeframe,
        symbols=symbols,
        market_data=market_data,
        guardian=guardian,
        first_close=from_ms(opened) + timeframe.delta,
    )


def write_candles(series: Series, path: Path) -> None:
    """Write generated candles as a file that the exchange replays, native columns included."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for bar in range(len(series.close)):
            writer.writerow(_row(series, bar))


def _row(series: Series, bar: int) -> Sequence[Any]:
    names = ("open", "high", "low", "close")
    o, h, lo, c = (round(float(getattr(series, name)[bar]), 2) for name in names)
    volume = 10_000.0 * float(series.volume[bar])
    bought = 10_000.0 * float(series.taker_buy_base[bar])
    prices = (f"{x:.2f}" for x in (o, max(h, o, c), min(lo, o, c), c))
    volumes = (f"{volume:.4f}", f"{volume * c:.4f}", 10, f"{bought:.4f}", f"{bought * c:.4f}")
    return (int(series.open_time_ms[bar]), *prices, *volumes)

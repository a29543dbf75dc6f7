"""A running desk: closes candles for subsets of its symbols and reads what became of them."""

import json
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from bench import market

SIZES = (1, 20, 100, 500)
# A candle of a minute closes every six seconds of the wall: time for one round.
SPEED = 10.0
TIMEFRAME = "1m"
BAR_MS = 60_000
ACTOR = "bench"
# A close that is older than this may be stale before the chain has decided on it.
_FRESH_MS = BAR_MS // 2


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
        """Return a fresh close that the subset has not had, and its candles at real prices."""
        from core.clock import get_clock

        while True:
            close_ms = get_clock().now_ms() // BAR_MS * BAR_MS
            for missed_ms in range(self.last_close_ms[size] + BAR_MS, close_ms, BAR_MS):
                self._pass_close(size, missed_ms)
            age_ms = get_clock().now_ms() - close_ms
            if close_ms > self.last_close_ms[size] and age_ms <= _FRESH_MS:
                break
            time.sleep(0.02)
        self.last_close_ms[size] = close_ms
        return close_ms, self._rows(size, close_ms)

    def fill_gap(self) -> None:
        """Store the candles that closed during the preparation; no worker has read any yet."""
        from core.clock import from_ms, get_clock
        from markets.services.ingestion import store_candles

        now_ms = get_clock().now_ms()
        end_ms = now_ms // BAR_MS * BAR_MS
        rows = [
            row
            for size in SIZES
            for close_ms in range(self.last_close_ms[size] + BAR_MS, end_ms + BAR_MS, BAR_MS)
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
        return [
            market.usual_row(key, open_time_ms=close_ms - BAR_MS, price=prices[self.symbols[key]])
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
            account_id=self.account_id, symbol=None, actor=ACTOR, broker=broker, clock=clock
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

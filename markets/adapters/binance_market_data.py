"""Public market data of Binance Spot, or of the local exchange."""

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from binance.client import Client
from binance.exceptions import BinanceAPIException

from core.clock import Clock, from_ms
from core.errors import ExchangeError, TemporaryExchangeError
from markets.adapters.binance_errors import classify
from markets.domain.candle import Row
from markets.domain.filters import Listing
from markets.domain.ticker import Ticker
from markets.domain.timeframe import Timeframe

logger = logging.getLogger(__name__)

_ATTEMPTS = 5
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 120.0


def listing_of(item: Mapping[str, Any]) -> Listing:
    """Return one symbol of ``exchangeInfo``."""
    return Listing(
        symbol=item["symbol"],
        base_asset=item["baseAsset"],
        quote_asset=item["quoteAsset"],
        status=item["status"],
        filters=item["filters"],
        otoco_allowed=bool(item.get("otoAllowed") and item.get("ocoAllowed")),
    )


class BinanceMarketData:
    """Reads, repeated with growing pauses while the exchange cannot answer.

    Args:
        client: A public client; not shared with another thread.
        clock: Market time of what carries none.
        is_local: The client talks to the local exchange, which tells where its prices are from.
        sleep: How to pause, wall seconds.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        *,
        is_local: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._clock = clock
        self._is_local = is_local
        self._sleep = sleep
        self._jitter = random.Random()  # noqa: S311 - spreads retries, guards nothing

    def listings(self) -> Sequence[Listing]:
        """Return every spot symbol with its filters."""
        info = self._read(self._client.get_exchange_info)
        return tuple(
            listing_of(item) for item in info["symbols"] if item.get("isSpotTradingAllowed", True)
        )

    def klines(
        self, *, symbol: str, timeframe: Timeframe, start_ms: int, end_ms: int, limit: int
    ) -> Sequence[Row]:
        """Return the oldest candles that open in [start_ms, end_ms), ascending."""
        found = self._read(
            self._client.get_klines,
            symbol=symbol,
            interval=timeframe.value,
            startTime=start_ms,
            endTime=end_ms - 1,
            limit=limit,
        )
        return [kline_values(item) for item in found]

    def ticker(self, symbol: str) -> Ticker:
        """Return the last price."""
        found = self._read(self._client.get_symbol_ticker, symbol=symbol)
        return Ticker(symbol=symbol, price=Decimal(found["price"]), at=self._clock.now())

    def server_time(self) -> datetime:
        """Return the exchange's own time, UTC."""
        return from_ms(int(self._read(self._client.get_server_time)["serverTime"]))

    def provenance(self) -> dict[str, str]:
        """Return per symbol where its prices come from; nothing for a real market."""
        if not self._is_local:
            return {}
        url = self._client.API_URL.removesuffix("/api") + "/_sim/market"
        found = self._read(self._client._request, "get", url, signed=False)
        symbols = found.get("symbols", found)
        return {symbol: describe(about) for symbol, about in symbols.items()}

    def _read(self, call: Callable[..., Any], *arguments: Any, **parameters: Any) -> Any:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return call(*arguments, **parameters)
            except Exception as error:
                failure = classify(error)
                wait_s = self._wait_s(failure.context.get("retry_after_s"), attempt)
                is_hopeless = wait_s > _LONGEST_WAIT_S or attempt == _ATTEMPTS
                if not isinstance(failure, TemporaryExchangeError) or is_hopeless:
                    raise failure from _without_secrets(error)
                logger.warning(
                    "market_data.retry attempt=%s wait_s=%.1f error=%s", attempt, wait_s, failure
                )
                self._sleep(wait_s)
        raise ExchangeError("unreachable: every attempt returns or raises")

    def _wait_s(self, retry_after_s: int | None, attempt: int) -> float:
        backoff_s = _FIRST_WAIT_S * 2 ** (attempt - 1) * (0.5 + self._jitter.random())
        return max(float(retry_after_s or 0), backoff_s)


def kline_values(item: Sequence[Any]) -> list[Any]:
    """Return a kline of Binance's REST as a row without its instrument id."""
    opened, *prices, _, quote_volume, trades, taker_base, taker_quote = item[:11]
    return [opened, *prices, quote_volume, trades, taker_base, taker_quote]


def describe(about: dict[str, Any]) -> str:
    """Return the local exchange's account of its prices as one line for people."""
    source = str(about.get("source", "unknown"))
    if about.get("signal") == "planted":
        return (
            f"{source}: planted signal, IC {float(about['ic']):.2f} over"
            f" {about['horizon_minutes']} minutes, seed {about['seed']}"
        )
    details = {key: about[key] for key in ("signal", "file", "seed", "interval") if about.get(key)}
    return f"{source}: " + ", ".join(f"{key} {text}" for key, text in details.items())


def _without_secrets(error: Exception) -> Exception | None:
    """Drop a cause that carries the request: its headers hold the key."""
    return None if isinstance(error, BinanceAPIException) else error

"""The last tickers: in Redis, because they change all the time and are worth nothing tomorrow.

Without Redis there are none, and readers fall back on the last candle.
"""

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache

import orjson
import redis
from django.conf import settings

from core.clock import from_ms, to_ms
from markets.domain.ticker import Ticker

logger = logging.getLogger(__name__)

LIFETIME_S = 60  # wall time; a symbol that went quiet for longer has no ticker
_RETRY_AFTER_S = 2.0  # do not wait for a dead server again and again

_lock = threading.Lock()
_down_until = 0.0


def write_tickers(tickers: Iterable[Ticker]) -> bool:
    """Keep the tickers; return False if Redis could not be reached."""
    payloads = {
        _key(ticker.symbol): orjson.dumps([str(ticker.price), to_ms(ticker.at)])
        for ticker in tickers
    }
    if not payloads or _is_down():
        return not payloads
    try:
        with _client(settings.REDIS_URL).pipeline(transaction=False) as pipeline:
            for key, payload in payloads.items():
                pipeline.set(key, payload, ex=LIFETIME_S)
            pipeline.execute()
    except redis.RedisError as error:
        _note_down(error)
        return False
    return True


def read_tickers(symbols: Sequence[str]) -> dict[str, Ticker]:
    """Return the tickers known of `symbols`; empty if Redis cannot be reached."""
    if not symbols or _is_down():
        return {}
    try:
        payloads = _client(settings.REDIS_URL).mget([_key(symbol) for symbol in symbols])
    except redis.RedisError as error:
        _note_down(error)
        return {}
    found = {}
    for symbol, payload in zip(symbols, payloads, strict=True):
        if payload is not None:
            price, at_ms = orjson.loads(payload)
            found[symbol] = Ticker(symbol=symbol, price=Decimal(price), at=from_ms(at_ms))
    return found


def _key(symbol: str) -> str:
    return f"{settings.REDIS_PREFIX}ticker:{symbol}"


@lru_cache(maxsize=2)
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_connect_timeout=0.5, socket_timeout=1.0)


def _is_down() -> bool:
    return time.monotonic() < _down_until


def _note_down(error: Exception) -> None:
    global _down_until  # noqa: PLW0603 - one state for the process
    with _lock:
        _down_until = time.monotonic() + _RETRY_AFTER_S
    logger.warning("tickers.redis_unreachable error=%s", error)

"""The last tickers: in Redis, because they change all the time and are worth nothing tomorrow.

Without Redis there are none, and readers fall back on the last candle.
"""

import logging
from collections.abc import Iterable, Sequence
from decimal import Decimal

import orjson
import redis

from core import redis_client
from core.clock import from_ms, to_ms
from core.recording.tape import told
from markets.domain.ticker import Ticker

logger = logging.getLogger(__name__)

LIFETIME_S = 60  # wall time; a symbol that went quiet for longer has no ticker


def write_tickers(tickers: Iterable[Ticker]) -> bool:
    """Keep the tickers; return False if Redis could not be reached."""
    payloads = {
        _key(ticker.symbol): orjson.dumps([str(ticker.price), to_ms(ticker.at)])
        for ticker in tickers
    }
    if not payloads:
        return True
    try:
        with redis_client.get_client().pipeline(transaction=False) as pipeline:
            for key, payload in payloads.items():
                pipeline.set(key, payload, ex=LIFETIME_S)
            pipeline.execute()
    except (redis.RedisError, OSError) as error:
        _note(error)
        return False
    return True


def read_tickers(symbols: Sequence[str]) -> dict[str, Ticker]:
    """Return the tickers known of `symbols`; empty if Redis cannot be reached."""
    if not symbols:
        return {}
    payloads = told("tickers", lambda: _read(symbols))
    found = {}
    for symbol, payload in zip(symbols, payloads, strict=True):
        if payload is not None:
            price, at_ms = orjson.loads(payload)
            found[symbol] = Ticker(symbol=symbol, price=Decimal(price), at=from_ms(at_ms))
    return found


def _read(symbols: Sequence[str]) -> list[str | None]:
    try:
        found = redis_client.get_client().mget([_key(symbol) for symbol in symbols])
    except (redis.RedisError, OSError) as error:
        _note(error)
        return [None] * len(symbols)
    return [None if payload is None else str(payload) for payload in found]


def _key(symbol: str) -> str:
    return redis_client.key(f"ticker:{symbol}")


def _note(error: Exception) -> None:
    if not isinstance(error, redis_client.Paused):
        redis_client.note_failure()
        logger.warning("tickers.redis_unreachable error=%s", error)

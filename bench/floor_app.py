"""The floor: the least that five chunked Celery stages with real parts can cost.

Upsert into PostgreSQL with a commit, 60 numpy features from windows in memory, 300 trees, choose a
tenth, and one signed POST per order to a loopback stub, in order. No gate, no write-ahead, no rows
for orders. Our pipeline does all of that and is measured as a multiple of this.
"""

import hashlib
import hmac
import os
import time
import urllib.parse
from functools import lru_cache
from typing import Any

import numpy as np
from celery import Celery

WINDOW = 500
FEATURES = 60
_PERIODS = (7, 14, 21, 50)

# In the measuring process our own application stays the current one.
app = Celery("floor", broker=os.environ.get("FLOOR_REDIS", ""), set_as_current=False)
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)


class _State:
    """Connections, model and windows of one worker process, made at its first task."""

    def __init__(self) -> None:
        import psycopg2
        import redis
        import requests
        import xgboost

        self.database = psycopg2.connect(os.environ["FLOOR_DSN"])
        self.redis = redis.Redis.from_url(os.environ["FLOOR_REDIS"])
        self.http = requests.Session()
        self.model = xgboost.Booster({"nthread": 1})
        self.model.load_model(os.environ["FLOOR_MODEL"])
        steps = np.random.default_rng(0).standard_normal((WINDOW, 5, WINDOW)) * 0.001
        self.windows = 100 * np.exp(np.cumsum(steps, axis=2))


@lru_cache(maxsize=1)
def _state() -> _State:
    return _State()


@app.task(name="floor.store")
def store(key: str, started: float, rows: list[list[Any]]) -> None:
    """Upsert the candles."""
    from psycopg2.extras import execute_values

    with _state().database, _state().database.cursor() as cursor:
        execute_values(
            cursor,
            "INSERT INTO floor_candles VALUES %s "
            "ON CONFLICT (symbol_id, open_time) DO UPDATE SET c = excluded.c",
            rows,
            page_size=1000,
        )
    features.delay(key, started, rows)


@app.task(name="floor.features")
def features(key: str, started: float, rows: list[list[Any]]) -> None:
    """Compute the features of each symbol's newest candle."""
    found = [[row[0], _features(_state().windows[row[0]], row[2:]), row[5]] for row in rows]
    predict.delay(key, started, found)


@app.task(name="floor.predict")
def predict(key: str, started: float, found: list[list[Any]]) -> None:
    """Predict all symbols at once."""
    matrix = np.array([row[1] for row in found], dtype=np.float32)
    scores = _state().model.inplace_predict(matrix)
    choose.delay(key, started, [[row[0], float(s)] for row, s in zip(found, scores, strict=True)])


@app.task(name="floor.choose")
def choose(key: str, started: float, scores: list[list[Any]]) -> None:
    """Keep the best tenth."""
    count = max(1, len(scores) // 10)
    order.delay(key, started, sorted(scores, key=lambda row: -row[1])[:count])


@app.task(name="floor.order")
def order(key: str, started: float, chosen: list[list[Any]]) -> None:
    """Send one signed order after the other."""
    state = _state()
    for symbol, _score in chosen:
        body = urllib.parse.urlencode(
            {
                "symbol": f"S{symbol}",
                "side": "BUY",
                "type": "MARKET",
                "quantity": 1,
                "newClientOrderId": f"{key}-{symbol}",
                "timestamp": int(time.time() * 1000),
            }
        )
        body += "&signature=" + hmac.new(b"k", body.encode(), hashlib.sha256).hexdigest()
        state.http.post(
            os.environ["FLOOR_STUB"],
            data=body,
            headers={
                "X-MBX-APIKEY": "k",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            timeout=10,
        ).json()
        state.redis.rpush(key, f"{time.time() - started:.7f}")
    state.redis.incr(f"{key}:done")


@app.task(name="floor.empty")
def empty(step: int, last: int, key: str, started: float) -> None:
    """One of the five empty steps of a chain per symbol."""
    if step < last:
        empty.delay(step + 1, last, key, started)
    else:
        _redis().rpush(key, f"{time.time() - started:.7f}")


@lru_cache(maxsize=1)
def _redis() -> Any:
    import redis

    return redis.Redis.from_url(os.environ["FLOOR_REDIS"])


def _features(window: np.ndarray, new: list[float]) -> list[float]:
    window[:, :-1] = window[:, 1:]
    window[:, -1] = new
    _open, high, low, close, volume = window
    returns = np.diff(close) / close[:-1]
    spread = (high - low) / close
    values: list[float] = []
    for period in _PERIODS:
        recent = close[-period:]
        mean, deviation = recent.mean(), recent.std(ddof=1) + 1e-12
        top, bottom = high[-period:].max(), low[-period:].min()
        weights = np.power(1 - 2 / (period + 1), np.arange(8 * period)[::-1])
        gains = np.clip(returns[-period:], 0, None).sum()
        losses = -np.clip(returns[-period:], None, 0).sum()
        values += [
            close[-1] / mean - 1,
            close[-1] / (close[-8 * period :] @ weights / weights.sum()) - 1,
            gains / (gains + losses + 1e-12),
            spread[-period:].mean(),
            (close[-1] - mean + 2 * deviation) / (4 * deviation),
            4 * deviation / mean,
            close[-1] / close[-period - 1] - 1,
            returns[-period:].std(ddof=1),
            (close[-1] - bottom) / (top - bottom + 1e-12),
            (top - close[-1]) / (top - bottom + 1e-12),
            volume[-1] / volume[-period:].mean(),
            np.sign(returns[-period:]) @ volume[-period:],
            (close[-1] - mean) / deviation,
            spread[-period:].std(ddof=1),
        ]
    fast, slow = close[-12:].mean(), close[-26:].mean()
    values += [fast / slow - 1, fast / close[-1], slow / close[-1], returns[-1]]
    return [round(float(value), 6) for value in values]

"""Measures the floor: five chunked stages, and empty chains per symbol, on this machine now."""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import redis

from bench import servers
from bench.sample import percentile

CHUNKS = 2
_TIMEOUT_S = 60.0


class Floor:
    """A running floor: two worker processes, PostgreSQL, broker and stub."""

    def __init__(self, *, redis_url: str) -> None:
        self._redis = redis.Redis.from_url(redis_url)
        self._round = 0

    def close_ms(self, symbols: int) -> float:
        """Time from before the enqueue to the answer of the last order, ms."""
        from bench import floor_app

        self._round += 1
        key = f"close{self._round}"
        opened = 1_700_000_000_000 + self._round * 300_000
        rows = [[i, opened, 100.0, 101.0, 99.0, 100.5 + i % 7, 10.0] for i in range(symbols)]
        chunks = 1 if symbols == 1 else CHUNKS
        started = time.time()
        for chunk in range(chunks):
            floor_app.store.delay(key, started, rows[chunk::chunks])
        self._wait(lambda: int(self._redis.get(f"{key}:done") or 0) >= chunks)
        return max(float(value) for value in self._redis.lrange(key, 0, -1)) * 1000

    def empty_chains_ms(self, symbols: int) -> float:
        """Time until the last of `symbols` empty chains of five tasks has ended, ms."""
        from bench import floor_app

        self._round += 1
        key = f"empty{self._round}"
        started = time.time()
        for _ in range(symbols):
            floor_app.empty.delay(1, 5, key, started)
        self._wait(lambda: self._redis.llen(key) >= symbols)
        return max(float(value) for value in self._redis.lrange(key, 0, -1)) * 1000

    def _wait(self, done: Any) -> None:
        deadline = time.monotonic() + _TIMEOUT_S
        while not done():
            if time.monotonic() > deadline:
                raise TimeoutError("the floor's workers did not answer")
            time.sleep(0.0005)


@contextmanager
def running_floor(folder: Path, *, database_url: str) -> Iterator[Floor]:
    """Start the floor's processes and warm them up."""
    import os

    import psycopg2

    with ExitStack() as stack:
        redis_url = stack.enter_context(servers.broker(folder / "floor"))
        port = servers.free_port()
        stub = stack.enter_context(
            servers.program(
                "stub", [sys.executable, "-m", "bench.stub", str(port)], folder=folder / "floor"
            )
        )
        environment = {
            "FLOOR_REDIS": redis_url,
            "FLOOR_DSN": database_url,
            "FLOOR_MODEL": str(_make_model(folder)),
            "FLOOR_STUB": f"http://127.0.0.1:{port}/api/v3/order",
        }
        with psycopg2.connect(database_url) as connection, connection.cursor() as cursor:
            cursor.execute(
                "CREATE TABLE floor_candles (symbol_id int, open_time bigint, o float8, h float8,"
                " l float8, c float8, v float8, PRIMARY KEY (symbol_id, open_time))"
            )
        os.environ.update(environment)
        from bench import floor_app

        floor_app.app.conf.broker_url = redis_url
        command = [sys.executable, "-m", "celery", "-A", "bench.floor_app", "worker", "-c", "2"]
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "WARNING"]
        stack.enter_context(
            servers.program("worker", command, folder=folder / "floor", environment=environment)
        )
        del stub
        floor = Floor(redis_url=redis_url)
        for _ in range(8):
            floor.close_ms(20)
        yield floor


def summarize(times_ms: dict[int, list[float]]) -> dict[str, float]:
    """Return the contract's names for the floor's figures."""
    return {
        f"tick_floor_{symbols}_p95_ms": round(percentile(values, 95), 2)
        for symbols, values in times_ms.items()
    }


def _make_model(folder: Path) -> Path:
    import xgboost

    rng = np.random.default_rng(0)
    # Few rows: what is measured is the cost of 300 trees of depth 6, not what they know.
    matrix = rng.standard_normal((2000, 60)).astype("f4")
    target = (matrix[:, 0] + rng.standard_normal(2000) > 0).astype(int)
    data = xgboost.DMatrix(matrix, label=target)
    model = xgboost.train(
        {"max_depth": 6, "objective": "binary:logistic", "nthread": 1}, data, num_boost_round=300
    )
    path = folder / "floor.ubj"
    model.save_model(path)
    return path

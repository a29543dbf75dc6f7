"""Storing history in PostgreSQL: our way and psycopg 3's binary COPY, the same rows in turns."""

import json
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

from bench import market, servers, system
from bench.peers import environment
from bench.sample import median

_REQUIREMENT = "psycopg[binary]==3.3.*"
_SYMBOLS = 20
_BARS = 2500
_TURNS = 5


def measure(folder: Path) -> dict[str, float]:
    """Measure fresh rows and the same rows again; nothing where no PostgreSQL is installed."""
    # First of all: the measurement's own folder is somewhere else.
    packages = environment.install("psycopg", _REQUIREMENT)
    with ExitStack() as stack:
        database = stack.enter_context(servers.postgres(folder))
        if database is None:
            system.say("no PostgreSQL programs on this machine: not measured")
            return {}
        system.set_up(folder, DATABASE_URL=database)
        command = servers.python("bench.peers.binary_copy", database)
        path = os.pathsep.join([str(packages), str(servers.ROOT)])
        peer = stack.enter_context(
            Popen(command, stdin=PIPE, stdout=PIPE, text=True, env={"PYTHONPATH": path})
        )
        rates = _turns(folder, lambda file: _ask(peer, file))
        # Its input's end is its sign to leave.
        peer.communicate()
    return {name: round(median(found)) for name, found in rates.items()}


def _turns(folder: Path, store_bare: Callable[[Path], float]) -> dict[str, list[float]]:
    from markets.domain.timeframe import Timeframe
    from markets.services.ingestion import store_candles

    names = ("peer_ours_fresh", "peer_ours_again", "peer_copy_fresh", "peer_copy_again")
    rates: dict[str, list[float]] = {f"{name}_rows_per_s": [] for name in names}
    ids = market.make_instruments(_SYMBOLS * _TURNS)
    now = Timeframe("1h").floor(datetime.now(UTC))
    for turn in range(_TURNS):
        rows = _rows(ids[turn * _SYMBOLS : (turn + 1) * _SYMBOLS], now)
        file = folder / f"rows{turn}.json"
        file.write_text(json.dumps(rows))
        for name in ("fresh", "again"):
            begun = time.perf_counter()
            store_candles(timeframe="1h", rows=rows, now=now)
            ours_s = time.perf_counter() - begun
            rates[f"peer_ours_{name}_rows_per_s"].append(len(rows) / ours_s)
            rates[f"peer_copy_{name}_rows_per_s"].append(len(rows) / store_bare(file))
        system.say("  ".join(f"{name} {found[-1]:,.0f}" for name, found in rates.items()))
    return rates


def _rows(ids: list[int], now: datetime) -> list[list[Any]]:
    end_ms = int(now.timestamp() * 1000)
    return [
        row
        for key in ids
        for row in market.planted_rows(
            key, interval_ms=3_600_000, end_ms=end_ms, count=_BARS, last_price=100.0
        )
    ]


def _ask(peer: Popen[str], file: Path) -> float:
    if peer.stdin is None or peer.stdout is None:
        raise RuntimeError("the peer has no pipes")
    peer.stdin.write(f"{file}\n")
    peer.stdin.flush()
    return float(peer.stdout.readline())

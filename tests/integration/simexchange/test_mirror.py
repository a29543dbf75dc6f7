"""The live mirror, following a second exchange on this machine as it would follow Binance."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from tests import processes
from tests.fakes.sim_clients import control, open_client

SYMBOLS = ("--symbols", "BTCUSDT,ETHUSDT")
START_MS = 1_767_225_600_000
PATIENCE_S = 90


def venue_options(port: int) -> tuple[str, ...]:
    """An exchange whose clock stands 40 seconds into a minute now, and goes on while it is down."""
    clock = f"{time.time() * 1000:.0f}:{START_MS + 40_000}:1"
    return (
        *("--generate", *SYMBOLS, "--history-days", "1", "--start-ms", str(START_MS)),
        *("--port", str(port), "--clock", clock),
    )


def until(is_so: Callable[[], Any], what: str) -> Any:
    """Ask again and again until something is so."""
    last = time.monotonic() + PATIENCE_S
    while time.monotonic() < last:
        found = is_so()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited {PATIENCE_S} s for {what}")


def get(sim: processes.SimExchange, name: str, **params: Any) -> Any:
    reply = requests.get(f"{sim.url}/api/v3/{name}", params=params, timeout=10)
    reply.raise_for_status()
    return reply.json()


def closed(sim: processes.SimExchange, symbol: str, open_ms: int) -> list[Any] | None:
    """Return the candle that opened then, once a later one runs."""
    rows = get(sim, "klines", symbol=symbol, interval="1m", startTime=open_ms, limit=2)
    return rows[0] if len(rows) == 2 and rows[0][0] == open_ms else None


@pytest.mark.slow
def test_it_follows_candles_book_and_filters_and_survives_a_break(tmp_path: Path) -> None:
    port = processes.free_port()
    options = venue_options(port)
    environment = os.environ
    mirror_options = ("--mirror", f"http://127.0.0.1:{port}", *SYMBOLS, "--history-bars", "1200")
    with processes.sim_exchange(*options, folder=tmp_path / "a", environment=environment) as venue:
        change = {"symbol": "BTCUSDT", "filters": [{"filterType": "NOTIONAL", "minNotional": "9"}]}
        control(venue, "POST", "symbol", change)
        with processes.sim_exchange(
            *mirror_options, "--balance", "USDT=100000",
            folder=tmp_path / "b", environment=environment,
        ) as mirror:  # fmt: skip
            old = {"symbol": "BTCUSDT", "interval": "1m", "endTime": START_MS - 1, "limit": 1000}
            assert get(mirror, "klines", **old) == get(venue, "klines", **old)
            assert same_book(mirror, venue)
            filters = get(mirror, "exchangeInfo", symbol="BTCUSDT")["symbols"][0]["filters"]
            assert {"9"} == {f["minNotional"] for f in filters if f["filterType"] == "NOTIONAL"}
            buy_at_market(mirror)
            refused = requests.post(
                f"{mirror.url}/_sim/price", json={"symbol": "BTCUSDT", "price": "5"}, timeout=5
            )
            assert refused.status_code == 400

            venue.child.stop()
            until(lambda: not control(mirror, "GET", "market")["BTCUSDT"]["connected"], "the break")
            # The same seed and clock: the venue went on while nobody could see it.
            with processes.sim_exchange(
                *options, folder=tmp_path / "c", environment=environment
            ) as again:
                candle = until(lambda: closed(mirror, "BTCUSDT", START_MS), "the candle")
                assert control(mirror, "GET", "market")["BTCUSDT"]["connects"] >= 2
                there = closed(again, "BTCUSDT", START_MS)
                assert there is not None
                assert candle[:5] == there[:5]
                assert float(candle[5]) >= float(there[5]), "and what was bought here"
                assert closed(mirror, "ETHUSDT", START_MS) == closed(again, "ETHUSDT", START_MS)
                until(lambda: same_book(mirror, again), "the book")


def same_book(mirror: processes.SimExchange, venue: processes.SimExchange) -> bool:
    """Tell whether both show the same best prices; moves in between are tried again."""
    for _ in range(20):
        if (
            get(mirror, "depth", symbol="ETHUSDT", limit=20)["bids"]
            == (get(venue, "depth", symbol="ETHUSDT", limit=20)["bids"])
        ):
            return True
        time.sleep(0.2)
    return False


def buy_at_market(mirror: processes.SimExchange) -> None:
    client = open_client(mirror)
    shown = control(mirror, "GET", "clock")
    client.timestamp_offset = int(shown["now_ms"] - shown["wall_ms"])
    ask = float(get(mirror, "ticker/bookTicker", symbol="BTCUSDT")["askPrice"])
    order = client.order_market_buy(symbol="BTCUSDT", quantity="0.01")
    client.close_connection()
    assert order["status"] == "FILLED"
    assert abs(float(order["fills"][0]["price"]) / ask - 1) < 0.01


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--mirror", "http://127.0.0.1:9"), "it needs the internet"),
        (("--mirror", "ftp://x"), "an http or https address"),
        (("--mirror", "http://127.0.0.1:9", "--speed", "5"), "runs at --speed 1"),
    ],
)
def test_it_says_why_it_cannot_mirror(options: tuple[str, ...], said: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "simexchange", "--port", "0", *options],
        capture_output=True, text=True, timeout=60, cwd=processes.ROOT, check=False,
    )  # fmt: skip

    assert ended.returncode == 2
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1

"""Paper mode: the same system on the prices of another exchange, here one on this machine."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests import processes
from tests.functional.desk import Desk, errors_in_logs, running_desk

pytestmark = pytest.mark.timeout(420)
VENUE = ("--generate", "--symbols", "BTCUSDT,ETHUSDT", "--history-days", "33")
START_MS = 1_767_225_600_000
INTO_CANDLE_MS = 4 * 60_000 + 10_000
"""The venue's clock stands so far into a five-minute candle: its close is near, data is fresh."""


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[processes.SimExchange]:
    folder = tmp_path_factory.mktemp("venue")
    clock = f"{time.time() * 1000:.0f}:{START_MS + INTO_CANDLE_MS}:1"
    options = (*VENUE, "--start-ms", str(START_MS), "--clock", clock)
    with processes.sim_exchange(*options, folder=folder, environment=os.environ) as running:
        yield running


@pytest.fixture(scope="module")
def desk(venue: processes.SimExchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk") / "var"
    with running_desk(folder, options=(), TRADING_MODE="paper", SIM_MIRROR=venue.url) as running:
        yield running


def klines(url: str, end_ms: int) -> list[list[str]]:
    asked = {"symbol": "BTCUSDT", "interval": "5m", "endTime": end_ms, "limit": 50}
    return requests.get(f"{url}/api/v3/klines", params=asked, timeout=10).json()


def test_it_trades_on_the_other_exchanges_prices(desk: Desk, venue: processes.SimExchange) -> None:
    status = desk.get("/system/status")
    about = requests.get(f"{desk.exchange_url}/_sim/market", timeout=10).json()
    clock = requests.get(f"{desk.exchange_url}/_sim/clock", timeout=10).json()
    before_ms = int(clock["now_ms"]) - 600_000

    assert status["mode"] == "paper"
    assert status["is_running"] is True
    assert about["BTCUSDT"]["source"] == "mirror"
    assert about["BTCUSDT"]["url"] == venue.url
    assert klines(desk.exchange_url, before_ms) == klines(venue.url, before_ms)
    stored = desk.get("/data/BTCUSDT/klines?interval=5m&limit=20")
    assert stored


def test_an_order_fills_in_simulation_and_not_at_the_other_exchange(
    desk: Desk, venue: processes.SimExchange
) -> None:
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"}

    def place() -> bool:
        placed = requests.post(
            f"{desk.url}/trading/order", json=order, headers=desk.headers, timeout=20
        )
        assert placed.ok or placed.json()["code"] == "DATA_STALE", placed.text
        return placed.ok

    # The gate wants a candle that closed within two minutes; there is one every five.
    desk.wait(place, limit_s=300, what="an accepted order")
    desk.wait(lambda: desk.get("/trades?limit=5")["results"], limit_s=60, what="the fill")

    there = requests.get(f"{venue.url}/_sim/ledger", timeout=10).json()
    assert there["orders"] == []
    assert errors_in_logs(desk.data_dir) == []


def test_it_says_what_is_missing_without_the_internet(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tradingsite.settings.dev",
        "DATA_DIR": str(tmp_path / "var"),
        "ENV_FILE": ".env.none",
        "PORT": str(processes.free_port()),
        "SIM_PORT": str(processes.free_port()),
        "TRADING_MODE": "paper",
        "SIM_MIRROR": "http://127.0.0.1:9",
    }
    environment.pop("REDIS_URL", None)

    ended = subprocess.run(
        [sys.executable, "manage.py", "trade"],
        capture_output=True, text=True, timeout=120, check=False, cwd=processes.ROOT,
        env=environment,
    )  # fmt: skip

    assert ended.returncode == 1
    assert "SIM_MIRROR" in ended.stderr
    assert "Traceback" not in ended.stderr

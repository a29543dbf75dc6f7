"""freqtrade, unmodified, trades on the local exchange; its wallet is the ledger's.

It lies in an environment of its own, made once below var/peers. `make test-clients` runs this.
"""

import contextlib
import json
import sqlite3
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from bench.peers.environment import FREQTRADE
from tests.contract.simexchange.clients import ccxt_options, truth
from tests.contract.simexchange.program_clients import PROGRAMS, client_python
from tests.fakes.sim_clients import control
from tests.processes import Child, SimExchange, answers, free_port

pytestmark = [pytest.mark.contract, pytest.mark.slow, pytest.mark.clients, pytest.mark.timeout(600)]
PAIRS = ("BTC/USDT", "ETH/USDT", "ADA/USDT", "SOL/USDT")
STOPPED = "SOLUSDT"
SIM_OPTIONS = (
    *("--generate", "--regime", "range", "--history-days", "1", "--balance", "USDT=10000"),
    *("--symbols", ",".join(pair.replace("/", "") for pair in PAIRS)),
)
LOGIN = ("desk", "only-for-this-test")
Bot = Callable[[str], Any]


def settings(sim: SimExchange, *, port: int, live: bool) -> dict[str, Any]:
    """Return freqtrade's own configuration; only ccxt's addresses are not its defaults."""
    given = ccxt_options(sim)
    pricing = {"price_side": "other", "use_order_book": True, "order_book_top": 1}
    return {
        "dry_run": not live,
        "dry_run_wallet": 10000,
        "max_open_trades": len(PAIRS),
        "stake_currency": "USDT",
        "stake_amount": 100,
        "trading_mode": "spot",
        "initial_state": "running",
        "entry_pricing": pricing,
        "exit_pricing": pricing,
        "unfilledtimeout": {"entry": 6, "exit": 30, "unit": "seconds"},
        "internals": {"process_throttle_secs": 1},
        "exchange": {
            "name": "binance",
            "key": given["apiKey"],
            "secret": given["secret"],
            "ccxt_config": {"urls": given["urls"], "options": given["options"]},
            "enable_ws": True,
            "pair_whitelist": list(PAIRS),
        },
        "pairlists": [{"method": "StaticPairList"}],
        "api_server": {
            "enabled": True,
            "listen_ip_address": "127.0.0.1",
            "listen_port": port,
            "username": LOGIN[0],
            "password": LOGIN[1],
            "jwt_secret_key": "j" * 40,
            "ws_token": "t" * 40,
        },
    }


@pytest.fixture
def freqtrade(
    request: pytest.FixtureRequest,
    sim_exchange: SimExchange,
    start_process: Callable[..., Child],
    tmp_path: Path,
) -> tuple[Child, Bot]:
    """Run ``freqtrade trade``; return its process and ``ask(path)`` of its own REST interface."""
    port = free_port()
    python = client_python("freqtrade", (FREQTRADE, "ccxt==4.5.90"))
    config = tmp_path / "config.json"
    config.write_text(json.dumps(settings(sim_exchange, port=port, live=request.param == "live")))
    child = start_process(
        "freqtrade",
        [
            *(str(python.parent / "freqtrade"), "trade", "-v", "--config", str(config)),
            *("--userdir", str(tmp_path), "--db-url", f"sqlite:///{tmp_path / 'trades.sqlite'}"),
            *("--strategy", "RoundTrips", "--strategy-path", str(PROGRAMS / "freqtrade")),
        ],
    )
    url = f"http://127.0.0.1:{port}/api/v1"
    child.wait_until(lambda: answers(f"{url}/ping"), timeout_s=120, waiting_for="its REST")

    def ask(path: str) -> Any:
        reply = requests.get(f"{url}/{path}", auth=LOGIN, timeout=30)
        reply.raise_for_status()
        return reply.json()

    return child, ask


def closed(ask: Bot) -> list[dict[str, Any]]:
    return [one for one in ask("trades")["trades"] if not one["is_open"]]


def wallet(ask: Bot) -> dict[str, tuple[Decimal, Decimal]]:
    """Return (free, used) by asset, as freqtrade believes it."""
    return {
        one["currency"]: (Decimal(str(one["free"])), Decimal(str(one["used"])))
        for one in ask("balance")["currencies"]
    }


def held(sim: SimExchange) -> dict[str, tuple[Decimal, Decimal]]:
    """Return what the exchange knows of, without empty rows: freqtrade leaves them out."""
    return {asset: pair for asset, pair in truth(sim).items() if any(pair)}


def orders_of(sim: SimExchange, symbol: str = "") -> list[dict[str, Any]]:
    orders = control(sim, "GET", "ledger?requests=0")["orders"]
    return [one for one in orders if symbol in ("", one["symbol"])]


def booked(database: Path) -> dict[str, tuple[Decimal, Decimal]]:
    """Return (filled, cost) by order id, from freqtrade's own books."""
    with contextlib.closing(sqlite3.connect(database)) as books:
        rows = books.execute("SELECT order_id, filled, cost FROM orders").fetchall()
    return {name: (Decimal(str(filled)), Decimal(str(cost))) for name, filled, cost in rows}


def stop_of(sim: SimExchange) -> dict[str, Any] | None:
    """Return freqtrade's stop on the exchange for the pair that only its stop ends."""
    return next(
        (
            one
            for one in orders_of(sim, STOPPED)
            if one["type"] == "STOP_LOSS_LIMIT" and one["status"] == "NEW"
        ),
        None,
    )


@pytest.mark.parametrize("freqtrade", ["dry-run"], indirect=True)
def test_it_trades_dry_on_our_prices(
    freqtrade: tuple[Child, Bot], sim_exchange: SimExchange
) -> None:
    child, ask = freqtrade

    child.wait_until(lambda: len(closed(ask)) >= 2, timeout_s=240, waiting_for="two round trips")

    assert {one["pair"] for one in closed(ask)} <= set(PAIRS)
    assert orders_of(sim_exchange) == []
    assert "watch done" in child.output()  # candles of the stream
    assert "Traceback" not in child.output()


@pytest.mark.parametrize("freqtrade", ["live"], indirect=True)
def test_its_wallet_and_orders_are_the_ledgers(
    freqtrade: tuple[Child, Bot], sim_exchange: SimExchange, tmp_path: Path
) -> None:
    child, ask = freqtrade
    stop = child.wait_until(
        lambda: stop_of(sim_exchange), timeout_s=120, waiting_for="its stop on the exchange"
    )
    below = Decimal(stop["stopPrice"]) * Decimal("0.995")
    control(sim_exchange, "POST", "price", {"symbol": STOPPED, "price": f"{below:.4f}"})

    child.wait_until(
        lambda: len(closed(ask)) == 5 and not ask("status"),
        timeout_s=300,
        waiting_for="five round trips",
    )
    child.wait_until(
        lambda: wallet(ask) == held(sim_exchange), timeout_s=60, waiting_for="equal wallets"
    )

    trades, orders = closed(ask), {str(one["orderId"]): one for one in orders_of(sim_exchange)}
    assert {one["pair"] for one in trades} == {"BTC/USDT", "ETH/USDT", "SOL/USDT"}
    assert [one["exit_reason"] for one in trades if one["pair"] == "SOL/USDT"] == [
        "stoploss_on_exchange"
    ]
    told = booked(tmp_path / "trades.sqlite")
    assert set(told) == {name for name, one in orders.items() if one["symbol"] != "ADAUSDT"}
    for name, (filled, cost) in told.items():
        assert filled == Decimal(orders[name]["executedQty"]), name
        assert cost == Decimal(orders[name]["cummulativeQuoteQty"]) or not filled, name
    kinds = {(one["type"], one["side"], one["status"]) for one in orders.values()}
    assert {
        ("MARKET", "BUY", "FILLED"),
        ("MARKET", "SELL", "FILLED"),
        ("LIMIT", "BUY", "FILLED"),
        ("LIMIT", "SELL", "FILLED"),
        ("LIMIT", "BUY", "CANCELED"),
        ("STOP_LOSS_LIMIT", "SELL", "CANCELED"),
        ("STOP_LOSS_LIMIT", "SELL", "FILLED"),
    } <= kinds
    assert "Traceback" not in child.output()

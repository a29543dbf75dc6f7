"""hummingbot's Binance connector, run by its own clock: book, orders, events and balances.

Its source names the exchange's addresses in constants; these are set, nothing else of it is
touched. It is built from its source package, once, below var/peers: `make test-clients`.
"""

import asyncio
import shutil
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.contract.simexchange.clients import SYMBOL, truth
from tests.contract.simexchange.program_clients import Program, client_python
from tests.fakes.sim_clients import control
from tests.processes import SimExchange

# The first run compiles sixty extension modules.
pytestmark = [pytest.mark.contract, pytest.mark.slow, pytest.mark.clients, pytest.mark.timeout(900)]
SIM_OPTIONS = (
    *("--generate", "--symbols", "BTCUSDT,ETHUSDT", "--history-days", "1"),
    *("--balance", "BTC=10,USDT=1000000"),
)
HUMMINGBOT = "hummingbot==20260922"
STEPS = (
    ("setuptools==84.2.1", "wheel==0.48.0", "numpy==2.4.6", "cython==3.3.1"),
    # What its connector imports; the whole of hummingbot wants a hundred packages of other chains.
    ("--no-deps", "--no-build-isolation", HUMMINGBOT),
    (
        *("aiohttp==3.14.5", "async-timeout==4.0.3", "bidict==0.24.1", "cachetools==8.0.2"),
        *("hexbytes==2.0.0", "pandas==3.1.1", "pydantic==2.14.4", "ujson==6.1.0"),
    ),
)
ORDER_EVENTS = [
    *("BuyOrderCreated", "OrderFilled", "BuyOrderCompleted"),
    *("SellOrderCreated", "OrderFilled", "SellOrderCompleted"),
    *("BuyOrderCreated", "OrderCancelled"),
]


@pytest.fixture
def bot(sim_exchange: SimExchange) -> Iterator[Program]:
    if not shutil.which("g++"):
        pytest.skip("hummingbot is built from its source, and there is no C++ compiler here")
    python = client_python("hummingbot", *STEPS, WITHOUT_CYTHON_OPTIMIZATIONS="1")
    options = (sim_exchange.url, str(sim_exchange.port), sim_exchange.key, sim_exchange.secret)
    program = Program(python, "hummingbot_desk.py", *options)
    try:
        status = program.ask("start")
        assert set(status.values()) == {True}
        yield program
        program.ask("close")
    finally:
        program.end()


def balances(bot: Program) -> dict[str, tuple[Decimal, Decimal]]:
    """Return (free, locked) by asset, as the connector believes it."""
    told: dict[str, list[str]] = bot.ask("balances")
    return {
        asset: (Decimal(free), Decimal(total) - Decimal(free))
        for asset, (free, total) in told.items()
    }


async def agreed(bot: Program, sim: SimExchange) -> dict[str, tuple[Decimal, Decimal]]:
    """Wait until the connector, which hears of balances by events, says what the ledger says."""
    async with asyncio.timeout(30):
        while (told := balances(bot)) != truth(sim):
            await asyncio.sleep(0.05)
    return told


def best_of(sim: SimExchange) -> dict[str, Any]:
    url = f"{sim.url}/api/v3/depth"
    book = requests.get(url, params={"symbol": SYMBOL, "limit": "5"}, timeout=10).json()
    best = {"bid": float(book["bids"][0][0]), "ask": float(book["asks"][0][0])}
    return {**best, "id": book["lastUpdateId"]}


async def test_it_trades_and_its_balances_are_the_ledgers(
    bot: Program, sim_exchange: SimExchange
) -> None:
    rules = bot.ask("rules")
    assert {name: Decimal(told) for name, told in rules.items()} == {
        "step": Decimal("0.00001"),
        "tick": Decimal("0.01"),
        "min_notional": 5,
    }

    bot.ask("place", side="buy", kind="MARKET", quantity="0.02")
    bot.ask("events", count=3)
    bot.ask("place", side="sell", kind="MARKET", quantity="0.01")
    bot.ask("events", count=6)
    price = f"{Decimal(str(bot.ask('book')['bid'])) * Decimal('0.8'):.2f}"
    name = bot.ask("place", side="buy", kind="LIMIT", quantity="0.01", price=price)
    bot.ask("events", count=7)
    resting, locked = bot.ask("open_orders"), await agreed(bot, sim_exchange)
    bot.ask("cancel", name=name)
    events = bot.ask("events", count=8)
    after = await agreed(bot, sim_exchange)

    assert [one["kind"] for one in events] == ORDER_EVENTS
    assert events[-1]["order"] == name
    assert resting[name]["status"] == "OPEN"
    assert locked["USDT"][1] == Decimal(price) * Decimal("0.01")
    assert after["USDT"][1] == 0
    assert after["BTC"][0] == Decimal("10.00998")


async def test_the_book_it_keeps_is_the_exchanges(bot: Program, sim_exchange: SimExchange) -> None:
    async with asyncio.timeout(60):
        while (kept := bot.ask("book")) != best_of(sim_exchange):
            await asyncio.sleep(0.02)

    assert kept["bid"] < kept["ask"]


async def test_it_hears_events_again_after_its_lines_were_cut(
    bot: Program, sim_exchange: SimExchange
) -> None:
    control(sim_exchange, "POST", "faults", {"fault": "cut_streams"})

    # It asks for what it missed after minutes only: trade until the new line tells of a fill.
    async with asyncio.timeout(100):
        while "OrderFilled" not in {one["kind"] for one in bot.ask("events", count=0)}:
            bot.ask("place", side="buy", kind="MARKET", quantity="0.001")
            await asyncio.sleep(1)

    await agreed(bot, sim_exchange)

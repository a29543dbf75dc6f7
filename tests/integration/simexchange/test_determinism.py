"""Equal seed, equal commands, a clock moved by hand: equal truth."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import processes
from tests.fakes.sim_clients import control, open_client, price_of
from tests.fakes.sim_raw import RawClient

OPTIONS = (
    *("--generate", "--symbols", "BTCUSDT", "--history-days", "1", "--seed", "11"),
    *("--speed", "manual", "--start-ms", "1790000000000", "--key", "SIMk", "--secret", "s"),
    *("--balance", "BTC=10,USDT=1000000"),
)


def play(sim: processes.SimExchange) -> dict[str, Any]:
    """Trade through ten minutes and return the ledger."""
    client = open_client(sim)

    def follow() -> None:
        shown = control(sim, "GET", "clock")
        client.timestamp_offset = shown["now_ms"] - shown["wall_ms"]

    for turn in range(10):
        last = price_of(client)
        follow()
        client.order_market_buy(symbol="BTCUSDT", quantity="0.05", newClientOrderId=f"m{turn}")
        client.order_limit_sell(
            symbol="BTCUSDT",
            quantity="0.01",
            price=f"{last * 1.0005:.2f}",
            newClientOrderId=f"l{turn}",
        )
        control(sim, "POST", "advance", {"ms": 60_000})
    client.close_connection()
    return control(sim, "GET", "ledger")


@pytest.fixture
def run(tmp_path: Path) -> Callable[[str, str], dict[str, Any]]:
    def once(name: str, seed: str) -> dict[str, Any]:
        options = [seed if one == "11" else one for one in OPTIONS]
        folder = tmp_path / name
        with processes.sim_exchange(*options, folder=folder, environment=os.environ) as sim:
            return play(sim)

    return once


def test_it_repeats_itself(run: Callable[[str, str], dict[str, Any]]) -> None:
    first = run("first", "11")
    second = run("second", "11")
    other = run("other", "12")

    assert first == second
    assert first["trades"] != other["trades"]
    assert any(trade["isMaker"] for trade in first["trades"])


def converse(raw: RawClient) -> list[bytes]:
    """Ask for a bit of everything and return the replies as they came."""
    said = []

    def note(_reply: Any) -> None:
        said.append(raw.reply.content)

    low, high = raw.price("0.9"), raw.price("1.1")
    pair = {"pendingAboveType": "LIMIT_MAKER", "pendingAbovePrice": high}
    pair |= {"pendingBelowType": "STOP_LOSS", "pendingBelowTrailingDelta": 100}
    working = {"workingType": "LIMIT", "workingTimeInForce": "GTC", "workingSide": "BUY"}
    working |= {"workingPrice": high, "workingQuantity": "0.5"}
    note(
        raw.call("POST", "orderList/opoco", symbol="BTCUSDT", pendingSide="SELL", **working, **pair)
    )
    note(raw.order(type="LIMIT", price=low, quantity="1", icebergQty="0.1"))
    change = {"symbol": "BTCUSDT", "orderId": 4}
    note(raw.call("PUT", "order/amend/keepPriority", newQty="0.5", **change))
    note(raw.order(side="SELL", type="LIMIT", price=low, selfTradePreventionMode="DECREMENT"))
    control(raw.sim, "POST", "advance", {"ms": 240_000})
    note(raw.call("DELETE", "openOrders", symbol="BTCUSDT"))
    for path in ("allOrders", "myTrades"):
        note(raw.call("GET", path, symbol="BTCUSDT"))
    note(raw.call("GET", "account"))
    note(raw.call("GET", "depth", signed=False, symbol="BTCUSDT"))
    note(raw.call("GET", "klines", signed=False, symbol="BTCUSDT", interval="1m"))
    return said


def test_it_answers_with_the_same_bytes(tmp_path: Path) -> None:
    heard = []
    for name in ("first", "second"):
        folder = tmp_path / name
        with processes.sim_exchange(*OPTIONS, folder=folder, environment=os.environ) as sim:
            heard.append(converse(RawClient(sim)))

    assert heard[0] == heard[1]
    assert not any(b'"code"' in one for one in heard[0])


def test_it_opens_a_second_account(tmp_path: Path) -> None:
    with processes.sim_exchange(*OPTIONS, folder=tmp_path, environment=os.environ) as sim:
        opened = {"key": "SIMsecond", "secret": "two", "balances": {"USDT": "500"}}
        control(sim, "POST", "account", opened)
        moved = {"account": "2", "asset": "USDT", "quantity": "-100"}
        control(sim, "POST", "account", moved)
        client = open_client(sim, key="SIMsecond", secret="two")
        shown = control(sim, "GET", "clock")
        client.timestamp_offset = shown["now_ms"] - shown["wall_ms"]
        held = client.get_asset_balance(asset="USDT")
        client.close_connection()

    assert held["free"] == "400.00000000"

"""The official example payloads: every documented field is there, with the documented type."""

import asyncio
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from websockets.asyncio.client import connect

from tests.processes import SimExchange

SIM_OPTIONS = ("--generate", "--speed", "30", "--history-days", "2")
SYMBOL = "BTCUSDT"
BOTH = f'["{SYMBOL}","ETHUSDT"]'
# Documented, but empty or absent on this exchange, as on most symbols of the real one.
NOT_HERE = frozenset({"sors"})

REST: dict[str, tuple[str, dict[str, Any]]] = {
    "Check server time": ("time", {}),
    "Exchange information": ("exchangeInfo", {"symbol": SYMBOL}),
    "Order book": ("depth", {"symbol": SYMBOL, "limit": 5}),
    "Recent trades list": ("trades", {"symbol": SYMBOL, "limit": 2}),
    "Old trade lookup": ("historicalTrades", {"symbol": SYMBOL, "limit": 2}),
    "Compressed/Aggregate trades list": ("aggTrades", {"symbol": SYMBOL, "limit": 2}),
    "Kline/Candlestick data": ("klines", {"symbol": SYMBOL, "interval": "1d", "limit": 2}),
    "UIKlines": ("uiKlines", {"symbol": SYMBOL, "interval": "1h", "limit": 2}),
    "Current average price": ("avgPrice", {"symbol": SYMBOL}),
    "24hr ticker price change statistics": ("ticker/24hr", {}),
    "Trading Day Ticker": ("ticker/tradingDay", {}),
    "Symbol price ticker": ("ticker/price", {}),
    "Symbol order book ticker": ("ticker/bookTicker", {}),
    "Rolling window price change statistics": ("ticker", {"windowSize": "7d"}),
}
# Reference prices, price rules of executions, trades off the book: no symbol here has any.
OPTIONAL = frozenset(
    {"executionRules", "referencePrice", "referencePrice.calculation", "blockTrades.historical"}
)
STREAMS = {
    "aggTrade": "btcusdt@aggTrade",
    "trade": "btcusdt@trade",
    "kline": "btcusdt@kline_1m",
    "24hrMiniTicker": "btcusdt@miniTicker",
    "24hrTicker": "btcusdt@ticker",
    "1hTicker": "btcusdt@ticker_1h",
    "avgPrice": "btcusdt@avgPrice",
    "depthUpdate": "btcusdt@depth",
    "bookTicker": "btcusdt@bookTicker",
    "partial": "btcusdt@depth5",
}


def examples(folder: Path, name: str) -> list[dict[str, Any]]:
    path = folder / "payloads" / "binance_docs" / name
    if not path.exists():
        pytest.skip("the official examples are not here")
    return json.loads(path.read_text())


def differences(documented: Any, shown: Any, at: str = "") -> Iterator[str]:
    """Yield where a payload lacks a documented field or has it with another type."""
    if type(documented) is not type(shown):
        yield f"{at} is {type(shown).__name__}, documented is {type(documented).__name__}"
    elif isinstance(documented, dict):
        for name in documented.keys() - NOT_HERE:
            if name in shown:
                yield from differences(documented[name], shown[name], f"{at}.{name}")
            else:
                yield f"{at}.{name} is missing"
    elif isinstance(documented, list) and documented and shown:
        is_row = not isinstance(documented[0], list | dict | str)
        for place in range(len(documented) if is_row else 1):
            yield from differences(documented[place], shown[place], f"{at}[{place}]")


def test_rest_payloads_are_as_documented(sim_exchange: SimExchange, shared_data: Path) -> None:
    found, checked = [], 0
    for example in examples(shared_data, "rest-api.json"):
        title, payload = example["section"].split(" > ")[-1], example["payload"]
        if title not in REST:
            continue
        name, params = REST[title]
        if "ticker" in name:
            one = isinstance(payload, dict)
            params = {**params, **({"symbol": SYMBOL} if one else {"symbols": BOTH})}
            is_mini = "priceChange" not in (payload if one else payload[0])
            if is_mini and name not in {"ticker/price", "ticker/bookTicker"}:
                params["type"] = "MINI"
        reply = requests.get(f"{sim_exchange.url}/api/v3/{name}", params=params, timeout=10)
        assert reply.ok, (title, reply.text)
        found += [f"{name}: {one}" for one in differences(payload, reply.json())]
        checked += 1

    assert checked > 20
    assert found == []


def kind_of(payload: dict[str, Any]) -> str:
    if "lastUpdateId" in payload:
        return "partial"
    return payload.get("e") or ("bookTicker" if "B" in payload else "")


async def test_stream_payloads_are_as_documented(
    sim_exchange: SimExchange, shared_data: Path
) -> None:
    documented = {
        kind_of(example["payload"]): example["payload"]
        for example in examples(shared_data, "web-socket-streams.json")
        if isinstance(example["payload"], dict) and kind_of(example["payload"]) in STREAMS
    }
    assert documented.keys() == STREAMS.keys()
    url = f"ws://127.0.0.1:{sim_exchange.port}/ws/{'/'.join(STREAMS.values())}"
    seen: dict[str, Any] = {}
    async with connect(url) as line:
        while seen.keys() < STREAMS.keys():
            payload = json.loads(await asyncio.wait_for(line.recv(), 20))
            if kind_of(payload) != "depthUpdate" or (payload["b"] and payload["a"]):
                seen.setdefault(kind_of(payload), payload)

    found = [
        f"{kind}: {one}"
        for kind, payload in documented.items()
        for one in differences(payload, seen[kind])
    ]
    assert found == []


async def test_socket_replies_are_as_documented(
    sim_exchange: SimExchange, shared_data: Path
) -> None:
    asked = [
        example["payload"]
        for example in examples(shared_data, "web-socket-api.json")
        if "Market data requests" in example["section"] or "General requests" in example["section"]
    ]
    pairs, found = [], []
    for request, reply in itertools.pairwise(asked):
        if "method" in request and reply.get("status") == 200 and request["id"] == reply["id"]:
            pairs.append((request, reply))
    async with connect(f"ws://127.0.0.1:{sim_exchange.port}/ws-api/v3") as line:
        for request, documented in pairs:
            if request["method"] in OPTIONAL:
                continue
            params = local(request.get("params", {}), one=isinstance(documented["result"], dict))
            await line.send(json.dumps({**request, "params": params}))
            shown = json.loads(await asyncio.wait_for(line.recv(), 10))
            if shown["status"] != 200:
                found.append(f"{request['method']} {params}: {shown}")
                continue
            found += [f"{request['method']}: {one}" for one in differences(documented, shown)]

    assert len(pairs) >= 14
    assert found == []


def local(params: dict[str, Any], *, one: bool) -> dict[str, Any]:
    """Return an example's parameters with what this exchange has."""
    changed = dict(params)
    if one and "symbols" in changed:
        changed["symbol"] = changed.pop("symbols")[0]
    if "symbol" in changed:
        changed["symbol"] = SYMBOL
    if "symbols" in changed:
        changed["symbols"] = [SYMBOL, "ETHUSDT"]
    for name in ("fromId", "startTime", "endTime", "permissions"):
        changed.pop(name, None)
    return changed

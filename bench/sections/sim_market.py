"""The local exchange's market: 500 symbols streamed to ten clients, candles of ten replayed."""

import asyncio
import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from websockets.asyncio.client import connect

from bench import servers, system
from bench.sample import percentile

_CLIENTS = 10
_SYMBOLS = tuple(f"B{number:03}USDT" for number in range(500))
_STREAM_S = 18.0
_REPLAYED = ("BTC", "ETH", "SOL", "XRP", "ADA", "DOGE", "BNB", "LTC", "TRX", "DOT")
_REPLAY_DAYS = 30
"""A twelfth of a year: reading and playing a whole one takes a minute and a half."""
_MINUTE_MS = 60_000
_START_MS = 1_672_531_200_000
_HISTORY_BARS = 1_000


def measure(folder: Path) -> dict[str, float]:
    """Stream one-second candles, then replay files; each exchange is a process of its own."""
    return _streamed(folder / "streams") | _replayed(folder / "replay")


def _streamed(folder: Path) -> dict[str, float]:
    """Measure how late candles of all symbols are at ten clients, at first and in the end."""
    options = ("--generate", "--symbols", ",".join(_SYMBOLS), "--history-days", "1")
    with servers.exchange(folder, *options) as told:
        lates = asyncio.run(_listen(int(told["port"])))
        memory_mb = _peak_mb(told["pid"])
    thirds = [
        [late for at_s, late in lates if low <= at_s < low + _STREAM_S / 3]
        for low in (0.0, 2 * _STREAM_S / 3)
    ]
    first, last = (percentile(third, 95) for third in thirds)
    per_s = len(lates) / _STREAM_S
    system.say(f"500 x 1s to 10 clients: {per_s:.0f} messages/s, p95 {first:.0f} -> {last:.0f} ms")
    return {
        "sim_stream_messages_per_s": round(per_s, 1),
        "sim_stream_first_third_p95_ms": round(first, 1),
        "sim_stream_last_third_p95_ms": round(last, 1),
        "sim_stream_peak_mb": round(memory_mb, 1),
    }


async def _listen(port: int) -> list[tuple[float, float]]:
    """Return (seconds since the start, ms since its second was over) of every candle heard."""
    lates: list[tuple[float, float]] = []
    names = "/".join(f"{symbol.lower()}@kline_1s" for symbol in _SYMBOLS)
    lines = [
        await connect(f"ws://127.0.0.1:{port}/stream?streams={names}", max_queue=None)
        for _ in range(_CLIENTS)
    ]
    begun = time.time()

    async def hear(line: Any) -> None:
        while (now := time.time()) < begun + _STREAM_S:
            try:
                async with asyncio.timeout(1.0):
                    text = await line.recv(decode=False)
            except TimeoutError:
                continue
            closed = text.index(b'"T":') + 4
            now = time.time()
            lates.append((now - begun, now * 1000 - int(text[closed : closed + 13])))

    await asyncio.gather(*(hear(line) for line in lines))
    for line in lines:
        await line.close()
    return lates


def _replayed(folder: Path) -> dict[str, float]:
    """Measure candles/s from files, with a client that hears one symbol's closes."""
    data = folder / "data"
    _write_candles(data)
    options = ("--data", str(data), "--speed", "manual", "--history-bars", str(_HISTORY_BARS))
    begun = time.perf_counter()
    with servers.exchange(folder, *options) as told:
        opened_s = time.perf_counter() - begun
        minutes = _REPLAY_DAYS * 1440 - _HISTORY_BARS
        begun = time.perf_counter()
        closes = asyncio.run(_replay(int(told["port"]), minutes))
        seconds = time.perf_counter() - begun
        memory_mb = _peak_mb(told["pid"])
    if closes != minutes:
        raise RuntimeError(f"{minutes} candles were to close, {closes} were told")
    per_s = minutes * len(_REPLAYED) / seconds
    system.say(f"replay: opened in {opened_s:.1f} s, {per_s:.0f} candles/s")
    return {
        "sim_replay_open_s": round(opened_s, 1),
        "sim_replay_candles_per_s": round(per_s, 1),
        "sim_replay_peak_mb": round(memory_mb, 1),
    }


async def _replay(port: int, minutes: int) -> int:
    """Let the clock run a day at a time; return how many closed candles a client heard of."""
    closes = 0
    async with connect(f"ws://127.0.0.1:{port}/ws/btcusdt@kline_1m", max_queue=None) as line:
        left = minutes
        while left:
            step = min(1440, left)
            await asyncio.to_thread(_advance, port, step * _MINUTE_MS)
            left -= step
            wanted = minutes - left
            async with asyncio.timeout(30):
                while closes < wanted:
                    closes += b'"x":true' in await line.recv(decode=False)
    return closes


def _advance(port: int, ms: int) -> None:
    body = json.dumps({"ms": ms}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/_sim/advance", data=body)
    with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310 - our own server
        reply.read()


def _write_candles(folder: Path) -> None:
    """Write the same candles for every symbol, as Binance would print them."""
    folder.mkdir(parents=True)
    rng, rows = np.random.default_rng(1), _REPLAY_DAYS * 1440
    close = np.maximum(np.cumsum(rng.integers(-30, 31, rows)) + 6_000_000, 1_000)
    opens = np.concatenate([close[:1], close[:-1]])
    high = np.maximum(opens, close) + rng.integers(0, 20, rows)
    low = np.minimum(opens, close) - rng.integers(0, 20, rows)
    volume = rng.integers(1, 90_000, rows)
    lines = ["open_time,open,high,low,close,volume,quote_volume,trades,taker_buy_base"]
    columns = (one.tolist() for one in (opens, high, low, close, volume))
    for minute, (o, h, lo, c, v) in enumerate(zip(*columns, strict=True)):
        prices = f"{o / 100:.2f},{h / 100:.2f},{lo / 100:.2f},{c / 100:.2f}"
        amounts = f"{v / 1000:.3f},{v * c / 100_000:.5f},{v // 10 + 1},{v // 3 / 1000:.3f}"
        lines.append(f"{_START_MS + minute * _MINUTE_MS},{prices},{amounts}")
    first = folder / f"{_REPLAYED[0]}USDT_1m_bench.csv"
    first.write_text("\n".join(lines) + "\n")
    for symbol in _REPLAYED[1:]:
        (folder / f"{symbol}USDT_1m_bench.csv").hardlink_to(first)


def _peak_mb(pid: int) -> float:
    """Return the most memory the process ever had resident, its present where that is unknown."""
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return psutil.Process(pid).memory_info().rss / 2**20

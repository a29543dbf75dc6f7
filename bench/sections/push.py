"""A live message from our code to the pages, beside a bare Channels group, message by message."""

import asyncio
import json
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench import servers, system, website
from bench.sample import median, percentile

# Clients, messages of each kind, seconds between two messages.
_ROUNDS = ((1, 200, 0.04), (100, 90, 0.1))
_WARM_UP = 5
# A hundred snapshots are made one after the other.
_CONNECT_LIMIT_S = 120.0


def measure(folder: Path) -> dict[str, float]:
    """Measure with the clients in processes of their own."""
    with ExitStack() as stack:
        site = stack.enter_context(website.running_website(folder))
        figures: dict[str, float] = {"push_lost": 0, "group_send_lost": 0}
        for clients, messages, gap_s in _ROUNDS:
            found = _round(folder, site, clients, messages, gap_s)
            for name, outcome in found.items():
                figures[f"{name}_{clients}_median_ms"] = round(median(outcome.latencies_ms), 2)
                figures[f"{name}_{clients}_p95_ms"] = round(percentile(outcome.latencies_ms, 95), 2)
                figures[f"{name}_lost"] += outcome.lost
                system.say(f"{clients} clients: {name} {outcome}")
        return figures


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """Latencies of all deliveries, and how many never came."""

    latencies_ms: list[float]
    lost: int

    def __str__(self) -> str:
        return (
            f"median {median(self.latencies_ms):.1f} ms, "
            f"p95 {percentile(self.latencies_ms, 95):.1f} ms, {self.lost} lost"
        )


def _round(
    folder: Path, site: website.Website, clients: int, messages: int, gap_s: float
) -> dict[str, _Outcome]:
    """Send both kinds in turns, so that both meet the same machine."""
    total = messages + _WARM_UP
    with ExitStack() as stack:
        listeners = {
            name: stack.enter_context(
                servers.program(
                    f"listeners-{name}-{clients}",
                    servers.python(
                        "bench.listeners",
                        f"{site.socket_url}/{path}",
                        site.token,
                        str(clients),
                        str(total),
                    ),
                    folder=folder,
                )
            )
            for name, path in (("push", "ws"), ("group_send", "bare"))
        }
        for program in listeners.values():
            program.wait(
                lambda program=program: "ready" in program.log.read_text(),
                limit_s=_CONNECT_LIMIT_S,
            )
        sent = _send(total, gap_s)
        return {
            name: _judge(
                program.wait(lambda program=program: _report(program.log)), sent[name], clients
            )
            for name, program in listeners.items()
        }


def _send(count: int, gap_s: float) -> dict[str, list[float]]:
    """Send `count` tickers each way; return when each was sent, wall seconds."""
    from channels.layers import get_channel_layer

    from alerts import push
    from bench.web.peers import BARE_GROUP
    from core.rest.rendering import dumps

    sent: dict[str, list[float]] = {"push": [], "group_send": []}
    layer: Any = get_channel_layer()
    with asyncio.Runner() as runner:
        for number in range(count):
            ticker = _ticker(number)
            sent["push"].append(time.time())
            push.publish(ticker)
            time.sleep(gap_s)
            text = dumps({"version": push.VERSION, **ticker, "seq": number}).decode()
            sent["group_send"].append(time.time())
            runner.run(layer.group_send(BARE_GROUP, {"type": "bare.message", "text": text}))
            time.sleep(gap_s)
    return sent


def _ticker(number: int) -> Any:
    return {
        "type": "ticker",
        "at": datetime.now(UTC),
        "symbol": "BTCUSDT",
        "price": Decimal(number),
        "bid": Decimal("43123.12"),
        "ask": Decimal("43123.13"),
    }


def _report(log: Path) -> list[list[list[float]]] | None:
    for line in log.read_text(errors="replace").splitlines():
        if line.startswith("[") and line.endswith("]"):
            return list(json.loads(line))
    return None


def _judge(arrivals: list[list[list[float]]], sent: list[float], clients: int) -> _Outcome:
    """Compare what arrived with what was sent; the first few only warm up."""
    latencies, delivered = [], 0
    for client in arrivals:
        delivered += len({int(number) for number, _ in client})
        latencies += [
            (at - sent[int(number)]) * 1000 for number, at in client if number >= _WARM_UP
        ]
    return _Outcome(latencies_ms=latencies, lost=clients * len(sent) - delivered)

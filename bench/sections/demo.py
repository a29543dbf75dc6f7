"""The demo's start, its first fill, and the memory of its processes."""

import sys
import time
from pathlib import Path

from bench import system
from bench.demo import Demo, running_demo

_FILL_LIMIT_S = 120.0
# Memory is looked at when every part has worked for a while.
_SETTLE_S = 10.0
_COMMAND = (sys.executable, "manage.py", "trade", "--demo")


def measure(folder: Path) -> dict[str, float]:
    """Start with an empty folder, wait for a fill, stop, and start again."""
    figures: dict[str, float] = {}
    with running_demo(_COMMAND, folder=folder) as demo:
        figures["demo_ready_fresh_s"] = demo.ready_s
        system.say(f"ready with an empty folder: {demo.ready_s:.1f} s")
        figures["demo_first_fill_s"] = _wait_for_fill(demo)
        system.say(f"first fill {figures['demo_first_fill_s']:.1f} s after that")
        time.sleep(_SETTLE_S)
        figures |= _memory(demo)
    with running_demo(_COMMAND, folder=folder) as again:
        figures["demo_ready_warm_s"] = again.ready_s
        system.say(f"ready the second time: {again.ready_s:.1f} s")
    return {name: round(value, 1) for name, value in figures.items()}


def _wait_for_fill(demo: Demo) -> float:
    begun = time.monotonic()
    demo.program.wait(lambda: demo.get("/trades?limit=1")["results"], limit_s=_FILL_LIMIT_S)
    return time.monotonic() - begun


def _memory(demo: Demo) -> dict[str, float]:
    """Return resident MB of each process; PSS counts a shared page once over all of them."""
    figures: dict[str, float] = {}
    shares = []
    for name, process in demo.processes():
        held = process.memory_full_info()
        key = f"rss_mb_{name}"
        figures[key] = figures.get(key, 0.0) + held.rss / 2**20
        shares.append(getattr(held, "pss", held.uss) / 2**20)
    return {**figures, "rss_mb_total": sum(figures.values()), "pss_mb_total": sum(shares)}

"""``make demo`` in a fresh clone with an empty package cache, as a newcomer meets it."""

import subprocess
from pathlib import Path

from bench import system
from bench.demo import running_demo
from bench.servers import ROOT

_LIMIT_S = 540.0


def measure(folder: Path) -> dict[str, float]:
    """Clone what is committed, and install everything from the package registry."""
    clone = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    caches = {
        "UV_CACHE_DIR": str(folder / "uv"),
        "PIP_CACHE_DIR": str(folder / "pip"),
        "VIRTUAL_ENV": "",
    }
    system.say("installing in a fresh clone")
    with running_demo(
        ("make", "demo"), folder=folder, root=clone, limit_s=_LIMIT_S, environment=caches
    ) as demo:
        system.say(f"ready: {demo.ready_s:.1f} s")
        return {"demo_ready_cold_s": round(demo.ready_s, 1)}

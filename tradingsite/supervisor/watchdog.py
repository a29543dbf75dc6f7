"""Starts processes again that stand still, and has each restart put on record."""

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from core import pulse
from tradingsite.supervisor import plan
from tradingsite.supervisor.child import Child
from tradingsite.supervisor.launching import Duty, Process, ProcessSpec
from tradingsite.supervisor.probes import BrokerLine
from tradingsite.supervisor.standstill import MOST_RESTARTS, Standstill, Verdict, group_cpu_s

_LOOK_EVERY_S = 2.0
_RETRY_AFTER_S = 10.0
_MOST_RECORDS = 20
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Watchdog:
    """Looks at queues and pulses every other second.

    Without the broker it knows nothing of the queues, and leaves their workers alone.

    Args:
        broker: Where the messages wait.
        data_dir: Where the pulses are.
        say: Prints one line for the person in front of the terminal.
        start: Starts a program beside the loop.
    """

    def __init__(
        self,
        *,
        broker: BrokerLine,
        data_dir: Path,
        say: Callable[[str], None],
        start: Callable[[ProcessSpec], Process],
    ) -> None:
        self._broker = broker
        self._data_dir = data_dir
        self._say = say
        self._records = Records(start)
        self._standing: dict[str, Standstill] = {}
        self._next_s = 0.0

    def look(self, children: Sequence[Child]) -> None:
        """Judge every process once, if it is time, and kill what must be started again."""
        self._records.go_on()
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + _LOOK_EVERY_S
        is_broker_away = False
        for child in children:
            duty, pid = child.spec.duty, child.pid
            if duty is None:
                continue
            standing = self._standing.setdefault(child.spec.name, Standstill(duty))
            if pid is None or (duty.queue and is_broker_away):
                standing.forget()  # it is started again anyway, or nobody knows
                continue
            try:
                sign = self._sign(duty, pid)
            except OSError:
                is_broker_away = is_broker_away or bool(duty.queue)
                standing.forget()
            else:
                self._judge(child, duty, standing, sign, now_s=now_s)

    def _sign(self, duty: Duty, pid: int) -> bytes:
        if duty.queue:
            return self._broker.oldest(duty.queue)
        return pulse.read(self._data_dir, duty.pulse, pid=pid)

    def _judge(
        self, child: Child, duty: Duty, standing: Standstill, sign: bytes, *, now_s: float
    ) -> None:
        leader, stood_s = child.pid or 0, standing.stood_s(now_s=now_s)
        verdict = standing.judge(
            sign, now_s=now_s, computed_s=lambda: group_cpu_s(leader, ticks_per_s=_TICKS_PER_S)
        )
        if verdict is Verdict.LEAVE:
            return
        name = child.spec.name
        what = f"{name} {duty.lapse} for {stood_s:.0f} s"
        if verdict is Verdict.RESTART:
            self._say(f"{what}, starting it again")
            child.kill()
        else:
            self._say(f"{what}, and {MOST_RESTARTS} restarts did not help: look at it")
        self._records.add(
            plan.record_of_restart(
                name, lapse=duty.lapse, stood_s=stood_s, is_left=verdict is Verdict.GIVE_UP
            )
        )


class Records:
    """Writes what happened into the database by a program of its own, as soon as that answers."""

    def __init__(self, start: Callable[[ProcessSpec], Process]) -> None:
        self._start = start
        self._waiting: deque[ProcessSpec] = deque(maxlen=_MOST_RECORDS)
        self._running: tuple[ProcessSpec, Process] | None = None
        self._retry_at_s = 0.0

    def add(self, spec: ProcessSpec) -> None:
        """Have a program run until it succeeds; the oldest goes when too many wait."""
        self._waiting.append(spec)

    def go_on(self) -> None:
        """Start the next one, or see what became of the one that runs."""
        if self._running is not None:
            spec, process = self._running
            status = process.poll()
            if status is None:
                return
            self._running = None
            if status:
                self._waiting.appendleft(spec)
                self._retry_at_s = time.monotonic() + _RETRY_AFTER_S
        if self._waiting and time.monotonic() >= self._retry_at_s:
            spec = self._waiting.popleft()
            self._running = spec, self._start(spec)

"""Starting our own programs as forks of one template that has everything imported (Linux)."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tradingsite.supervisor.launching import LEAN, Process, ProcessSpec, execute
from tradingsite.supervisor.parent import IS_LINUX, adopt_orphans

# Importing on a machine that is busy with everything else that starts; and one fork.
_READY_LIMIT_S = 60.0
_FORK_LIMIT_S = 10.0
_POLL_S = 0.02


class TemplateGone(Exception):
    """The template gave no usable answer."""


class Forked:
    """A process that the template has forked and handed over to us."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit status, None while it runs."""
        if self.returncode is None:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; raises ``subprocess.TimeoutExpired``."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(f"pid {self.pid}", timeout or 0.0)
            time.sleep(_POLL_S)
        return status


class Template:
    """The process that others are forked from, started as soon as this object is made.

    Its memory is shared, so a fork costs milliseconds and a third of the memory. It holds the
    settings of one environment; a program that wants another one is started the plain way, and so
    is every program once the template has failed. Not thread-safe: one loop owns it.
    """

    def __init__(self) -> None:
        adopt_orphans()
        self.has_failed = False
        self._environment: dict[str, str] | None = None
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own, no shell
                [sys.executable, "-m", "tradingsite.supervisor.template", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                # A title within its own arguments, so that its environment stays readable.
                env={**LEAN, **os.environ, "SPT_NOENV": "1"},
            )
        self._answers = self._channel.makefile("r", encoding="utf-8")

    @property
    def pid(self) -> int:
        """The template's process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def fork(self, spec: ProcessSpec, environment: Mapping[str, str], log: Path | None) -> Process:
        """Fork a program; where that cannot be done, start it the plain way."""
        if spec.is_ours and self.is_alive and not self.has_failed:
            try:
                return self._fork(spec, environment, log)
            except (OSError, ValueError, TemplateGone):
                # It must not answer late: the program is started below.
                self.has_failed = True
                self.close()
        return execute(spec, environment, log)

    def close(self) -> None:
        """End the template. What was forked from it goes on."""
        if self.is_alive:
            self._process.kill()
            self._process.wait()
        self._answers.close()
        self._channel.close()

    def _fork(self, spec: ProcessSpec, environment: Mapping[str, str], log: Path | None) -> Process:
        if self._environment is None:
            self._environment = dict(environment)
            self._ask({"env": self._environment}, limit_s=_READY_LIMIT_S)
        if self._environment != environment:
            return execute(spec, environment, log)
        order = {
            "name": spec.name,
            "argv": spec.argv[1:],
            "env": dict(spec.env),
            "log": str(log) if log else "",
            "stands_back": spec.stands_back,
        }
        return Forked(int(self._ask(order, limit_s=_FORK_LIMIT_S)["pid"]))

    def _ask(self, order: dict[str, Any], *, limit_s: float) -> dict[str, Any]:
        self._channel.settimeout(limit_s)
        self._channel.sendall(json.dumps(order).encode() + b"\n")
        line = self._answers.readline()
        if not line:
            raise TemplateGone
        answer: dict[str, Any] = json.loads(line)
        return answer


def can_fork() -> bool:
    """Whether processes may be forked here: elsewhere libraries do not survive it."""
    return IS_LINUX

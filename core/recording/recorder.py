"""Recording a session: every process writes its own files, one baton orders them all."""

import fcntl
import itertools
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from django.db import transaction

from core.recording.journal import Journal

Value = TypeVar("Value")

# Recording must never stop trading: after this long a step goes on without the baton, and says so.
LONGEST_WAIT_S = 2.0
_POLL_S = 0.0005
BATON = "baton"
VERDICT = "verdict.json"  # what the last replay came to
MANIFEST = "session.json"  # written last of what a session begins with


class Recorder:
    """The tape of one process of a session.

    Args:
        folder: The session's; its processes share the baton in it.
        name: Tells the process's name, for the names of its files; asked when it is needed.
        limit_bytes: Size at which the whole session's recording ends.
    """

    def __init__(self, folder: Path, *, name: Callable[[], str], limit_bytes: int) -> None:
        self._folder = folder
        self._name = name
        self._limit_bytes = limit_bytes
        self._start()
        os.register_at_fork(after_in_child=self._start)

    def _start(self) -> None:
        self._opened: Journal | None = None
        self._pid = os.getpid()
        self._numbers = itertools.count(1)
        self._local = threading.local()

    @property
    def is_in_transaction(self) -> bool:
        return bool(transaction.get_connection().in_atomic_block)

    @property
    def is_in_step(self) -> bool:
        return getattr(self._local, "step", None) is not None

    @property
    def _journal(self) -> Journal:
        if self._opened is None:
            self._opened = Journal(self._folder, name=self._name(), limit_bytes=self._limit_bytes)
        return self._opened

    @property
    def _is_on(self) -> bool:
        """Whether the session has begun (its first state is kept) and is not full."""
        if self._opened is None:
            return (self._folder / MANIFEST).exists()
        return not self._opened.is_stopped

    def begin(self, name: str, arguments: Any) -> None:
        if not self._is_on:
            return
        sequence, is_late = self._take()
        local = self._local
        local.step = f"{self._pid}.{next(self._numbers)}"
        record = {
            "t": "begin",
            "s": local.step,
            "q": sequence,
            "lane": f"{self._name()}:{self._pid}:{threading.get_native_id()}",
            "n": name,
            "a": arguments,
        }
        self._journal.write({**record, "late": True} if is_late else record)

    def end(self) -> None:
        if self.is_in_step:
            self._journal.write({"t": "end", "s": self._local.step})
            self._local.step = None
            self._give()

    def release(self) -> None:
        self._journal.write({"t": "out", "s": self._local.step})
        self._give()

    def acquire(self) -> None:
        sequence, is_late = self._take()
        record = {"t": "on", "s": self._local.step, "q": sequence}
        self._journal.write({**record, "late": True} if is_late else record)

    def tell(self, kind: str, produce: Callable[[], Any]) -> Any:
        step, self._local.step = self._local.step, None
        try:  # what it asks on its way is part of the answer
            value = produce()
        finally:
            self._local.step = step
        self._journal.write({"t": "told", "s": step, "k": kind, "v": value})
        return value

    def note(self, kind: str) -> None:
        if self.is_in_step:
            self._journal.write({"t": "note", "s": self._local.step, "k": kind})

    def check(self, kind: str, value: Any) -> None:
        self._journal.write({"t": "left", "s": self._local.step, "k": kind, "v": value})

    def perform(self, work: Callable[[], Value]) -> Value | None:
        return work()

    def aside(self, kind: str, value: Any) -> None:
        if self._is_on:
            self._journal.write({"t": "raw", "k": kind, "v": value})

    def _take(self) -> tuple[int, bool]:
        """Take the baton and the next number; whether it had to be done without the baton."""
        file = getattr(self._local, "baton", None)
        if file is None:
            file = os.open(self._folder / BATON, os.O_RDWR | os.O_CREAT, 0o600)
            self._local.baton = file
        deadline = time.monotonic() + LONGEST_WAIT_S
        is_late = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    is_late = True
                    break
                time.sleep(_POLL_S)
        number = int.from_bytes(os.pread(file, 8, 0), "big") + 1
        os.pwrite(file, number.to_bytes(8, "big"), 0)
        return number, is_late

    def _give(self) -> None:
        fcntl.flock(self._local.baton, fcntl.LOCK_UN)

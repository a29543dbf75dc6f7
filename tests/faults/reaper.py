"""How a process ends, and its database fails, in a test of one process."""

import contextlib
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import OperationalError, transaction

# Statements that bracket others: the server that failed is asked nothing more.
_BRACKETS = ("SAVEPOINT", "RELEASE", "ROLLBACK")


class Killed(BaseException):
    """The process is dead: no handler of ours may see it."""


class Reaper:
    """Ends processes at named places, and fails the database at a counted statement.

    Stands for `os` in ``core.crashpoints`` and wraps the statements of this thread's connection.
    """

    def __init__(self) -> None:
        self._place = ""
        self.has_killed = False
        self.is_at_work = False
        self.statements_left = 0

    @property
    def place(self) -> str:
        return self._place

    @place.setter
    def place(self, name: str) -> None:
        self._place = settings.CRASHPOINT = name

    def rest(self) -> None:
        self.place, self.statements_left = "", 0

    def getpid(self) -> int:
        return 0

    def kill(self, _pid: int, _number: int) -> None:
        self.has_killed = True
        settings.CRASHPOINT = ""
        raise Killed

    def fail(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if self.is_at_work and self.statements_left and not sql.startswith(_BRACKETS):
            self.statements_left -= 1
            if not self.statements_left:
                raise OperationalError("deadlock detected")
        return execute(sql, params, many, context)


@contextlib.contextmanager
def undone() -> Iterator[None]:
    """Take back whatever the block wrote."""
    savepoint = transaction.savepoint()
    try:
        yield
    finally:
        transaction.savepoint_rollback(savepoint)

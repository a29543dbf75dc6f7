"""Where a tape looks into the database's work: every commit, and every write outside one."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.backends.signals import connection_created

from core.recording import tape
from core.recording.recorder import Recorder

_READS = ("SELECT", "PRAGMA", "EXPLAIN", "SHOW", "SET ", "WITH ")


def record_into(folder: str, *, limit_mb: int) -> None:
    """Record what this process does from the moment on at which the session has begun."""
    tape.use(
        Recorder(
            Path(folder),
            name=lambda: str(settings.COMPONENT) or Path(sys.argv[-1]).name,
            limit_bytes=limit_mb * 1_000_000,
        )
    )
    watch_connections()


def watch_connections() -> None:
    """Note commits of every connection from now on: a killed step is replayed up to its last."""
    connection_created.connect(_watch, dispatch_uid="core.recording")


def _watch(connection: Any, **_: Any) -> None:
    if getattr(connection, "is_on_tape", False):
        return
    connection.is_on_tape = True
    commit = connection._commit

    def noted() -> None:
        try:
            _note("commit")
        except BaseException:
            # Replayed, the process died before it: going back to autocommit would commit.
            connection._rollback()
            raise
        commit()
        _note("committed")

    connection._commit = noted
    connection.execute_wrappers.append(_note_write)


def _note_write(
    execute: Callable[..., Any],
    sql: str,
    params: Any,
    many: bool,  # noqa: FBT001 - Django's signature
    context: dict[str, Any],
) -> Any:
    if not context["connection"].in_atomic_block and not sql.lstrip().startswith(_READS):
        _note("write")
    return execute(sql, params, many, context)


def _note(kind: str) -> None:
    running = tape.active()
    if running is not None:
        running.note(kind)

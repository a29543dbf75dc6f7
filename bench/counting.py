"""Counts, not times: messages, their bytes, and queries of one close; tests count so too."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from bench import desk as desks
from bench.desk import Desk

_SIZE = 100


@dataclass(slots=True)
class Counted:
    """What ran in this process: the names of tasks, the bytes of their arguments, statements."""

    messages: list[str] = field(default_factory=list)
    bytes: int = 0
    statements: list[str] = field(default_factory=list)


@contextmanager
def counting() -> Iterator[Counted]:
    """Run tasks in this process at once, and count until the block ends."""
    from celery.signals import task_prerun
    from django.db import connection

    from tradingsite.celery import app

    counted = Counted()

    def note_message(*, task: Any, kwargs: Any, **_: Any) -> None:
        counted.messages.append(task.name)
        counted.bytes += len(orjson.dumps(kwargs))

    def note_statement(execute: Any, sql: str, *rest: Any) -> Any:
        counted.statements.append(sql)
        return execute(sql, *rest)

    before = app.conf.task_always_eager, app.conf.task_eager_propagates
    app.conf.task_always_eager = app.conf.task_eager_propagates = True
    task_prerun.connect(note_message)
    try:
        with connection.execute_wrapper(note_statement):
            yield counted
    finally:
        task_prerun.disconnect(note_message)
        app.conf.task_always_eager, app.conf.task_eager_propagates = before


def count_close(desk: Desk) -> dict[str, float]:
    """Run the chain of one close of 100 symbols in this process."""
    from tradingsite.pipeline import start_chain

    # The first close loads the windows and the model, as after a worker's start.
    for _ in range(2):
        close_ms, rows = desk.next_rows(_SIZE)
        with counting() as counted:
            start_chain(timeframe=desks.TIMEFRAME, close_time_ms=close_ms, rows=rows)
        desk.close_all()
    return {
        f"messages_per_close_{_SIZE}": len(counted.messages),
        f"bytes_per_close_{_SIZE}": counted.bytes,
        f"queries_per_close_{_SIZE}": len(counted.statements),
    }

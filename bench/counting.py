"""Counts, not times: messages and queries of one close."""

from typing import Any

from bench import desk as desks
from bench.desk import Desk

_SIZE = 100


def count_close(desk: Desk) -> dict[str, float]:
    """Run the chain of one close in this process; count its messages and its statements."""
    from celery.signals import task_prerun
    from django.db import connection

    from tradingsite.celery import app
    from tradingsite.pipeline import start_chain

    messages: list[str] = []
    statements: list[str] = []

    def note_message(*, task: Any, **_: Any) -> None:
        messages.append(task.name)

    def note_statement(execute: Any, sql: str, *rest: Any) -> Any:
        statements.append(sql)
        return execute(sql, *rest)

    app.conf.task_always_eager = True
    app.conf.task_eager_propagates = True
    # The first close loads the windows and the model, as after a worker's start.
    for _ in range(2):
        close_ms, rows = desk.next_rows(_SIZE)
        messages.clear()
        statements.clear()
        task_prerun.connect(note_message)
        with connection.execute_wrapper(note_statement):
            start_chain(timeframe=desks.TIMEFRAME, close_time_ms=close_ms, rows=rows)
        task_prerun.disconnect(note_message)
        desk.close_all()
    return {"messages_per_close_100": len(messages), "queries_per_close_100": len(statements)}

"""Nudge a worker without waiting for the broker: messages are only nudges, the tables the truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from celery import current_app

from core.after_commit import run_after_commit
from core.background import BackgroundQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class _Nudge:
    task: str
    kwargs: Mapping[str, Any]
    queue: str


def enqueue_on_commit(task: str, *, kwargs: Mapping[str, Any], queue: str) -> None:
    """Send `task` by name after the commit, on a thread of its own.

    A broker that is down, or does not answer, costs the caller nothing; whoever uses this has a
    periodic task that finds what was not nudged.
    """
    nudge = _Nudge(task=task, kwargs=kwargs, queue=queue)
    run_after_commit(partial(_outbox.put, nudge))


def flush(timeout_s: float = 2.0) -> bool:
    """Wait until what was queued is sent (tests, the end of a command)."""
    return _outbox.flush(timeout_s)


def _send(nudge: _Nudge) -> None:
    current_app.send_task(nudge.task, kwargs=dict(nudge.kwargs), queue=nudge.queue, retry=False)


_outbox: BackgroundQueue[_Nudge] = BackgroundQueue("outbox", _send, maxsize=1000)

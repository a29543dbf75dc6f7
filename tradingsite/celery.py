"""The Celery application; its configuration is ``celeryconfig.py`` at the top level."""

import os
import sys
import time
from collections.abc import Set
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import (
    celeryd_after_setup,
    heartbeat_sent,
    task_failure,
    task_postrun,
    task_prerun,
    worker_process_init,
    worker_ready,
)

from core.recording import tape

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings.dev")
# Django's checks read the whole site, which no worker serves, and Celery ignores what they find.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("tradingsite")
app.config_from_object("celeryconfig")
app.autodiscover_tasks()

# Celery's own way is a new connection to the database for every task, which costs a close more
# than its work. A worker runs one task after the other: it keeps its connection as long as that
# is usable, and Django asks it once per task whether it still is.
app.conf.CELERY_DB_REUSE_MAX = sys.maxsize

_BEAT_EVERY_S = 5.0
_last_beat = [0.0]


def load_ahead(queues: Set[str]) -> None:
    """Import what the tasks of these queues need, so that the first message does not wait."""
    from execution.tasks import load_ahead as load_orders
    from tradingsite.pipeline import load_ahead as load_pipeline

    if "orders" in queues:
        load_orders()
    if any(name.startswith("pipeline.") for name in queues):
        load_pipeline()


def relax_commits(queues: Set[str]) -> None:
    """Let a worker of the pipeline alone commit without waiting for the disk.

    Candles, predictions and decisions can be made again. What makes an order safe is the commit
    of its write-ahead record, in the orders' worker, and that one takes all earlier commits along.
    """
    from django.db import connection

    if connection.vendor == "postgresql" and all(name.startswith("pipeline.") for name in queues):
        options = connection.settings_dict.setdefault("OPTIONS", {})
        options["options"] = "-c synchronous_commit=off"


@celeryd_after_setup.connect
def _prepare(instance: Any, **_: Any) -> None:
    """Refuse to start on faulty settings; then import ahead."""
    from core.checks import list_faults

    if faults := list_faults():
        sys.exit("\n".join(faults))
    queues = set(instance.app.amqp.queues.consume_from)
    relax_commits(queues)
    load_ahead(queues)


@worker_process_init.connect
def _stand_back(**_: Any) -> None:
    """Let the kernel end a training first when memory runs out; only trainings have a pool."""
    score = Path("/proc/self/oom_score_adj")
    if score.exists():
        score.write_text("800")


@task_prerun.connect
@task_postrun.connect
def drop_broken_connections(task: Any, **_: Any) -> None:
    """Close what cannot be used any more; the next query opens it anew."""
    from django.db import close_old_connections

    if not task.request.is_eager:
        close_old_connections()


# What decisions and books come from. The rest (training, alerts, news) is told to it or is not.
RECORDED_TASKS = frozenset(
    {
        *("pipeline.ingest", "pipeline.predict", "pipeline.decide", "execution.place_orders"),
        *("execution.reconcile", "execution.record_equity"),
        *("markets.fill_gaps", "markets.sync_instruments"),
    }
)


@task_failure.connect
def _note_storage(exception: BaseException, **_: Any) -> None:
    """Let nothing leave this worker once it could not store something, until that is known."""
    from risk.services.storage import note_failure

    note_failure(exception)


@task_prerun.connect
def _begin_step(task: Any, kwargs: dict[str, Any], **_: Any) -> None:
    """Let the task be one step of a recorded session."""
    running = tape.active()
    if running is not None and task.name in RECORDED_TASKS and not running.is_in_step:
        running.begin(f"task {task.name}", kwargs)


@task_postrun.connect
def _end_step(task: Any, **_: Any) -> None:
    running = tape.active()
    if running is not None and task.name in RECORDED_TASKS:
        running.end()


@worker_ready.connect
@heartbeat_sent.connect
def _beat(**_: Any) -> None:
    """Say that this worker is alive; Celery gives the occasion every two seconds."""
    from django.conf import settings

    from core import health
    from core.clock import get_clock

    if settings.COMPONENT and time.monotonic() - _last_beat[0] >= _BEAT_EVERY_S:
        _last_beat[0] = time.monotonic()
        health.beat(settings.COMPONENT, now=get_clock().now())

"""A worker keeps its database connection from task to task, and replaces a broken one."""

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from celery.fixups.django import DjangoWorkerFixup
from django.db import connection

from tradingsite.celery import app, drop_broken_connections

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run_task() -> Any:
    """Return a function that does what a worker does around a task."""
    fixup = DjangoWorkerFixup(app)
    task = SimpleNamespace(request=SimpleNamespace(is_eager=False))

    def run() -> Any:
        fixup.on_task_prerun(sender=task)
        drop_broken_connections(task)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        used = connection.connection
        fixup.on_task_postrun(sender=task)
        drop_broken_connections(task)
        return used

    return run


def test_it_keeps_the_connection(run_task: Any) -> None:
    first = run_task()

    assert run_task() is first


@pytest.mark.skipif(connection.vendor == "sqlite", reason="a file cannot hang up")
def test_it_replaces_a_broken_connection(run_task: Any) -> None:
    first = run_task()
    first.close()
    connection.errors_occurred = True

    assert run_task() is not first


@pytest.mark.skipif(connection.vendor == "sqlite", reason="a setting of PostgreSQL")
@pytest.mark.parametrize(
    ("component", "waits"), [("worker.pipeline", "off"), ("worker.orders", "on"), ("web", "on")]
)
def test_only_the_pipeline_does_not_wait_for_the_disk(
    child_environment: dict[str, str], component: str, waits: str
) -> None:
    script = (
        "import django; django.setup(); from django.db import connection\n"
        "with connection.cursor() as cursor:\n"
        "    cursor.execute('SHOW synchronous_commit'); print(cursor.fetchone()[0])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        env={**child_environment, "COMPONENT": component},
    )

    assert done.stdout.strip() == waits

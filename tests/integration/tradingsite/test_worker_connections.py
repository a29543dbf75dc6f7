"""A worker keeps its database connection from task to task, and replaces a broken one."""

from types import SimpleNamespace
from typing import Any

import pytest
from celery.fixups.django import DjangoWorkerFixup
from django.db import connection

from tradingsite.celery import app, drop_broken_connections, relax_commits

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
    ("queues", "asked_for"),
    [({"pipeline.0"}, "off"), ({"orders"}, None), ({"orders", "pipeline.0"}, None)],
)
def test_only_a_worker_of_the_pipeline_alone_does_not_wait_for_the_disk(
    queues: set[str], asked_for: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = dict(connection.settings_dict.get("OPTIONS", {}))
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
    connection.close()

    relax_commits(queues)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setting FROM pg_settings"
            " WHERE name = 'synchronous_commit' AND source = 'client'"
        )
        assert cursor.fetchone() == (asked_for and (asked_for,))
    connection.close()

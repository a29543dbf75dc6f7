"""Every task is named and has a queue; every turn of the schedule is a real task and expires."""

import ast

import pytest
from django.conf import settings

from tests.architecture.tree import APPS, ROOT, parse, python_files, short
from tradingsite.celery import app as celery_app

# A worker imports the modules with tasks when it starts.
celery_app.loader.import_default_modules()

QUEUES = ("orders", "train", "default", "pipeline.0")


def task_decorators() -> list[tuple[str, ast.Call | ast.expr]]:
    """Return ``(where, decorator)`` for every function made a Celery task."""
    found: list[tuple[str, ast.Call | ast.expr]] = []
    for path in python_files(*APPS, "tradingsite"):
        for node in ast.walk(parse(path)):
            for decorator in getattr(node, "decorator_list", ()):
                called = decorator.func if isinstance(decorator, ast.Call) else decorator
                if ast.unparse(called) in {"shared_task", "app.task", "celery_app.task"}:
                    found.append((f"{short(path)}:{node.name}", decorator))
    return found


def keywords(decorator: ast.Call | ast.expr) -> dict[str, object]:
    """Return the literal keyword arguments of a decorator."""
    if not isinstance(decorator, ast.Call):
        return {}
    return {
        keyword.arg: keyword.value.value
        for keyword in decorator.keywords
        if keyword.arg and isinstance(keyword.value, ast.Constant)
    }


@pytest.mark.parametrize(
    ("where", "decorator"), [pytest.param(*task, id=task[0]) for task in task_decorators()]
)
def test_it_names_every_task_and_its_queue(where, decorator):
    given = keywords(decorator)

    folder = where.split("/")[0]
    owner = "pipeline" if folder == "tradingsite" else folder
    assert str(given.get("name", "")).startswith(f"{owner}."), f"{where}: name='{owner}.…'"
    assert given.get("queue") in QUEUES, f"{where}: queue= one of {QUEUES}"


@pytest.mark.parametrize("name", sorted(settings.BEAT_SCHEDULE))
def test_it_schedules_only_real_tasks_that_expire(name):
    entry = settings.BEAT_SCHEDULE[name]
    owner = entry["task"].split(".")[0]
    is_roof = owner == "pipeline"
    if (
        not is_roof
        and not (ROOT / owner / "tasks.py").exists()
        and not (ROOT / owner / "tasks").exists()
    ):
        pytest.skip(f"{owner}.tasks is not built yet")

    celery_app.loader.import_default_modules()

    assert entry["task"] in celery_app.tasks
    assert 0 < entry["options"]["expires"] <= float(entry["schedule"])


def test_it_moves_rows_only_through_services():
    entry_points = [
        path
        for path in python_files(*APPS, "tradingsite")
        if "domain" in path.parts
        or path.stem == "tasks"
        or path.parent.name == "tasks"
        or path.is_relative_to(ROOT / "tradingsite" / "dashboard")
        or path == ROOT / "tradingsite" / "pipeline.py"
    ]

    touched = [
        f"{short(path)}:{node.lineno} .{node.attr}"
        for path in entry_points
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Attribute) and node.attr in {"save", "objects"}
    ]

    assert entry_points
    assert touched == []

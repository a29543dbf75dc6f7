"""A process imports what it works with and nothing else: memory and start-up time are kept here.

Each row imports what the process has imported when it is ready for its first piece of work, in an
interpreter of its own. Megabytes differ from machine to machine; the modules do not.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tradingsite.supervisor import plan

_TEMPLATE = "from tradingsite.supervisor import template\n"
_DJANGO = "import django\ndjango.setup()\n"
_CELERY = """
from tradingsite.celery import app, load_ahead
app.loader.import_default_modules()
app.finalize()
"""
_STREAM = f"{_DJANGO}import tradingsite.management.commands.stream_market_data\n"
_WEB = "import daphne.server, tradingsite.asgi, django.urls\n"
_WORKER = f"{_CELERY}import celery.apps.worker, celery.bin.worker\n"

LEARNING = frozenset(("numpy", "scipy", "sklearn", "xgboost"))
EXCHANGE = frozenset(("binance", "aiohttp", "dateparser", "Crypto"))
PAGES = frozenset(
    ("tradingsite.urls", "rest_framework.views", "drf_spectacular.views", "unfold.admin", "daphne")
)
# Needed by somebody at some time, by nobody when it starts.
RARE = frozenset(("pandas", "apprise", "feedparser", "sentry_sdk", "boto3", "pytest"))

# Per process: what brings it to where it is ready, and what it must not have imported by then.
PROCESSES = {
    "supervisor": (
        "import tradingsite.supervisor.__main__\n",
        LEARNING | EXCHANGE | PAGES | {"django.db", "celery", "redis", "requests", "asyncio"},
    ),
    # What every fork begins with.
    "template": (
        f"{_TEMPLATE}template.import_libraries()\ntemplate.import_ours()\n",
        LEARNING | PAGES,
    ),
    "guard": (
        f"{_DJANGO}import execution.management.commands.guard, execution.adapters.binance_broker\n",
        LEARNING | PAGES | {"celery.apps.worker"},
    ),
    "stream-user": (
        f"{_DJANGO}import execution.management.commands.stream_user_data\n",
        LEARNING | PAGES,
    ),
    "stream-market": (
        f"{_STREAM}import tradingsite.pipeline\n",
        LEARNING | PAGES,
    ),
    "worker-orders": (f"{_WORKER}load_ahead({{'orders'}})\n", LEARNING | PAGES),
    "worker-pipeline": (
        f"{_WORKER}load_ahead({{'pipeline.0'}})\n",
        EXCHANGE | PAGES | {"sklearn"},
    ),
    "worker-train": (f"{_WORKER}load_ahead({{'train'}})\n", LEARNING | EXCHANGE | PAGES),
    "worker-default": (f"{_WORKER}load_ahead({{'default'}})\n", LEARNING | EXCHANGE | PAGES),
    "web": (
        f"{_WEB}django.urls.get_resolver().url_patterns\n",
        LEARNING | EXCHANGE,
    ),
    "beat": (
        f"{_CELERY}import celery.bin.beat, django_celery_beat.schedulers\n",
        LEARNING | EXCHANGE | PAGES,
    ),
}


@pytest.mark.parametrize("name", PROCESSES)
def test_it_imports_only_what_it_works_with(name: str, tmp_path: Path) -> None:
    entry, forbidden = PROCESSES[name]
    if name != "supervisor":
        entry += "from core.rest.encoding import dumps\ndumps({})\n"
    tell = f"import sys\nprint(*({set(forbidden | RARE)!r} & sys.modules.keys()))\n"

    done = subprocess.run(
        [sys.executable, "-c", entry + tell],
        cwd=ROOT,
        env={**os.environ, "DATA_DIR": str(tmp_path), "ENV_FILE": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_it_looks_at_every_process_of_the_system() -> None:
    running = {spec.name for spec in plan.system(port=8000, with_web=True)}

    assert running | {"supervisor", "template"} == PROCESSES.keys()

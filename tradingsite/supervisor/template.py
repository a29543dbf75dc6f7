"""``python -m tradingsite.supervisor.template FD``: the process that our own are forked from.

Django, Celery and what most processes have in common are imported once; each process then starts
in a few milliseconds and shares that memory, copy on write. Every fork is handed over to the
supervisor, which adopts orphans, so the template may die without taking anybody along.

One line of JSON each way over the socket `FD`. First ``{"env"}``, answered when everything is
imported; then per process ``{"name", "argv", "env", "log", "stands_back"}``, answered by
``{"pid"}``.
"""

import gc
import json
import os
import runpy
import socket
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from setproctitle import setproctitle

from tradingsite.supervisor.parent import become_child_of, die_with_parent
from tradingsite.supervisor.standing_back import stand_back

TITLE = "trading:"
_LIBRARIES = (
    "binance.client",
    "celery.apps.worker",
    "celery.bin.celery",
    "channels_redis.pubsub",
    "django.core.management",
    "django.db.models.sql.compiler",
    "redis.asyncio",
)


def main() -> None:
    """Import, then fork on request until the supervisor is gone."""
    die_with_parent()
    setproctitle(f"{TITLE} template")
    import_libraries()
    order = _serve(socket.socket(fileno=int(sys.argv[1])), supervisor=os.getppid())
    if order is not None:
        _become(order)


def import_libraries() -> None:
    """Import what needs no settings yet: the supervisor is still busy finding them out."""
    for name in _LIBRARIES:
        import_module(name)


def import_ours() -> None:
    """Set Django up and import what most processes share. No threads, no connections."""
    import django

    django.setup()
    from execution.tasks import load_ahead
    from tradingsite.celery import app

    app.loader.import_default_modules()
    app.finalize()
    load_ahead()


def _serve(channel: socket.socket, *, supervisor: int) -> dict[str, Any] | None:
    """Fork until the supervisor hangs up; return the order in each process that was forked."""
    with channel, channel.makefile("r", encoding="utf-8") as lines:
        os.environ.update(json.loads(lines.readline())["env"])
        import_ours()
        # What is here now stays: a child's collector must not touch, and so copy, these pages.
        gc.collect()
        gc.freeze()
        _tell(channel, {"threads": _require_one_thread()})
        for line in lines:
            order: dict[str, Any] = json.loads(line)
            _require_one_thread()
            pid = _fork(supervisor)
            if pid is None:
                return order
            _tell(channel, {"pid": pid})
    return None


def _require_one_thread() -> int:
    """Return the number of threads, which must be one: a fork copies no others, but their locks."""
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads > 1:
        raise RuntimeError(f"{threads} threads in the template, nothing may be forked from it")
    return threads


def _fork(supervisor: int) -> int | None:
    """Return the pid of a new grandchild that `supervisor` has adopted; None in that process."""
    reading, writing = os.pipe()
    between = os.fork()
    if between:
        os.close(writing)
        os.waitpid(between, 0)
        with os.fdopen(reading) as told:
            return int(told.read())
    os.close(reading)
    between = os.getpid()
    if pid := os.fork():
        os.write(writing, str(pid).encode())
        os._exit(0)
    os.close(writing)
    while os.getppid() == between:
        time.sleep(0.001)
    become_child_of(supervisor)
    return None


def _become(order: dict[str, Any]) -> None:
    """Run the program as if the interpreter had been started with it."""
    os.setsid()
    if order["stands_back"]:
        stand_back()
    if order["log"]:
        log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
    os.environ.update(order["env"])
    from django.conf import settings

    # The one setting that differs between processes.
    settings.COMPONENT = os.environ.get("COMPONENT", "")
    setproctitle(f"{TITLE} {order['name']}")
    program, *arguments = order["argv"]
    if program == "-m":
        sys.argv = arguments
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = [program, *arguments]
        runpy.run_path(program, run_name="__main__")


def _tell(channel: socket.socket, answer: dict[str, Any]) -> None:
    channel.sendall(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()

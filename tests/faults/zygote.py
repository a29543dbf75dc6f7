"""Starts processes of ours within milliseconds: Django is loaded once, each actor is a fork.

Reads one JSON object a line: ``{"actor", "arguments", "environment", "log"}``; forks, runs the
actor (a management command or one of ``actors.py``) in the child with that environment, and writes
``{"pid"}``. It has one thread and no connection of its own, so that a fork is a clean process.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

_SETTINGS = (
    *("ACCOUNT_NAME", "SIM_URL", "CRASHPOINT", "CLOCK", "REDIS_URL", "TRADING_MODE"),
    "SECRET_KEY",
)
Actors = dict[str, Callable[..., None]]


def main() -> None:
    """Serve until standard input ends."""
    actors = _load()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them: no zombies
    _tell({"event": "listening"})
    for line in sys.stdin:
        job = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _be(job, actors)
        _tell({"pid": pid})


def _load() -> Actors:
    """Load Django and what actors need, once for all children."""
    import django

    django.setup()
    from django.core.management import load_command_class

    from tests.faults.actors import ACTORS

    for command in ("guard", "stream_user_data"):
        load_command_class("execution", command)
    return ACTORS


def _tell(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _be(job: dict[str, Any], actors: Actors) -> None:
    """Be the process that the job describes; never return."""
    from django.core.management import call_command

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    status = 1
    try:
        log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        _configure(job["environment"])
        if job["actor"] in actors:
            actors[job["actor"]](*job["arguments"])
        else:
            call_command(job["actor"], *job["arguments"])
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _configure(environment: dict[str, str]) -> None:
    """Read the environment anew, as a process that starts with it would."""
    from django.conf import settings

    os.environ.update(environment)
    for name in _SETTINGS:
        if name in environment:
            setattr(settings, name, environment[name])
    if "DATABASE_PORT" in environment:
        from django.db import connection

        connection.settings_dict["HOST"] = "127.0.0.1"
        connection.settings_dict["PORT"] = environment["DATABASE_PORT"]


if __name__ == "__main__":
    main()

"""Copies of the database, and a copy brought back beside the real one."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from django.db.backends.base.base import BaseDatabaseWrapper

from core.errors import NeedsOperator

_SQLITE_FILE = "database.sqlite3"
_POSTGRES_FILE = "database.dump"


def dump(connection: BaseDatabaseWrapper, folder: Path) -> Path:
    """Write a consistent copy of the whole database while the system goes on; return its file.

    Raises:
        NeedsOperator: A program is missing or said no; the message has its words.
    """
    if connection.vendor == "sqlite":
        return _copy_sqlite(str(connection.settings_dict["NAME"]), folder / _SQLITE_FILE)
    target = folder / _POSTGRES_FILE
    _run(
        ["pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={target}"],
        connection.settings_dict,
    )
    return target


@contextlib.contextmanager
def restored(connection: BaseDatabaseWrapper, folder: Path) -> Iterator[str]:
    """Bring a copy back as a database of its own and yield its ``DATABASE_URL``; then drop it.

    The real database is not touched.

    Raises:
        NeedsOperator: The copy is of another kind of database, or cannot be restored.
    """
    expected = folder / (_SQLITE_FILE if connection.vendor == "sqlite" else _POSTGRES_FILE)
    if not expected.is_file():
        raise NeedsOperator(
            f"{folder} holds no {expected.name}: it was made on another kind of database than "
            f"DATABASE_URL names ({connection.vendor})."
        )
    if connection.vendor == "sqlite":
        scratch = folder.parent / f".drill-{uuid4().hex}.sqlite3"
        try:
            yield f"sqlite:///{_copy_sqlite(str(expected), scratch)}"
        finally:
            for suffix in ("", "-wal", "-shm"):
                scratch.with_name(scratch.name + suffix).unlink(missing_ok=True)
        return
    with _scratch_postgres(connection) as (settings, url):
        into = f"--dbname={settings['NAME']}"
        _run(
            ["pg_restore", "--exit-on-error", "--no-owner", "--no-privileges", into, str(expected)],
            settings,
        )
        yield url


def _copy_sqlite(source: str, target: Path) -> Path:
    """Copy page by page, as SQLite itself offers it: readers and writers go on meanwhile."""
    with (
        contextlib.closing(sqlite3.connect(f"file:{quote(source)}?mode=ro", uri=True)) as reader,
        contextlib.closing(sqlite3.connect(target)) as writer,
    ):
        reader.backup(writer)
        # One file: no log beside it that could get lost.
        writer.execute("PRAGMA journal_mode=DELETE")
        (verdict,) = writer.execute("PRAGMA integrity_check").fetchone()
    if verdict != "ok":
        raise NeedsOperator(f"The copy of {source} is damaged: {verdict}")
    return target


@contextlib.contextmanager
def _scratch_postgres(connection: BaseDatabaseWrapper) -> Iterator[tuple[dict[str, Any], str]]:
    name = f"restore_drill_{uuid4().hex[:12]}"
    settings = {**connection.settings_dict, "NAME": name}
    # CREATE DATABASE cannot run inside a transaction: Django's connection is in autocommit here.
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}"')
    try:
        login = quote(settings["USER"], safe="") + ":" + quote(settings["PASSWORD"], safe="")
        host = quote(settings["HOST"], safe="")
        port = f":{settings['PORT']}" if settings["PORT"] else ""
        yield settings, f"postgres://{login}@{host}{port}/{name}"
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _run(command: list[str], settings: Mapping[str, Any]) -> None:
    program = shutil.which(command[0])
    if program is None:
        raise NeedsOperator(
            f"{command[0]} is not on the path; install PostgreSQL's client programs "
            "(Debian, Ubuntu: apt install postgresql-client)."
        )
    login = {
        "PGHOST": settings["HOST"],
        "PGPORT": str(settings["PORT"]),
        "PGUSER": settings["USER"],
        "PGPASSWORD": settings["PASSWORD"],
        "PGDATABASE": settings["NAME"],
    }
    done = subprocess.run(  # noqa: S603 - PostgreSQL's own program, no shell
        [program, *command[1:]],
        env={**os.environ, **{name: value for name, value in login.items() if value}},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise NeedsOperator(f"{command[0]} failed: {done.stderr.strip()[-1000:]}")

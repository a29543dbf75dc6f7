"""Lift the protection of append-only tables while a test's rows are cleaned away."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from core import append_only


@contextmanager
def unlocked() -> Iterator[None]:
    """Allow changes to every append-only table inside the block."""
    tables = _protected_tables()
    for table in tables:
        append_only.unprotect(connection, table)
    try:
        yield
    finally:
        for table in tables:
            append_only.protect(connection, table)


def _protected_tables() -> list[str]:
    query = (
        "SELECT DISTINCT event_object_table FROM information_schema.triggers"
        " WHERE trigger_name LIKE '%_append_only_%'"
        if connection.vendor == "postgresql"
        else "SELECT DISTINCT tbl_name FROM sqlite_master"
        " WHERE type = 'trigger' AND name LIKE '%_append_only_%'"
    )
    with connection.cursor() as cursor:
        cursor.execute(query)
        return [row[0] for row in cursor.fetchall()]

"""The last moment before the bytes leave: a sender's stretch that a kill waits for.

The kill switch is read once more inside the stretch. A kill commits first and then waits until no
sender is inside: whoever read the old state has let its request go by then (and is on record as
SENDING), whoever enters later reads the new one. A stuck sender never delays a kill for more than
50 ms. On PostgreSQL an advisory lock, on SQLite a lock on a file beside the database.
"""

import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Iterator

from django.db import DatabaseError, OperationalError, connection, transaction

from risk.domain.trading_state import StateTable
from risk.services.state_rows import SELECT, to_table

logger = logging.getLogger(__name__)

LIMIT_MS = 50
# Namespace of our advisory locks ("risk" as four bytes), and a key that is no account's.
_LOCK = (0x7269736B, -1)
_POLL_S = 0.002


@contextlib.contextmanager
def sending() -> Iterator[StateTable]:
    """Be a sender while the block runs; any number may be inside at once.

    Yields:
        The kill switches as they are now that a kill waits for this sender.
    """
    if connection.vendor == "postgresql":
        try:
            # One message, two statements: the second sees what was committed before the lock.
            yield _read(f"SELECT pg_advisory_lock_shared({_LOCK[0]}, {_LOCK[1]}); {SELECT}")
        finally:
            _unlock()
        return
    with _open_file() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield _read(SELECT)


def _read(sql: str) -> StateTable:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return to_table(cursor.fetchall())


def _unlock() -> None:
    """Release; a connection that broke meanwhile has released it already."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock_shared(%s, %s)", _LOCK)
    except DatabaseError as error:
        logger.warning("senders.unlock_failed error=%s", error)


def wait_for_senders() -> bool:
    """Wait until no sender is inside; return False when one still is after 50 ms."""
    is_clear = _wait_file() if connection.vendor == "sqlite" else _wait_postgresql()
    if not is_clear:
        logger.warning("senders.still_inside after_ms=%s", LIMIT_MS)
    return is_clear


def _wait_postgresql() -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {LIMIT_MS}")
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", _LOCK)
    except OperationalError:
        return False
    return True


def _wait_file() -> bool:
    deadline = time.monotonic() + LIMIT_MS / 1000
    with _open_file() as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    return False
                time.sleep(_POLL_S)
            else:
                return True


@contextlib.contextmanager
def _open_file() -> Iterator[int]:
    """Open the lock's file anew: two locks of one process on one opening would be one lock."""
    path = f"{connection.settings_dict['NAME']}-senders"
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield file
    finally:
        os.close(file)

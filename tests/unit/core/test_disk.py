"""Which errors say that nothing can be stored."""

import errno
import sqlite3

import psycopg2
import pytest
from django.db import OperationalError

from core.disk import is_storage_failure


class OfServer(psycopg2.OperationalError):
    """An error with the code that a server gave it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self._code = code

    @property
    def pgcode(self) -> str:
        return self._code


def full_sqlite() -> sqlite3.Error:
    """Return what SQLite itself raises when its file may not grow."""
    with sqlite3.connect(":memory:") as line:
        line.execute("create table t (x)")
        line.execute("pragma max_page_count = 2")
        with pytest.raises(sqlite3.OperationalError) as caught:
            line.execute("insert into t values (zeroblob(100000))")
    line.close()
    return caught.value


def as_django(cause: Exception) -> OperationalError:
    try:
        raise OperationalError(str(cause)) from cause
    except OperationalError as error:
        return error


def test_a_full_database_is_one_also_in_django_s_words() -> None:
    assert is_storage_failure(as_django(full_sqlite()))
    assert is_storage_failure(as_django(OfServer("53100")))
    assert is_storage_failure(as_django(OfServer("58030")))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_so_is_a_file_that_cannot_be_written(number) -> None:
    assert is_storage_failure(OSError(number, "no"))


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(errno.ECONNRESET, "reset"),
        as_django(psycopg2.OperationalError("the connection is closed")),
        as_django(OfServer("40P01")),
        as_django(sqlite3.OperationalError("database is locked")),
        ValueError("no"),
    ],
    ids=str,
)
def test_what_passes_by_itself_is_none(error) -> None:
    assert not is_storage_failure(error)


def test_causes_that_go_in_a_circle_end() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__context__, second.__context__ = second, first

    assert not is_storage_failure(first)

"""Telling an error of the storage from all others."""

import errno
import sqlite3
from collections.abc import Iterator

_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})
_SQLITE_CODES = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
# PostgreSQL: disk_full and io_error.
_SQLSTATES = frozenset({"53100", "58030"})


def is_storage_failure(error: BaseException) -> bool:
    """Tell whether something could not be stored: no space left, or a disk that fails."""
    return any(_says_so(each) for each in _causes(error))


def _says_so(error: BaseException) -> bool:
    if isinstance(error, sqlite3.Error):
        # The extended code has more in its upper bytes.
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in _SQLITE_CODES
    if isinstance(error, OSError):
        return error.errno in _ERRNOS
    return getattr(error, "pgcode", None) in _SQLSTATES


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__

"""A write that found no room closes the door, though the level cannot be stored just then.

The process that met it remembers it. Before anything else of that process leaves, the level is
raised; as long as that fails, nothing leaves.
"""

import logging
from datetime import datetime

from core.crashpoints import crashpoint
from core.disk import is_storage_failure
from risk.domain.trading_state import Level
from risk.services.trading_state import raise_level

logger = logging.getLogger(__name__)

_failure = ""


def note_failure(error: BaseException) -> bool:
    """Remember an error if it is the storage's; return whether it is."""
    global _failure  # noqa: PLW0603 - one memory per process
    if not is_storage_failure(error):
        return False
    if not _failure:
        logger.critical("storage.failed, nothing is sent until that is on record: %s", error)
    _failure = f"a write failed: {error}"
    crashpoint("storage.noted")
    return True


def halt_if_failed(*, now: datetime) -> bool:
    """Raise HALT for what was noted in this process; return whether there was anything.

    Raises:
        DatabaseError: It cannot be stored yet.
    """
    global _failure  # noqa: PLW0603 - as above
    if not _failure:
        return False
    raise_level(level=Level.HALT, reason=_failure, actor="auto:storage", now=now)
    _failure = ""
    return True

"""Do side work once the data it speaks of is really there."""

from collections.abc import Callable
from typing import Any

from django.db import transaction


def run_after_commit(work: Callable[[], Any]) -> None:
    """Call `work` after the present transaction commits; at once when there is none.

    Unlike Django's own ``on_commit`` it opens no connection, so that it also serves coroutines
    and a process whose database is down. What `work` raises is logged, not passed on.
    """
    if transaction.get_connection().in_atomic_block:
        transaction.on_commit(work, robust=True)
    else:
        work()

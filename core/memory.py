"""A cap on the memory of one piece of work: it fails alone instead of starving the others."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

logger = logging.getLogger(__name__)

_MB = 1024 * 1024


@contextmanager
def memory_cap(megabytes: int) -> Iterator[None]:
    """Let this process have so much more memory than it holds now; beyond, ``MemoryError``.

    Only Linux counts what is really written to (since 4.7); elsewhere nothing is capped.

    Args:
        megabytes: Above 0.
    """
    if megabytes <= 0:
        raise ValueError(f"megabytes must be above 0, was {megabytes}")
    if not sys.platform.startswith("linux"):
        logger.info("memory.not_capped platform=%s", sys.platform)
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    held = psutil.Process().memory_info().data
    wanted = held + megabytes * _MB
    if before[1] != resource.RLIM_INFINITY:
        wanted = min(wanted, before[1])
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)

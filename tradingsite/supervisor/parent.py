"""Who is whose parent, by the kernel's own means (Linux)."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def die_with_parent() -> None:
    """Have the kernel end this process when its parent is killed without a word."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def become_child_of(pid: int) -> None:
    """End with the process `pid`, which must have adopted this one by now."""
    die_with_parent()
    if os.getppid() != pid:
        os._exit(1)  # it is gone: nobody would watch us


def _prctl(option: int, argument: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")


IS_LINUX = sys.platform == "linux"

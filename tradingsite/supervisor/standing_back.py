"""Standing back for the processor: a training must not delay an order."""

import os
from pathlib import Path

from tradingsite.supervisor.parent import IS_LINUX

_LOWEST = 19
# Where the kernel shares the processor between sessions, niceness counts only within one of them.
_SESSION = Path("/proc/self/autogroup")


def stand_back() -> None:
    """Use only what the others leave of the processors, with all that this process starts.

    On Linux such work does not keep a core from counting as idle, so that who wakes up is sent
    there and goes first; elsewhere it is the lowest priority. The leader of a session takes the
    session along.
    """
    os.nice(_LOWEST)
    if not IS_LINUX:
        return
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    if _SESSION.exists() and os.getsid(0) == os.getpid():
        _SESSION.write_text(str(_LOWEST))

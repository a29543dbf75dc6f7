"""Named places where a test may end the process, as a power cut would.

Inert unless the environment names one: a comparison with an empty text. ``CRASHPOINT=NAME`` sends
SIGKILL to the process when it gets there, ``CRASHPOINT=stop:NAME`` SIGSTOP (it hangs until
SIGCONT). A system check refuses the setting outside of demo and paper mode.
"""

import os
import signal
import threading

from django.conf import settings


def crashpoint(name: str) -> None:
    """End or stop this process here if the environment asks for it; else do nothing."""
    wanted = settings.CRASHPOINT
    if not wanted:
        return
    if wanted == name:
        os.kill(os.getpid(), signal.SIGKILL)
    elif wanted == f"stop:{name}":
        settings.CRASHPOINT = ""  # once: after SIGCONT the process goes on
        # To this thread: a process's signal goes to its main thread first, and this one would run
        # on (through the commit that the test wants to be before) until that one is scheduled.
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

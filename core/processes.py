"""Which process this is, so that others on this machine can tell whether it still lives."""

import os
import socket

import psutil


def own_identity() -> str:
    """Return host, process id and start: no other process is ever called the same."""
    return f"{socket.gethostname()}:{os.getpid()}:{psutil.Process().create_time():.2f}"


def is_gone(identity: str) -> bool:
    """Tell whether a process of this machine has ended; of another machine nothing is known."""
    host, _, rest = identity.partition(":")
    if host != socket.gethostname() or not rest:
        return False
    number, _, begun = rest.partition(":")
    try:
        process = psutil.Process(int(number))
        return f"{process.create_time():.2f}" != begun or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True

"""Work that must not hold up its caller: one daemon thread behind a bounded queue."""

import atexit
import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from core.redis_client import Throttle

logger = logging.getLogger(__name__)

Item = TypeVar("Item")


class BackgroundQueue(Generic[Item]):
    """Hands items to `handler` on a thread of its own, in order.

    ``put`` takes microseconds and never raises: when the queue is full, or the handler fails,
    the item is dropped with one warning per minute. The thread starts at first use and starts
    anew in a forked child. At exit what is queued gets `drain_s` seconds.
    """

    def __init__(
        self,
        name: str,
        handler: Callable[[Item], None],
        *,
        maxsize: int = 10_000,
        drain_s: float = 1.0,
    ) -> None:
        self._name = name
        self._handler = handler
        self._maxsize = maxsize
        self._drain_s = drain_s
        self._lock = threading.Lock()
        self._warnings = Throttle()
        self._pid: int | None = None
        self._queue: queue.Queue[Item] = queue.Queue(maxsize)
        self.dropped = 0
        os.register_at_fork(after_in_child=self._forget_parent)

    def put(self, item: Item) -> None:
        """Queue `item`; drop it when the queue is full."""
        if self._pid is None:
            self._start()
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            self._drop("queue full")

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything queued was handled; False when that took too long."""
        deadline = time.monotonic() + timeout_s
        with self._queue.all_tasks_done:
            while self._queue.unfinished_tasks:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return False
                self._queue.all_tasks_done.wait(left_s)
        return True

    def _start(self) -> None:
        with self._lock:
            if self._pid is not None:
                return
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
            atexit.register(self.flush, self._drain_s)
            self._pid = os.getpid()

    def _forget_parent(self) -> None:
        # Locks and threads of the parent mean nothing here, and its items are its own to send.
        self._lock = threading.Lock()
        self._queue = queue.Queue(self._maxsize)
        self._pid = None

    def _run(self) -> None:
        items = self._queue
        while True:
            item = items.get()
            try:
                self._handler(item)
            except Exception as error:
                self._drop(repr(error))
            finally:
                items.task_done()

    def _drop(self, why: str) -> None:
        self.dropped += 1
        if self._warnings.is_due():
            logger.warning("%s.dropped count=%s why=%s", self._name, self.dropped, why)

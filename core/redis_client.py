"""Redis for side matters (health, live pushes): short time-outs, never a reason to stop."""

import logging
import time

import redis
from django.conf import settings

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 0.25
READ_TIMEOUT_S = 0.5
# After a failure nobody waits for the server again until this has passed.
PAUSE_S = 2.0
WARN_EVERY_S = 60.0

_pause_until = 0.0
_clients: dict[str, redis.Redis] = {}


class Paused(redis.RedisError):
    """The server failed a moment ago; it is left alone for a while."""


def key(name: str) -> str:
    """Return the key under this system's own prefix."""
    return f"{settings.REDIS_PREFIX}{name}"


def get_client() -> redis.Redis:
    """Return the process's client for ``REDIS_URL``; redis-py reconnects after a fork itself.

    Raises:
        Paused: The server did not answer a moment ago.
    """
    if time.monotonic() < _pause_until:
        raise Paused("Redis did not answer a moment ago")
    url = settings.REDIS_URL
    client = _clients.get(url)
    if client is None:
        client = redis.Redis.from_url(
            url,
            decode_responses=True,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            socket_timeout=READ_TIMEOUT_S,
            retry=None,
        )
        _clients[url] = client
    return client


def note_failure() -> None:
    """Leave the server alone for ``PAUSE_S``."""
    global _pause_until  # noqa: PLW0603 - one server, one pause per process
    _pause_until = time.monotonic() + PAUSE_S


class Throttle:
    """Lets one warning through per period, however often something fails."""

    def __init__(self, every_s: float = WARN_EVERY_S) -> None:
        self._every_s = every_s
        self._next = 0.0

    def is_due(self) -> bool:
        """Tell whether to warn now, and count it as done."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._every_s
        return True

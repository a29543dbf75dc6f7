"""The weight budget shared by all our processes, in Redis; without it each knows its own part.

The exchange tells in every reply how much the whole address has used in this minute, so even a
process on its own learns of the others. What must not be missed is a wait that it asks for.
"""

import logging
import time
from urllib.parse import urlsplit

import redis

from core import redis_client
from core.errors import TemporaryExchangeError
from markets.domain.budget import MINUTE_MS, Priority, Usage, wait_ms

logger = logging.getLogger(__name__)

_warnings = redis_client.Throttle()
_KEPT_S = 120
# Retry-After may be missing; the exchange's own window is a minute.
DEFAULT_WAIT_S = 10
# Binance's documents; it holds until the exchange itself has told.
ASSUMED_LIMIT = 6000


class BudgetSpent(TemporaryExchangeError):
    """We do not ask now: the exchange would refuse, and count it. Nothing was sent."""

    code = "RATE_BUDGET"


class RateBudget:
    """What one process knows and shares. Not for two threads at once.

    Args:
        origin: The exchange's address: one budget each.
        limit: Weight per minute that it allows; 0: what it says itself, which any process that
            reads the exchange's rules learns for all.
    """

    def __init__(self, *, origin: str, limit: int = 0) -> None:
        self._name = f"budget:{urlsplit(origin).netloc}"
        self._is_learning = not limit
        self._limit = limit or ASSUMED_LIMIT
        self._learned = 0
        self._known = Usage()

    def require(self, priority: Priority) -> None:
        """Let a request pass, or refuse it before it is sent.

        Raises:
            BudgetSpent: With ``retry_after_s`` in its context.
        """
        now_ms = _now_ms()
        self._known = self._merge(self._read(now_ms))
        left_ms = wait_ms(self._known, priority=priority, limit=self._limit, now_ms=now_ms)
        if left_ms:
            raise BudgetSpent(
                f"The request was held back for {left_ms / 1000:.1f} s: the exchange asked for it,"
                f" or {self._known.used} of {self._limit} weight is used",
                retry_after_s=-(-left_ms // 1000),
                priority=priority.name,
            )

    def quiet_s(self) -> float:
        """Return for how long not even a cancel may be sent; 0 usually."""
        now_ms = _now_ms()
        self._known = self._merge(self._read(now_ms))
        return (
            wait_ms(self._known, priority=Priority.CANCEL, limit=self._limit, now_ms=now_ms) / 1000
        )

    def learn(self, *, used: int | None, http_status: int, retry_after_s: int | None) -> None:
        """Take in what a reply tells of the budget, and share it."""
        now_ms = _now_ms()
        told = Usage(
            minute=now_ms // MINUTE_MS,
            used=used or 0,
            frozen_until_ms=_frozen_until(now_ms, http_status, retry_after_s),
        )
        self._known = self._merge(told)
        self._write(told)

    @property
    def limit(self) -> int:
        """Weight per minute that is reckoned with."""
        return self._limit

    def learn_limit(self, limit: int | None) -> None:
        """Take in the limit that the exchange tells, and share it."""
        if not limit or not self._is_learning:
            return
        self._limit = self._learned = limit
        try:
            redis_client.get_client().zadd(redis_client.key(self._name), {"limit": limit})
        except (redis.RedisError, OSError) as error:
            self._note(error)

    def _merge(self, told: Usage) -> Usage:
        known = self._known
        if told.minute > known.minute:
            used = told.used
        else:
            used = max(told.used, known.used) if told.minute == known.minute else known.used
        return Usage(
            minute=max(told.minute, known.minute),
            used=used,
            frozen_until_ms=max(told.frozen_until_ms, known.frozen_until_ms),
        )

    def _read(self, now_ms: int) -> Usage:
        minute = now_ms // MINUTE_MS
        try:
            scores = redis_client.get_client().zmscore(
                redis_client.key(self._name), [f"used:{minute}", "frozen_until_ms", "limit"]
            )
        except (redis.RedisError, OSError) as error:
            self._note(error)
            return Usage()
        used, frozen, limit = scores
        if limit and self._is_learning:
            self._limit = self._learned = int(limit)
        return Usage(minute=minute, used=int(used or 0), frozen_until_ms=int(frozen or 0))

    def _write(self, told: Usage) -> None:
        """Share it: the highest of what anybody says counts."""
        scores: dict[str, float] = {f"used:{told.minute}": told.used}
        if told.frozen_until_ms:
            scores["frozen_until_ms"] = told.frozen_until_ms
        key = redis_client.key(self._name)
        try:
            with redis_client.get_client().pipeline(transaction=False) as pipeline:
                pipeline.zadd(key, scores, gt=True)
                if self._learned:
                    pipeline.zadd(key, {"limit": self._learned})
                pipeline.zrem(key, f"used:{told.minute - 2}")
                pipeline.expire(key, max(_KEPT_S, _seconds_left(told)))
                pipeline.execute()
        except (redis.RedisError, OSError) as error:
            self._note(error)

    def _note(self, error: Exception) -> None:
        """Go on with what this process knows itself."""
        if isinstance(error, redis_client.Paused):
            return
        redis_client.note_failure()
        if _warnings.is_due():
            logger.warning("rate_budget.not_shared error=%s", error)


def _now_ms() -> int:
    return round(time.time() * 1000)


def _seconds_left(told: Usage) -> int:
    return max(0, told.frozen_until_ms - _now_ms()) // 1000 + 1


def _frozen_until(now_ms: int, http_status: int, retry_after_s: int | None) -> int:
    if http_status not in (418, 429):
        return 0
    return now_ms + (DEFAULT_WAIT_S if retry_after_s is None else retry_after_s) * 1000

"""Heart-beats: what each process last said of itself.

They live in one Redis hash, under wall time and market time. Losing them loses nothing but the
display: a beat that cannot be written is dropped.
"""

import json
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import redis

from core import redis_client
from core.recording.tape import told

logger = logging.getLogger(__name__)

DEFAULT_INTERVAL_S = 10.0
LATE_AFTER_INTERVALS = 2.5
DEAD_AFTER_INTERVALS = 6.0
FORGOTTEN_AFTER_S = 86_400.0
_KEY = "health"
_warnings = redis_client.Throttle()


class ComponentStatus(StrEnum):
    """How a component does, by its own word and by its silence."""

    OK = "OK"
    FAILING = "FAILING"  # it beats, and says that something is wrong
    LATE = "LATE"
    DEAD = "DEAD"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentView:
    """A component as seen now.

    Attributes:
        name: Such as ``worker.orders`` or ``stream.market``.
        age_s: Wall seconds since its last beat.
        status: Its own word while it beats on time, else LATE or DEAD.
        at: Market time of its last beat.
        pid: Its process.
        detail: What it told: counters, lags, the last error.
    """

    name: str
    age_s: float
    status: ComponentStatus
    at: datetime
    pid: int
    detail: dict[str, Any] = field(default_factory=dict)


def beat(
    component: str,
    *,
    now: datetime,
    detail: Mapping[str, Any] | None = None,
    interval_s: float = DEFAULT_INTERVAL_S,
    is_well: bool = True,
) -> None:
    """Say that `component` is alive. Never raises; takes at most half a second.

    Args:
        component: Its name.
        now: Market time.
        detail: Anything JSON can hold; decimals and times become text.
        interval_s: Wall seconds until its next beat; silence is judged by it.
        is_well: False when it runs but cannot do its work.
    """
    try:
        text = json.dumps(
            {
                "wall_s": time.time(),
                "at": now.isoformat(),
                "pid": os.getpid(),
                "interval_s": interval_s,
                "is_well": is_well,
                "detail": dict(detail or {}),
            },
            default=str,
        )
        redis_client.get_client().hset(redis_client.key(_KEY), component, text)
    except redis_client.Paused:
        return
    except (redis.RedisError, OSError) as error:
        redis_client.note_failure()
        if _warnings.is_due():
            logger.warning("health.beat_lost component=%s error=%s", component, error)


def forget(component: str) -> None:
    """Drop a component that ended as it should. Never raises."""
    try:
        redis_client.get_client().hdel(redis_client.key(_KEY), component)
    except (redis.RedisError, OSError):
        redis_client.note_failure()


def list_components(*, now: datetime) -> list[ComponentView]:
    """Return every component that beat within a day, by name; empty while Redis is away.

    Args:
        now: Market time; ages are of the wall, whatever the market's speed.
    """
    wall_s, rows = told("components", _read_rows)
    views = [_view(name, text, wall_s=wall_s, now=now) for name, text in rows.items()]
    return sorted((view for view in views if view is not None), key=lambda view: view.name)


def _read_rows() -> tuple[float, dict[str, str]]:
    wall_s = time.time()
    try:
        rows: dict[str, str] = redis_client.get_client().hgetall(redis_client.key(_KEY))  # type: ignore[assignment]
    except (redis.RedisError, OSError) as error:
        if not isinstance(error, redis_client.Paused):
            redis_client.note_failure()
            logger.warning("health.unreadable error=%s", error)
        return wall_s, {}
    return wall_s, rows


def is_redis_up() -> bool:
    """Tell whether the server answers just now."""
    try:
        return bool(redis_client.get_client().ping())
    except (redis.RedisError, OSError):
        return False


def _view(name: str, text: str, *, wall_s: float, now: datetime) -> ComponentView | None:
    told = json.loads(text)
    age_s = max(0.0, wall_s - told["wall_s"])
    if age_s > FORGOTTEN_AFTER_S:
        return None
    if age_s > DEAD_AFTER_INTERVALS * told["interval_s"]:
        status = ComponentStatus.DEAD
    elif age_s > LATE_AFTER_INTERVALS * told["interval_s"]:
        status = ComponentStatus.LATE
    else:
        status = ComponentStatus.OK if told["is_well"] else ComponentStatus.FAILING
    return ComponentView(
        name=name,
        age_s=round(age_s, 3),
        status=status,
        at=min(datetime.fromisoformat(told["at"]), now),
        pid=told["pid"],
        detail=told["detail"],
    )

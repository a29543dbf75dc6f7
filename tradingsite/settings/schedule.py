"""Beat's schedule. Intervals are market time: an accelerated clock shortens them.

Every entry expires before its next turn, so that a stopped worker does not wake to a queue of
stale nudges.
"""

from typing import Any

from core.clock import parse_clock

_MINUTE = 60.0
_HOUR = 3600.0

# task, seconds between runs, whether the interval is market time (else wall time)
_ENTRIES: tuple[tuple[str, float, bool], ...] = (
    ("core.tick", 10.0, False),
    ("markets.fill_gaps", 5 * _MINUTE, True),
    ("markets.sync_instruments", 6 * _HOUR, True),
    ("mlmodels.score_outcomes", 5 * _MINUTE, True),
    ("mlmodels.watch_models", 60 * _MINUTE, True),
    ("mlmodels.verify_features", 24 * _HOUR, True),
    ("mlmodels.retrain_due", 30 * _MINUTE, True),
    ("execution.reconcile", 1 * _MINUTE, False),
    ("execution.record_equity", 5 * _MINUTE, True),
    ("sentiment.collect", 15 * _MINUTE, True),
    ("sentiment.score", 15 * _MINUTE, True),
    ("pipeline.sweep_backtests", 1 * _MINUTE, False),
    ("pipeline.check_parity", 24 * _HOUR, True),
    ("alerts.deliver_pending", 1 * _MINUTE, False),
)


# Queues whose progress the guardian watches; a training may take longer than any tick.
_WATCHED_QUEUES = ("orders", "pipeline.0")
_QUEUE_TICK_S = 10.0


def beat_schedule(*, clock: str) -> dict[str, dict[str, Any]]:
    """Return the schedule for the given ``CLOCK`` setting; no interval is under 2 s."""
    speed = parse_clock(clock).speed
    schedule = {}
    for task, seconds, is_market_time in _ENTRIES:
        interval_s = max(2.0, seconds / speed) if is_market_time else seconds
        schedule[task] = {
            "task": task,
            "schedule": interval_s,
            "options": {"expires": interval_s},
        }
    for name in _WATCHED_QUEUES:
        schedule[f"core.tick_queue {name}"] = {
            "task": "core.tick_queue",
            "schedule": _QUEUE_TICK_S,
            "kwargs": {"name": name},
            "options": {"expires": _QUEUE_TICK_S, "queue": name},
        }
    return schedule

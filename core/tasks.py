"""Tasks of the ground floor."""

from celery import shared_task

from core import health
from core.clock import get_clock

TICK_S = 10.0


@shared_task(name="core.tick_queue", queue="default")
def tick_queue(*, name: str) -> None:
    """Show that the queue is worked on: beat sent this into it, and its worker did it."""
    health.beat(f"queue.{name}", now=get_clock().now(), interval_s=TICK_S)


@shared_task(name="core.tick", queue="default")
def tick() -> None:
    """Show that the schedule turns: beat sent this, and a worker did it."""
    health.beat("beat", now=get_clock().now(), interval_s=TICK_S)

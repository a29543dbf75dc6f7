"""Write down that a worker stood still; the supervisor, which has no database, calls it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from alerts.services.raising import raise_alert
from core.audit import record
from core.clock import get_clock

ACTOR = "auto:watchdog"


class Command(BaseCommand):
    """One alert and one row of the audit trail, together or not at all."""

    help = (
        "Write down that a worker was started again because its queue stood still. "
        "Example: manage.py record_restart --worker worker-orders --queue orders --stood 120"
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--worker", required=True)
        parser.add_argument("--queue", required=True)
        parser.add_argument("--stood", type=int, required=True, help="wall seconds")
        parser.add_argument("--left-alone", action="store_true", help="restarts did not help")

    def handle(self, *args: Any, **options: Any) -> None:
        worker, is_left = options["worker"], options["left_alone"]
        told = {"queue": options["queue"], "stood_s": options["stood"]}
        what = f"{worker} took nothing from its queue {told['queue']} for {told['stood_s']} s"
        now = get_clock().now()
        with transaction.atomic():
            raise_alert(
                code="WORKER_LEFT_ALONE" if is_left else "WORKER_RESTARTED",
                severity="CRITICAL" if is_left else "ERROR",
                message=f"{what}; restarts do not help, look at its log"
                if is_left
                else f"{what} and was started again",
                context={"worker": worker, **told},
                dedupe_key=f"WORKER:{worker}:{is_left}",
                now=now,
            )
            record(
                actor=ACTOR,
                action="worker.leave" if is_left else "worker.restart",
                subject=f"worker:{worker}",
                after=told,
                reason="its queue stood still",
                now=now,
            )

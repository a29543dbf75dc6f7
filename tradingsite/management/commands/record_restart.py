"""Write down that a process stood still; the supervisor, which has no database, calls it."""

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
        "Write down that a process was started again because it stood still. "
        "Example: manage.py record_restart --process guard --lapse 'ended no round' --stood 120"
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--process", required=True)
        parser.add_argument("--lapse", required=True, help="what it did while it stood still")
        parser.add_argument("--stood", type=int, required=True, help="wall seconds")
        parser.add_argument("--left-alone", action="store_true", help="restarts did not help")

    def handle(self, *args: Any, **options: Any) -> None:
        process, is_left = options["process"], options["left_alone"]
        told = {"lapse": options["lapse"], "stood_s": options["stood"]}
        what = f"{process} {told['lapse']} for {told['stood_s']} s"
        now = get_clock().now()
        with transaction.atomic():
            raise_alert(
                code="PROCESS_LEFT_ALONE" if is_left else "PROCESS_RESTARTED",
                severity="CRITICAL" if is_left else "ERROR",
                message=f"{what}; restarts do not help, look at its log"
                if is_left
                else f"{what} and was started again",
                context={"process": process, **told},
                dedupe_key=f"PROCESS:{process}:{is_left}",
                now=now,
            )
            record(
                actor=ACTOR,
                action="process.leave" if is_left else "process.restart",
                subject=f"process:{process}",
                after=told,
                reason="it stood still",
                now=now,
            )

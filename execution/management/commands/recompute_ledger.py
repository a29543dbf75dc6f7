"""Everything that the ledger makes, computed again and compared with what is stored."""

import json
import sys
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from core.errors import NotFound
from execution.selectors import get_account
from execution.services.recounting import Recounted, Section, recount_account


class Command(BaseCommand):
    """Exit code 1 when any figure differs by as much as the last digit. Writes nothing."""

    help = (
        "Compute balances, positions, profits (average cost and FIFO) and the equity curve from "
        "the ledger's rows alone and compare them with the stored ones. "
        "Example: manage.py recompute_ledger --json"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument(
            "--show", type=int, default=20, help="how many differences to print (default 20)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()
        try:
            account = get_account(settings.ACCOUNT_NAME)
        except NotFound as error:
            self.stderr.write(f"{error.code}: {error.message}; start trading once")
            sys.exit(1)
        result = recount_account(account_id=account.pk)
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(result), indent=2))
        else:
            self._show(result, limit=options["show"])
            count = len(result.findings)
            verdict = f"{count} DIFFER" if count else "EQUAL to the last digit"
            self.stdout.write(f"{verdict} after {time.monotonic() - started:.1f} s")
        if result.findings:
            sys.exit(1)

    def _show(self, result: Recounted, *, limit: int) -> None:
        for name, section in result.sections.items():
            self.stdout.write(f"{name:<32} {section.compared:>9} computed  {_verdict(section)}")
        for finding in result.findings[:limit]:
            self.stdout.write(f"  ! {finding.subject}: {finding.problem}")
        if len(result.findings) > limit:
            self.stdout.write(f"  … and {len(result.findings) - limit} more (--show)")


def _verdict(section: Section) -> str:
    if section.findings:
        return f"{len(section.findings)} DIFFER"
    left = f", {section.not_checked} without a basis" if section.not_checked else ""
    return f"equal{left}"


def _as_json(result: Recounted) -> dict[str, Any]:
    return {
        "equal": not result.findings,
        "sections": {
            name: {
                "computed": section.compared,
                "not_checked": section.not_checked,
                "differences": [
                    {"subject": item.subject, "problem": item.problem} for item in section.findings
                ],
            }
            for name, section in result.sections.items()
        },
    }

"""A day or a period of the desk, for a terminal, a program or a browser."""

import sys
from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.clock import get_clock
from core.errors import NotFound
from tradingsite.reporting.figures import build_report
from tradingsite.reporting.pages import to_html, to_json, to_text

_FORMS = {"text": to_text, "json": to_json, "html": to_html}
_DAY = timedelta(days=1)


def moment(text: str) -> datetime:
    """Read a day or a moment; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(
            f"must be a day or a time such as 2026-11-27 or 2026-11-27T14:00, was {text!r}"
        ) from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


class Command(BaseCommand):
    """Reads only; the same period gives the same figures again."""

    help = (
        "Report a day (today's by default) or a period of the desk: equity, profit by strategy, "
        "symbol and model, fees, slippage, decisions and refusals, model health, incidents, time "
        "without a stop. Example: manage.py report --day 2026-11-26 --format html --output day.html"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--day", type=moment, help="one UTC day; leaves --since and --until")
        parser.add_argument("--since", type=moment, help="start of the period, UTC")
        parser.add_argument("--until", type=moment, help="its end, not part of it; default: now")
        parser.add_argument("--format", choices=sorted(_FORMS), default="text")
        parser.add_argument("--output", type=Path, help="a file; default: the terminal")

    def handle(self, *args: Any, **options: Any) -> None:
        now = get_clock().now()
        since, until = _period(options, now=now)
        try:
            report = build_report(
                account_name=settings.ACCOUNT_NAME, since=since, until=until, now=now
            )
        except NotFound as error:
            fix = "start trading once, or set ACCOUNT_NAME"
            raise CommandError(f"{error.message}; {fix}") from error
        text = _FORMS[options["format"]](report)
        if options["output"] is None:
            self.stdout.write(text)
            return
        try:
            options["output"].write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise CommandError(
                f"--output {options['output']} cannot be written: {error.strerror}"
            ) from error
        sys.stderr.write(f"Wrote {options['output']}\n")


def _period(options: dict[str, Any], *, now: datetime) -> tuple[datetime, datetime]:
    if options["day"] is not None:
        if options["since"] is not None or options["until"] is not None:
            raise CommandError("give --day, or --since and --until, not both")
        start = options["day"].replace(hour=0, minute=0, second=0, microsecond=0)
        return start, start + _DAY
    until = options["until"] or now
    since = options["since"] or until.replace(hour=0, minute=0, second=0, microsecond=0)
    if since >= until:
        raise CommandError(
            f"--since must be before --until, were {since.isoformat()} and {until.isoformat()}"
        )
    return since, until

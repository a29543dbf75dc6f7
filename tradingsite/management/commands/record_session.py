"""The first and the last state of a recorded session; `trade` runs it."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.errors import TradingError
from tradingsite.recording import sessions


class Command(BaseCommand):
    """Nothing may trade while it runs."""

    help = (
        "Keep the database and models that a session begins with, or the rows that it came to. "
        "`manage.py trade` runs it when RECORD_SESSIONS=true. "
        "Example: manage.py record_session begin var/recordings/today"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=["begin", "end"])
        parser.add_argument("folder", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["what"] == "begin":
                sessions.begin(options["folder"])
            else:
                count = sessions.end(options["folder"])
                self.stdout.write(f"recorded in {options['folder']}: {count} rows at its end")
        except (TradingError, OSError) as error:
            raise CommandError(str(error)) from error

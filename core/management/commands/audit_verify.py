"""Check that nobody changed the audit trail."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import audit


class Command(BaseCommand):
    """Walk the chain of hashes; exit 1 when it does not hold."""

    help = (
        "Checks every row of the audit trail against its hash and its predecessor. "
        "Example: manage.py audit_verify"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--contains",
            metavar="SEQUENCE:HASH",
            help="a row noted earlier, which must still be there: no end was cut off",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        known = _parse(options["contains"]) if options["contains"] else None
        problems = 0
        for each in audit.verify():
            problems += 1
            self.stderr.write(f"row {each.sequence}: {each.problem}")
        if known and not audit.contains(*known):
            problems += 1
            self.stderr.write(f"row {known[0]}: the row noted earlier is not there any more")
        sequence, last_hash = audit.head()
        if problems:
            self.stderr.write(f"The audit trail does not hold: {problems} problems.")
            sys.exit(1)
        rows = "1 row" if sequence == 1 else f"{sequence} rows"
        self.stdout.write(f"The audit trail holds: {rows}, last hash {last_hash}.")
        self.stdout.write("Keep the last hash elsewhere: it also proves that no end was cut off.")


def _parse(text: str) -> tuple[int, str]:
    sequence, _, row_hash = text.partition(":")
    if not sequence.isdecimal() or not row_hash:
        raise CommandError(f"--contains must look like 17:3f2a…, was {text!r}")
    return int(sequence), row_hash

"""Check that nobody changed the audit trail."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from core import audit


class Command(BaseCommand):
    """Walk the chain of hashes; exit 1 when it does not hold."""

    help = (
        "Checks every row of the audit trail against its hash and its predecessor. "
        "Example: manage.py audit_verify"
    )

    def handle(self, *args: Any, **options: Any) -> None:
        problems = 0
        for each in audit.verify():
            problems += 1
            self.stderr.write(f"row {each.sequence}: {each.problem}")
        sequence, last_hash = audit.head()
        if problems:
            self.stderr.write(f"The audit trail does not hold: {problems} problems.")
            sys.exit(1)
        rows = "1 row" if sequence == 1 else f"{sequence} rows"
        self.stdout.write(f"The audit trail holds: {rows}, last hash {last_hash}.")
        self.stdout.write("Keep the last hash elsewhere: it also proves that no end was cut off.")

"""``manage.py restore_drill``: prove that a backup can be used, without touching anything."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import connection

from core.errors import TradingError
from core.management.plain_help import PlainHelpCommand
from tradingsite.backups import databases, folder


class Command(PlainHelpCommand):
    """Restore a backup into a scratch database and look at it as the system would."""

    help = """Check every file of a backup by its hash, restore its database beside the real one,
and run our own checks on it: the schema is this version's, the audit trail holds and reaches at
least as far as when the backup was made. The scratch database is dropped afterwards; nothing else
is touched. Exits 1 when the backup cannot be relied on.

examples:
  manage.py restore_drill
  manage.py restore_drill --from /mnt/backups/2026-11-27T034500Z
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--from", dest="source", type=Path, help="default: the newest in DATA_DIR/backups"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()
        try:
            source = options["source"] or folder.newest(settings.DATA_DIR / "backups")
            self._say(f"{source}")
            manifest = folder.read_manifest(source)
            self._say(f"files      {len(manifest['files'])} as they were written")
            with databases.restored(connection, source) as url:
                self._say(f"database   restored in {time.monotonic() - started:.1f} s")
                self._ask(url, "schema", "migrate", "--check")
                head = manifest["audit_head"]
                contains = f"{head['sequence']}:{head['hash']}"
                self._ask(url, "audit", "audit_verify", "--contains", contains)
        except (TradingError, OSError) as error:
            raise CommandError(f"This backup cannot be relied on. {error}") from error
        self._say(f"The backup can be used; the drill took {time.monotonic() - started:.1f} s.")

    def _ask(self, database_url: str, what: str, *command: str) -> None:
        """Run a command of ours on the restored database."""
        done = subprocess.run(  # noqa: S603 - our own command, no shell
            [sys.executable, "manage.py", *command],
            cwd=settings.BASE_DIR,
            env={**os.environ, "DATABASE_URL": database_url},
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            said = (done.stderr + done.stdout).strip()[-1000:]
            raise CommandError(f"{what}: {' '.join(command[:1])} says no.\n{said}")
        self._say(f"{what:<10} holds")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

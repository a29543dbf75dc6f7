"""``manage.py backup``: database, models and key file in one folder, checked by hashes."""

import shutil
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from core import audit
from core.errors import TradingError
from core.management.plain_help import PlainHelpCommand
from tradingsite.backups import databases, folder


class Command(PlainHelpCommand):
    """Copy what cannot be had again; the system goes on meanwhile."""

    help = """Write a backup of the database, the models and the encrypted key file into a folder
named by the time, with the hash of every file. The system may run meanwhile. The key file needs
its MASTER_PASSWORD, which is not in the backup.

examples:
  manage.py backup
  manage.py backup --to /mnt/backups
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--to", type=Path, help="folder; default: DATA_DIR/backups")

    def handle(self, *args: Any, **options: Any) -> None:
        root = options["to"] or settings.DATA_DIR / "backups"
        started = time.monotonic()
        try:
            scratch, target = folder.scratch_for(root, timezone.now())
            try:
                self._write(scratch, target)
            except BaseException:
                shutil.rmtree(scratch, ignore_errors=True)
                raise
        except (TradingError, OSError) as error:
            raise CommandError(f"No backup was made. {error}") from error
        size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
        self.stdout.write(
            f"Backup {target}: {size / 1e6:.1f} MB in {time.monotonic() - started:.1f} s. "
            "Prove that it can be used: manage.py restore_drill"
        )

    def _write(self, scratch: Path, target: Path) -> None:
        # Read before the copy is made: the copy's trail is at least this long.
        sequence, last_hash = audit.head()
        migrations = MigrationRecorder(connection).applied_migrations()
        self._say("database …")
        databases.dump(connection, scratch)
        self._say("models and keys …")
        # A model being written has a name with a dot in front; it is not one yet.
        if settings.MODEL_DIR.is_dir():
            shutil.copytree(
                settings.MODEL_DIR, scratch / "models", ignore=shutil.ignore_patterns(".*")
            )
        if settings.KEY_FILE.is_file():
            shutil.copy2(settings.KEY_FILE, scratch / settings.KEY_FILE.name)
        folder.seal(
            scratch,
            target,
            {
                "created_at": timezone.now().isoformat(),
                "database": connection.vendor,
                "trading_mode": settings.TRADING_MODE.value,
                "audit_head": {"sequence": sequence, "hash": last_hash},
                "migrations": sorted(f"{app}.{name}" for app, name in migrations),
            },
        )

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

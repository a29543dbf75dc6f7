"""A recorded session, run again by today's code: the same decisions, intents and ledger?"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import chain, combinations, islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from core.errors import TradingError
from core.progress import Bar
from core.recording.recorder import VERDICT
from tradingsite.backups import databases
from tradingsite.recording import dumps, sessions

# Nobody listens there: what a replay would say to the broker is for nobody.
_NOWHERE = "redis://127.0.0.1:1/0"
_INSIDE = "inside.json"
_MOST_TRIES = 7


class Command(BaseCommand):
    """Exit code 1 when anything differs, with the first difference."""

    help = (
        "Replay a recorded session through the real code into a fresh database and compare "
        "decisions, orders, requests, trades, ledger, positions and balances row by row. "
        "Example: manage.py replay_session (the newest), or manage.py replay_session FOLDER"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, nargs="?", help="default: the newest recording")
        parser.add_argument("--inside", type=Path, help="set by the command itself")
        parser.add_argument("--lost", default="", help="set by the command itself")

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()
        try:
            folder = options["folder"] or sessions.newest(settings.DATA_DIR / "recordings")
            if folder is None:
                raise CommandError(
                    "There is no recording yet: set RECORD_SESSIONS=true and run `manage.py trade`"
                )
            if options["inside"]:
                _replay(folder, lost=options["lost"].split(","), into=options["inside"])
                return
            verdict = self._judge(folder.resolve())
        except (TradingError, OSError) as error:
            raise CommandError(str(error)) from error
        self._show(verdict, seconds=time.monotonic() - started)
        if not verdict["is_identical"]:
            sys.exit(1)

    def _judge(self, folder: Path) -> dict[str, Any]:
        """Replay; where a process was killed while it committed, try both, and keep the verdict."""
        self.stdout.write(f"{folder}")
        first = verdict = self._outside(folder, lost=())
        for lost in _assumptions(first["in_doubt"]):
            if verdict["is_identical"]:
                break
            verdict = self._outside(folder, lost=lost)
        verdict = verdict if verdict["is_identical"] else first
        (folder / VERDICT).write_text(json.dumps(verdict, indent=2) + "\n")
        return verdict

    def _outside(self, folder: Path, *, lost: Sequence[str]) -> dict[str, Any]:
        """Restore the first state beside everything and run the replay there."""
        manifest = sessions.read_manifest(folder)
        with tempfile.TemporaryDirectory(prefix="replay-") as scratch:
            data = Path(scratch)
            (data / "models").symlink_to(folder / sessions.MODELS)
            with _fresh_database(manifest["vendor"], folder / sessions.BEGIN, data) as url:
                environment = {
                    **os.environ,
                    **manifest["environment"],
                    "DATABASE_URL": url,
                    "DATA_DIR": str(data),
                    "REDIS_URL": _NOWHERE,
                    "RECORD_INTO": "",
                    "ENV_FILE": "",
                    "BINANCE_API_KEY": "replayed",
                    "BINANCE_API_SECRET": "replayed",
                    "LOG_LEVEL": "ERROR",
                }
                command = [
                    *("replay_session", str(folder)),
                    *("--inside", str(data / _INSIDE), "--lost", ",".join(lost)),
                ]
                done = subprocess.run(  # noqa: S603 - our own command, no shell
                    [sys.executable, "manage.py", *command],
                    cwd=settings.BASE_DIR,
                    env=environment,
                    check=False,
                )
                if done.returncode:
                    raise CommandError(f"the replay ended with status {done.returncode}")
            found: dict[str, Any] = json.loads((data / _INSIDE).read_text())
            return {**_compare(folder, found, data / "replayed.rows.gz"), "lost": list(lost)}

    def _show(self, verdict: dict[str, Any], *, seconds: float) -> None:
        self.stdout.write(
            f"{verdict['steps']} steps, {verdict['frames']} raw messages beside them, "
            f"{verdict['rows']} rows the same"
        )
        for name in verdict["torn"]:
            self.stdout.write(f"  torn tail: {name} (its process was killed)")
        for step in verdict["lost"]:
            self.stdout.write(f"  step {step} was killed while it committed, and had not")
        if verdict["late"]:
            self.stdout.write(f"  {verdict['late']} steps went on without waiting for their turn")
        if verdict["compared_with"] != sessions.END:
            self.stdout.write("  compared with the database as it is now: the session has no end")
        if verdict["is_identical"]:
            self.stdout.write(f"IDENTICAL after {seconds:.1f} s")
            return
        first = verdict["first_difference"]
        self.stdout.write(f"DIFFERENT after {seconds:.1f} s, first in {first['where']}:")
        self.stdout.write(f"  {first['kind']}")
        self.stdout.write(f"  recorded {first['recorded']}")
        self.stdout.write(f"  replayed {first['replayed']}")


def _assumptions(in_doubt: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield which of the commits in doubt may not have happened, the likeliest first."""
    subsets = chain.from_iterable(
        combinations(in_doubt, size) for size in range(1, len(in_doubt) + 1)
    )
    return islice(subsets, _MOST_TRIES)


def _replay(folder: Path, *, lost: Sequence[str], into: Path) -> None:
    """Run inside the fresh database; write what came of it."""
    from tradingsite.management.replaying import replay

    with Bar(label="replay") as bar:
        found = replay(folder, lost=lost, progress=bar.show)
    dumps.write(into.with_name("replayed.rows.gz"))
    into.write_text(json.dumps(asdict(found), default=str))


def _compare(folder: Path, found: dict[str, Any], replayed: Path) -> dict[str, Any]:
    has_end = (folder / sessions.END).exists()
    recorded = dumps.read(folder / sessions.END) if has_end else dumps.list_lines()
    first = found.pop("divergence")
    rows, row = dumps.compare(recorded, dumps.read(replayed))
    if first is None and row is not None:
        where = " ".join(part for part in (row.table, row.row, row.column) if part)
        first = {
            "kind": "ROW",
            "where": where,
            "recorded": row.recorded,
            "replayed": row.replayed,
        }
    return {
        **found,
        "rows": rows,
        "compared_with": sessions.END if has_end else "the database",
        "is_identical": first is None,
        "first_difference": first,
    }


@contextlib.contextmanager
def _fresh_database(vendor: str, begin: Path, scratch: Path) -> Any:
    if vendor == "sqlite":
        target = scratch / "fresh.sqlite3"
        target.write_bytes((begin / "database.sqlite3").read_bytes())
        yield f"sqlite:///{target}"
        return
    with databases.restored(connection, begin) as url:
        yield url

"""Storing history on SQLite: our way and Django's own upsert, the same rows in turns."""

from pathlib import Path

from bench import system
from bench.sections import backfill


def measure(folder: Path) -> dict[str, float]:
    """Measure on a new SQLite file."""
    system.set_up(folder)
    fresh, again, django = backfill.run()
    return {
        "backfill_sqlite_rows_per_s": fresh,
        "backfill_sqlite_again_rows_per_s": again,
        "django_upsert_sqlite_rows_per_s": django,
    }

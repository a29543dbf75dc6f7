"""How fast it is told why something was decided, on SQLite."""

from pathlib import Path

from bench.sections import why


def measure(folder: Path) -> dict[str, float]:
    """Measure on a new SQLite file."""
    return why.ask(folder, "why_sqlite", on_postgres=False)

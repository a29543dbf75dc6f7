"""The rows of the kill switches, always from the database and never from a cache."""

from collections.abc import Iterable

from risk.domain.trading_state import Level, StateTable, StateView

SELECT = "SELECT scope, level, epoch, is_running FROM trading_state"


def to_table(rows: Iterable[tuple[str, str, int, bool]]) -> StateTable:
    """Return what `SELECT` found."""
    return StateTable(
        views={
            scope: StateView(level=Level(level), epoch=epoch, is_running=bool(is_running))
            for scope, level, epoch, is_running in rows
        }
    )

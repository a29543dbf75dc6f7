"""Writing many rows with one statement."""

from collections.abc import Iterable, Sequence

from django.db.models import Model


def update_rows(rows: Iterable[Model], fields: Sequence[str]) -> None:
    """Write `fields` of rows that exist, with one statement however many there are.

    The caller holds the rows (``select_for_update``, or SQLite's one writer). An upsert on the
    key is several times faster than ``bulk_update`` with its CASE for every value.
    """
    batch = list(rows)
    if batch:
        type(batch[0])._default_manager.bulk_create(
            batch, update_conflicts=True, unique_fields=["id"], update_fields=list(fields)
        )

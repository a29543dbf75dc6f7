"""The optimiser's memory in our own database: any worker on any machine goes on from it.

Optuna's own tables would need its migrations beside ours and locks that SQLite does not have; its
journal is a list of lines, and a list of lines is one table.
"""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from optuna.storages.journal import BaseJournalBackend

from mlmodels.models import Search, SearchEntry


class SearchJournal(BaseJournalBackend):
    """The lines of one search, in one order for all who read them."""

    def __init__(self, search_id: int) -> None:
        self._search_id = search_id

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        rows = SearchEntry.objects.filter(search_id=self._search_id, number__gte=log_number_from)
        return list(rows.order_by("number").values_list("entry", flat=True))

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Number and write the lines while the search's row is locked."""
        with transaction.atomic():
            Search.objects.select_for_update().get(pk=self._search_id)
            # Without a lock to take, SQLite lets one writer in at a time.
            number = SearchEntry.objects.filter(search_id=self._search_id).count()
            SearchEntry.objects.bulk_create(
                SearchEntry(search_id=self._search_id, number=number + place, entry=entry)
                for place, entry in enumerate(logs)
            )

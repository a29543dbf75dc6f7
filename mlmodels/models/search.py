"""Searches for better configurations, and what their optimiser remembers."""

from django.db import models

from mlmodels.domain.lifecycle import SearchStatus


class Search(models.Model):
    """One search over features, labels, models and decisions. Written by ``start_search``.

    RUNNING until its trials are judged and its report is written, by whichever worker is last; a
    search whose workers died stays RUNNING and is taken up again. Never deleted.
    """

    scope = models.CharField(max_length=16, help_text="The timeframe")
    instrument_ids = models.JSONField(default=list)
    until = models.DateTimeField(help_text="No trial sees a candle after this")
    wanted = models.PositiveIntegerField(help_text="Trials")
    recipes = models.JSONField(default=list)
    horizons = models.JSONField(default=list, help_text="Candles ahead to choose from")
    cost_bps = models.FloatField(default=20.0, help_text="Round trip that acting is charged")
    seed = models.PositiveIntegerField(default=1)
    status = models.CharField(
        max_length=12,
        choices=[(s.value, s.value) for s in SearchStatus],
        default=SearchStatus.RUNNING,
    )
    report = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    actor = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    touched_at = models.DateTimeField(help_text="When a worker last took or ended a trial")
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "model_searches"
        verbose_name_plural = "searches"
        constraints = [
            models.CheckConstraint(condition=models.Q(wanted__gte=2), name="search_wanted"),
        ]

    def __str__(self) -> str:
        return f"search {self.pk} of {self.scope}"


class SearchEntry(models.Model):
    """One line of an optimiser's journal: what it proposed, and what it was told.

    Written by whichever worker holds the search's row; the number is the order for all of them.
    """

    search = models.ForeignKey(Search, on_delete=models.PROTECT, related_name="entries")
    number = models.PositiveIntegerField()
    entry = models.JSONField()

    class Meta:
        db_table = "model_search_entries"
        verbose_name_plural = "search entries"
        constraints = [
            models.UniqueConstraint(fields=["search", "number"], name="search_entry_once"),
        ]

    def __str__(self) -> str:
        return f"{self.search_id}/{self.number}"

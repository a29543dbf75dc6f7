"""Backtests: what was asked, how far it is, what it found."""

from django.db import models


class Backtest(models.Model):
    """One backtest from its request to its report.

    Written by the services in ``backtests``; a finished one is never changed. Its rows are also the
    ledger of trials: the more were run on the same candles, the less a good one proves.
    """

    class State(models.TextChoices):
        QUEUED = "QUEUED"
        RUNNING = "RUNNING"
        DONE = "DONE"
        FAILED = "FAILED"

    request = models.JSONField(help_text="What was asked for, defaults filled in")
    symbols = models.CharField(max_length=1200, help_text="Comma-separated, sorted")
    interval = models.CharField(max_length=4)
    strategy = models.CharField(max_length=128)
    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    progress = models.FloatField(default=0.0, help_text="Fraction of the present stage")
    stage = models.CharField(max_length=64, blank=True)
    # The report's first line, its figures, and the whole of it.
    verdict = models.CharField(max_length=16, blank=True)
    verdict_text = models.CharField(max_length=400, blank=True)
    summary = models.JSONField(default=dict)
    report = models.JSONField(default=dict)
    error = models.CharField(max_length=2000, blank=True)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "backtests"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(progress__gte=0.0, progress__lte=1.0),
                name="backtest_progress_fraction",
            ),
        ]
        indexes = [
            # the API's and the desk's newest-first lists
            models.Index(fields=["-created_at", "-id"], name="backtest_newest"),
            # how many trials the same candles have seen
            models.Index(fields=["symbols", "interval"], name="backtest_trials"),
        ]

    def __str__(self) -> str:
        return f"{self.strategy} {self.symbols} {self.interval} #{self.pk}"

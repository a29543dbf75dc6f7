"""Training runs: what was tried, on which data, and how it ended."""

from django.db import models

from mlmodels.domain.lifecycle import RunStatus


class TrainingRun(models.Model):
    """One attempt to train a model for a scope. Written by ``train_model``; never deleted.

    RUNNING until it succeeds or fails. While it runs it holds its scope, until its process is gone
    or, on another machine, until the lease is over: a killed worker must not block training.
    """

    scope = models.CharField(max_length=16, help_text="The timeframe that is predicted")
    recipe = models.CharField(max_length=64)
    horizon_bars = models.PositiveSmallIntegerField()
    instrument_ids = models.JSONField(default=list)
    trigger = models.CharField(max_length=32)
    seed = models.PositiveIntegerField()
    status = models.CharField(
        max_length=12, choices=[(s.value, s.value) for s in RunStatus], default=RunStatus.RUNNING
    )
    # What makes the run repeatable: the candles' hash, the features' hash, the libraries.
    data_sha256 = models.CharField(max_length=64, blank=True)
    spec_hash = models.CharField(max_length=64, blank=True)
    libraries = models.JSONField(default=dict)
    rows = models.PositiveIntegerField(default=0)
    duration_s = models.FloatField(null=True, help_text="On the wall")
    error = models.TextField(blank=True)
    # What a change of the candles is told by.
    data_from = models.DateTimeField(null=True, help_text="The oldest candle it may have seen")
    revisions = models.PositiveIntegerField(
        null=True, help_text="How often its candles had been revised by then"
    )
    worker = models.CharField(max_length=96, blank=True, help_text="host:process:start of it")
    started_at = models.DateTimeField()
    lease_until = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "training_runs"
        constraints = [
            models.UniqueConstraint(
                fields=["scope"],
                name="training_one_at_a_time",
                condition=models.Q(status="RUNNING"),
            ),
        ]
        indexes = [
            # retrain_due asks for the newest run of a scope
            models.Index(fields=["scope", "-started_at"], name="training_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.recipe} {self.scope} {self.started_at:%Y-%m-%d %H:%M} {self.status}"

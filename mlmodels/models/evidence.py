"""Evidence: what was asked of models, tried, noticed and decided. Rows are never changed."""

from django.db import models

from mlmodels.domain.alarms import EventOutcome, Trigger


class GateResult(models.Model):
    """One question to a trained version, and the answer. Written with the version."""

    version = models.ForeignKey(
        "mlmodels.ModelVersion", on_delete=models.PROTECT, related_name="gates"
    )
    name = models.CharField(max_length=48)
    number = models.FloatField(null=True, help_text="NULL: could not be measured")
    needed = models.CharField(max_length=64)
    is_passed = models.BooleanField()

    class Meta:
        db_table = "model_gates"
        constraints = [
            models.UniqueConstraint(fields=["version", "name"], name="gate_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {'passed' if self.is_passed else 'failed'}"


class Trial(models.Model):
    """One evaluated configuration, promoted or not: the more were tried, the luckier the best.

    Written by trainings and searches, and kept for ever.
    """

    scope = models.CharField(max_length=16)
    recipe = models.CharField(max_length=64)
    horizon_bars = models.PositiveSmallIntegerField()
    # Everything that was chosen: label, features' hash, parameters, seed.
    choice = models.JSONField(default=dict)
    data_sha256 = models.CharField(max_length=64)
    verdict = models.CharField(max_length=12)
    ic = models.FloatField(null=True)
    ic_t = models.FloatField(null=True)
    brier_skill = models.FloatField(null=True)
    sharpe = models.FloatField(null=True, help_text="Per label, of acting on it, after costs")
    run = models.ForeignKey(
        "mlmodels.TrainingRun", on_delete=models.PROTECT, null=True, related_name="trials"
    )
    # Of a search's trial: what it was worth to the search, and by blocks of time.
    search = models.ForeignKey(
        "mlmodels.Search", on_delete=models.PROTECT, null=True, related_name="trials"
    )
    search_number = models.PositiveIntegerField(null=True)
    score = models.FloatField(null=True, help_text="t of the net return per close")
    # [[closes, sum, sum of squares of net returns], …], the same blocks in the whole search
    blocks = models.JSONField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "model_trials"
        constraints = [
            models.UniqueConstraint(fields=["search", "search_number"], name="search_trial_once"),
        ]

    def __str__(self) -> str:
        return f"{self.recipe} {self.scope} {self.verdict}"


class RetrainEvent(models.Model):
    """One alarm that asked for training, and what was done. Written by ``retrain_due`` and kept."""

    scope = models.CharField(max_length=16)
    trigger = models.CharField(max_length=16, choices=[(t.value, t.value) for t in Trigger])
    outcome = models.CharField(max_length=12, choices=[(o.value, o.value) for o in EventOutcome])
    evidence = models.JSONField(default=dict)
    version = models.ForeignKey(
        "mlmodels.ModelVersion", on_delete=models.PROTECT, null=True, related_name="alarms"
    )
    created_at = models.DateTimeField()

    class Meta:
        db_table = "retrain_events"
        indexes = [
            # the newest alarms of a scope
            models.Index(fields=["scope", "-created_at"], name="retrain_event_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.trigger} {self.scope} {self.outcome}"


class RollingMetric(models.Model):
    """How the newest resolved predictions of a version did. Written by ``watch_models``.

    One row per version, symbol (NULL: all) and regime at a moment; undefined figures are NULL.
    """

    version = models.ForeignKey(
        "mlmodels.ModelVersion", on_delete=models.PROTECT, related_name="rolling"
    )
    instrument = models.ForeignKey(
        "markets.Instrument", on_delete=models.PROTECT, null=True, related_name="+"
    )
    regime = models.CharField(max_length=8, help_text="ALL, CALM or WILD")
    at = models.DateTimeField()
    rows = models.PositiveIntegerField()
    ic = models.FloatField(null=True)
    ic_t = models.FloatField(null=True)
    brier_skill = models.FloatField(null=True)
    calibration_slope = models.FloatField(null=True)
    calibration_error = models.FloatField(null=True)
    coverage = models.FloatField(null=True)
    mean_absolute_error = models.FloatField(null=True)
    baseline_error = models.FloatField(null=True, help_text="Of expecting no return at all")

    class Meta:
        db_table = "rolling_metrics"
        indexes = [
            # the newest figures of a version
            models.Index(fields=["version", "-at"], name="rolling_newest"),
        ]

    def __str__(self) -> str:
        return f"version {self.version_id} {self.regime} at {self.at:%Y-%m-%d %H:%M}"


class DriftMetric(models.Model):
    """How far a feature has moved from what a version was trained on. By ``watch_models``."""

    version = models.ForeignKey(
        "mlmodels.ModelVersion", on_delete=models.PROTECT, related_name="drift"
    )
    feature = models.CharField(max_length=64)
    at = models.DateTimeField()
    psi = models.FloatField()
    threshold = models.FloatField(help_text="99.9 % quantile of blocks that did not drift")

    class Meta:
        db_table = "drift_metrics"
        indexes = [
            # the newest figures of a version
            models.Index(fields=["version", "-at"], name="drift_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.feature} {self.psi:.3f}"

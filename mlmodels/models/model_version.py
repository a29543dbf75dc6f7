"""Trained models, and which of them predicts."""

from django.db import models

from mlmodels.domain.lifecycle import ModelState, Verdict


class ModelVersion(models.Model):
    """One trained model. Written by ``train_model``; only its state changes, by promotion.

    The files lie in the artefact store; ``manifest_sha256`` pins every byte of them.
    """

    run = models.OneToOneField(
        "mlmodels.TrainingRun", on_delete=models.PROTECT, related_name="version"
    )
    name = models.CharField(max_length=64, help_text="Recipe, timeframe and horizon")
    scope = models.CharField(max_length=16)
    recipe = models.CharField(max_length=64)
    horizon_bars = models.PositiveSmallIntegerField()
    state = models.CharField(
        max_length=12,
        choices=[(s.value, s.value) for s in ModelState],
        default=ModelState.CANDIDATE,
    )
    verdict = models.CharField(max_length=12, choices=[(v.value, v.value) for v in Verdict])
    metrics = models.JSONField(default=dict, help_text="All symbols together")
    # {"<instrument id>": {"verdict": …, "ic": …, …}}; a symbol that is not here has no skill.
    symbol_metrics = models.JSONField(default=dict)
    spec_hash = models.CharField(max_length=64)
    feature_spec = models.JSONField(default=dict, help_text="Columns, references, versions")
    label = models.JSONField(default=dict, help_text="What ended the labels it was trained on")
    suspended_at = models.DateTimeField(
        null=True, help_text="Since when its live outcomes show no skill; it serves as NO_SKILL"
    )
    trained_until = models.DateTimeField(help_text="The last moment a label of the training saw")
    artifact_id = models.UUIDField(unique=True)
    manifest_sha256 = models.CharField(max_length=64)
    # Why it became what it is: the refresh rule's figures, or an operator's words.
    state_reason = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "model_versions"
        constraints = [
            models.UniqueConstraint(
                fields=["scope"],
                name="model_one_champion",
                condition=models.Q(state="CHAMPION"),
            ),
        ]
        indexes = [
            # the API's newest-first list
            models.Index(fields=["-created_at", "-id"], name="model_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.name} #{self.pk} {self.state}"


class ModelAlias(models.Model):
    """Which version plays a role in a scope. Moved by promotion, in one transaction.

    Serving reads this one row per close; ``epoch`` grows with every move.
    """

    scope = models.CharField(max_length=16)
    alias = models.CharField(max_length=16, default="champion")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="aliases")
    epoch = models.PositiveIntegerField(default=1)
    # {"<instrument id>": factor}: how much wider the interval must be to hold 90 % of outcomes.
    interval_scales = models.JSONField(default=dict)
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "model_aliases"
        verbose_name_plural = "model aliases"
        constraints = [
            models.UniqueConstraint(fields=["scope", "alias"], name="model_alias_once"),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.alias}"

"""What was predicted, and what came of it."""

from django.db import models

from mlmodels.domain.prediction import PredictionState


class Prediction(models.Model):
    """One model's word on one symbol at one candle close.

    Written once by ``predict_close``, or by ``shadow_close`` for a version that does not serve;
    ``score_outcomes`` fills in the realised return when the label has ended. What is not known
    stays NULL and is never zero. Never deleted.
    """

    model_version = models.ForeignKey(
        "mlmodels.ModelVersion", on_delete=models.PROTECT, related_name="predictions"
    )
    model_name = models.CharField(max_length=64)
    instrument = models.ForeignKey("markets.Instrument", on_delete=models.PROTECT, related_name="+")
    timeframe = models.CharField(max_length=4)
    # `timestamp` is the name that people's queries use; it is the close, in market time.
    timestamp = models.DateTimeField()
    close_time = models.DateTimeField()
    horizon_bars = models.PositiveSmallIntegerField()
    resolves_at = models.DateTimeField(help_text="Close of the last candle of the horizon")
    state = models.CharField(max_length=16, choices=[(s.value, s.value) for s in PredictionState])
    p_up = models.FloatField()
    expected_return = models.FloatField(help_text="Fraction over the horizon, before costs")
    lower = models.FloatField(help_text="5 % quantile of the return")
    upper = models.FloatField(help_text="95 % quantile of the return")
    sigma = models.FloatField(help_text="Standard deviation of the return over the horizon")
    # What makes a prediction comparable: the market's own volatility, and the rate to beat.
    horizon_sigma = models.FloatField(null=True, help_text="Volatility known at the close")
    base_rate = models.FloatField(null=True, help_text="Share of ups the model had seen")
    interval_scale = models.FloatField(
        null=True, help_text="How much wider than trained the interval was stated"
    )
    dissimilarity = models.FloatField(
        null=True, help_text="Distance to the nearest past case over the usual one; 1 is usual"
    )
    is_shadow = models.BooleanField(default=False, help_text="Of a version that does not serve")
    # float32, little endian, in the order of the version's feature names: 4 bytes each.
    features = models.BinaryField(null=True)
    realized_return = models.FloatField(null=True)
    error = models.FloatField(null=True, help_text="Expected minus realised return")
    resolved_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "model_predictions"
        constraints = [
            models.UniqueConstraint(
                fields=["model_version", "instrument", "timeframe", "close_time"],
                name="prediction_once_per_close",
            ),
            models.CheckConstraint(
                condition=models.Q(p_up__gte=0.0, p_up__lte=1.0), name="prediction_p_up_fraction"
            ),
            models.CheckConstraint(
                condition=models.Q(lower__lte=models.F("upper")), name="prediction_interval_ordered"
            ),
        ]
        indexes = [
            # people's query of the last day by `timestamp`, and the API's newest-first list
            models.Index(fields=["-timestamp", "-id"], name="prediction_newest"),
            # score_outcomes asks for what is due
            models.Index(
                fields=["resolves_at"],
                name="prediction_unresolved",
                condition=models.Q(resolved_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model_name} {self.instrument_id} at {self.close_time:%Y-%m-%d %H:%M}"


class PredictionExplanation(models.Model):
    """Why one prediction came out as it did. Written after the close, off the order path.

    Never changed; a prediction of a version whose files are gone has none.
    """

    prediction = models.OneToOneField(
        Prediction, on_delete=models.PROTECT, related_name="explanation"
    )
    # [{"feature": …, "reads": …, "adds": …}]: what moved the log-odds most, TreeSHAP and weights.
    top_features = models.JSONField(default=list)
    # [{"at": …, "instrument_id": …, "distance": …, "realized_return": …}]
    nearest_cases = models.JSONField(default=list)
    dissimilarity = models.FloatField(
        null=True, help_text="Distance to the nearest past case over the usual one; 1 is usual"
    )
    created_at = models.DateTimeField()

    class Meta:
        db_table = "prediction_explanations"

    def __str__(self) -> str:
        return f"of prediction {self.prediction_id}"

"""What an operator can set about training."""

from django.db import models
from simple_history.models import HistoricalRecords

from mlmodels.domain.label_spec import LabelKind


class MLSettings(models.Model):
    """The one row of training settings. Edited in the admin or by ``import_config``.

    Every change is kept, with who made it.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    retrain_interval_hours = models.PositiveIntegerField(
        default=24, help_text="Hours of market time between trainings"
    )
    retrain_error_threshold = models.FloatField(
        default=0.02,
        help_text="Mean absolute error (fraction) of the last 48 outcomes that asks for training; "
        "looked at for horizons of a day and more, since below it measures volatility",
    )
    horizon_bars = models.PositiveSmallIntegerField(
        default=12, help_text="Candles ahead that a first model predicts"
    )
    train_bars = models.PositiveIntegerField(
        default=20_000, help_text="Newest candles per symbol that a training sees"
    )
    label = models.CharField(
        max_length=8,
        choices=[(kind.value, kind.value) for kind in LabelKind],
        default=LabelKind.FORWARD,
        help_text="What ends a label: the horizon, a barrier in sigmas, or the exits below",
    )
    label_width = models.FloatField(
        default=1.0, help_text="BARRIER: distance in standard deviations of the horizon"
    )
    label_take_profit = models.FloatField(default=0.05, help_text="EXITS: fraction above")
    label_stop_loss = models.FloatField(default=0.02, help_text="EXITS: fraction below")
    label_primary = models.CharField(
        max_length=48,
        blank=True,
        default="",
        help_text="A column whose sign is a rule of thumb's side, such as ema_cross_24: learned is "
        "then whether that rule is right (meta-labels). Empty: whether the price rises",
    )
    half_life_bars = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Candles after which a row weighs half in training. Empty: all ages weigh the "
        "same",
    )
    memory_limit_mb = models.PositiveIntegerField(
        default=4096, help_text="What a training may take; beyond it fails and the rest goes on"
    )
    feature_parameters = models.JSONField(
        default=dict,
        blank=True,
        help_text='More columns, such as {"features": ["rsi"], "include_timeframes": ["4h"], '
        '"indicator_periods_candles": [7, 14], "include_shifted_candles": 2}',
    )
    history = HistoricalRecords(table_name="ml_settings_history")

    class Meta:
        db_table = "ml_settings"
        verbose_name = "training settings"
        verbose_name_plural = "training settings"
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="ml_settings_one_row"),
            models.CheckConstraint(
                condition=models.Q(retrain_interval_hours__gte=1), name="ml_settings_interval"
            ),
            models.CheckConstraint(
                condition=models.Q(retrain_error_threshold__gt=0), name="ml_settings_threshold"
            ),
            models.CheckConstraint(
                condition=models.Q(horizon_bars__gte=1), name="ml_settings_horizon"
            ),
            models.CheckConstraint(
                condition=models.Q(train_bars__gte=1000), name="ml_settings_train_bars"
            ),
            models.CheckConstraint(
                condition=models.Q(
                    label_width__gt=0, label_take_profit__gt=0, label_stop_loss__gt=0
                ),
                name="ml_settings_label",
            ),
            models.CheckConstraint(
                condition=models.Q(half_life_bars__isnull=True) | models.Q(half_life_bars__gte=1),
                name="ml_settings_half_life",
            ),
            models.CheckConstraint(
                condition=models.Q(memory_limit_mb__gte=256), name="ml_settings_memory"
            ),
        ]

    def __str__(self) -> str:
        return "training settings"

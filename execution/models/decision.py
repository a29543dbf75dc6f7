"""Strategies and what they decided at each candle close."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from core.fields import ExactDecimalField, positive
from execution.domain.decision import Action, ConfidenceMode
from execution.domain.protection import ProtectionStyle


class Strategy(models.Model):
    """One set of trading rules over some symbols. Edited in the admin; every change is kept."""

    name = models.CharField(max_length=64, unique=True)
    account = models.ForeignKey("execution.Account", on_delete=models.PROTECT)
    instruments = models.ManyToManyField("markets.Instrument", related_name="+", blank=True)
    timeframe = models.CharField(max_length=4, default="1h")
    horizon_bars = models.PositiveSmallIntegerField(default=12)
    base_position_size = ExactDecimalField(default=1000, help_text="Quote units per entry")
    confidence_mode = models.CharField(
        max_length=8,
        choices=[(mode.value, mode.value) for mode in ConfidenceMode],
        default=ConfidenceMode.ABSOLUTE.value,
        help_text="absolute: P(net return > 0) must reach min_confidence. "
        "edge: it must reach break-even and confidence_margin more",
    )
    min_confidence = models.FloatField(default=0.6, help_text="P(net return > 0), 0.5 to 1")
    confidence_margin = models.FloatField(
        default=0.02,
        validators=[MinValueValidator(0), MaxValueValidator(0.45)],
        help_text="Above break-even, 0.5 + costs / (2 x volatility over the horizon); mode edge",
    )
    min_edge_bps = models.FloatField(default=5.0, help_text="Expected return net of costs")
    cost_bps = models.FloatField(default=22.0, help_text="Round trip: fees, spread, slippage")
    cooldown_bars = models.PositiveSmallIntegerField(default=1)
    max_holding_bars = models.PositiveSmallIntegerField(default=24)
    scale_in_parts = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(10)],
        help_text="Entries that the full size is reached by; 1: at once",
    )
    scale_in_step_bps = models.FloatField(
        default=100.0, help_text="Move since the last entry before the next; below 0: downwards"
    )
    scale_out_parts = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(10)],
        help_text="Sales that a winning position is closed by; 1: at once",
    )
    scale_out_step_bps = models.FloatField(
        default=200.0,
        validators=[MinValueValidator(1)],
        help_text="Gain at which each part but the last is sold: once, twice … as much",
    )
    protection = models.CharField(
        max_length=16,
        choices=[(style.value, style.value) for style in ProtectionStyle],
        default=ProtectionStyle.PAIR.value,
        help_text="PAIR: stop and target. TRAILING: a stop that follows. TRAILING_PAIR: both",
    )
    trailing_delta_bps = models.PositiveSmallIntegerField(
        default=200,
        validators=[MinValueValidator(1), MaxValueValidator(5000)],
        help_text="How far a trailing stop follows, 100 is 1 %; at most the stop-loss limit",
    )
    allow_short = models.BooleanField(default=False)
    is_enabled = models.BooleanField(default=True)

    class Meta:
        db_table = "strategies"
        verbose_name_plural = "strategies"
        constraints = [positive("base_position_size", name="strategy_size_positive")]

    def __str__(self) -> str:
        return self.name


class Decision(models.Model):
    """What a strategy decided for one symbol at one candle close, and why.

    Written once by ``decide_close`` and never changed; HOLD is a decision like the others.
    """

    strategy = models.ForeignKey(Strategy, on_delete=models.PROTECT, related_name="decisions")
    instrument = models.ForeignKey("markets.Instrument", on_delete=models.PROTECT, related_name="+")
    prediction = models.ForeignKey(
        "mlmodels.Prediction", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    timeframe = models.CharField(max_length=4)
    close_time = models.DateTimeField()
    action = models.CharField(max_length=8, choices=[(a.value, a.value) for a in Action])
    # The one closing reason; all factors and vetoes are in the two columns below.
    reason = models.CharField(max_length=48)
    confidence = models.FloatField(null=True)
    edge_bps = models.FloatField(null=True)
    price = ExactDecimalField()
    target_notional = ExactDecimalField(default=0)
    # Share of what is held that an EXIT sells.
    exit_fraction = ExactDecimalField(default=1)
    factors = models.JSONField(default=list)
    vetoes = models.JSONField(default=list)
    # Position, rules and kill switch as the decision was given them; see ``domain/inputs.py``.
    inputs = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "decisions"
        constraints = [
            models.UniqueConstraint(
                fields=["strategy", "instrument", "timeframe", "close_time"],
                name="decision_once_per_close",
            ),
        ]
        indexes = [
            # the API's and the dashboard's newest-first lists
            models.Index(fields=["-close_time", "-id"], name="decision_newest"),
            # the guardian's sweep of decisions that were not placed
            models.Index(
                fields=["created_at"],
                name="decision_to_place",
                condition=~models.Q(action="HOLD"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.instrument_id} at {self.close_time:%Y-%m-%d %H:%M}"

"""The limits in force."""

from decimal import Decimal

from django.db import models
from simple_history.models import HistoricalRecords

from core.fields import ExactDecimalField


class RiskLimits(models.Model):
    """The one row of limits in force; without it nothing may trade.

    Created with defaults by the first migration, changed only by ``services.limits.save_limits``,
    which validates and audits; every version is kept in the history table.
    """

    max_position_size = ExactDecimalField(
        default=Decimal(10000), help_text="Highest notional per symbol, quote units"
    )
    max_positions = models.PositiveSmallIntegerField(
        default=10, help_text="Most symbols with exposure at a time"
    )
    max_daily_loss = ExactDecimalField(
        default=Decimal(1000), help_text="Quote units; entries stop for the UTC day"
    )
    max_drawdown_fraction = ExactDecimalField(
        default=Decimal("0.1"), help_text="0.1 is 10 % below the high-water mark"
    )
    stop_loss_fraction = ExactDecimalField(
        default=Decimal("0.02"), help_text="0.02 is 2 % below the entry"
    )
    take_profit_fraction = ExactDecimalField(
        default=Decimal("0.05"), help_text="0.05 is 5 % above the entry"
    )
    max_order_notional = ExactDecimalField(
        null=True, blank=True, help_text="Quote units; empty: max_position_size is enough"
    )
    price_collar_fraction = ExactDecimalField(
        default=Decimal("0.02"), help_text="Furthest a price may be from the reference"
    )
    max_data_age_bars = models.PositiveSmallIntegerField(
        default=2, help_text="Oldest market data to enter on, in candles"
    )
    max_open_orders = models.PositiveSmallIntegerField(
        default=50, help_text="Most open orders over all symbols"
    )
    fee_fraction = ExactDecimalField(
        default=Decimal("0.001"), help_text="Worst fee of one execution; 0.001 is 0.1 %"
    )
    fee_reserve = ExactDecimalField(
        default=Decimal(10), help_text="Quote units that no order may use"
    )
    duplicate_window_s = models.PositiveSmallIntegerField(
        default=5, help_text="The same order within these seconds is refused"
    )
    flatten_slice_notional = ExactDecimalField(
        default=Decimal(10000), help_text="Most that FLATTEN sells in one order, quote units"
    )
    flatten_slippage_fraction = ExactDecimalField(
        default=Decimal("0.01"), help_text="How far below the price FLATTEN sells at first"
    )
    # Counts changes: a form that shows an older one is stale and must not overwrite.
    version = models.PositiveIntegerField(default=1, editable=False)
    updated_at = models.DateTimeField(null=True, editable=False)
    history = HistoricalRecords(table_name="risk_limits_history")

    class Meta:
        db_table = "risk_limits"
        verbose_name_plural = "risk limits"
        constraints = [
            models.CheckConstraint(condition=models.Q(pk=1), name="risk_limits_one_row"),
        ]

    def __str__(self) -> str:
        return f"risk limits, version {self.version}"

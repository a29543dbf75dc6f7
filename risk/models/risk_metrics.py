"""Equity and what it is measured against."""

from django.db import models

from core.fields import ExactDecimalField


class RiskMetrics(models.Model):
    """The account's worth at a moment, at market. Append-only, written by ``record_equity``.

    Users query it as ``risk_metrics ORDER BY timestamp``.
    """

    account_id = models.BigIntegerField()
    timestamp = models.DateTimeField()
    equity = ExactDecimalField(help_text="Cash plus positions at market, quote")
    cash = ExactDecimalField()
    exposure = ExactDecimalField(help_text="Positions at market, quote")
    unrealized_pnl = ExactDecimalField()
    realized_pnl = ExactDecimalField(help_text="Since the account was opened, net of fees")
    daily_pnl = ExactDecimalField(help_text="Since 00:00 UTC, open positions included")
    drawdown_fraction = ExactDecimalField()
    high_water_mark = ExactDecimalField()
    day_start_equity = ExactDecimalField()
    open_positions = models.PositiveIntegerField()
    # What it was computed from: the last ledger entry and fill, and each price. Whoever has
    # these and the ledger computes the row again, to the last digit.
    basis = models.JSONField(default=dict, blank=True)

    class Meta:
        db_table = "risk_metrics"
        verbose_name_plural = "risk metrics"
        constraints = [
            models.UniqueConstraint(fields=["account_id", "timestamp"], name="risk_metrics_once"),
        ]
        indexes = [models.Index(fields=["-timestamp"], name="risk_metrics_newest")]

    def __str__(self) -> str:
        return f"{self.equity} at {self.timestamp:%Y-%m-%d %H:%M:%S}"

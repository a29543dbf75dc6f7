"""Comparisons of our books with the exchange's."""

from django.db import models


class Reconciliation(models.Model):
    """One exact comparison of orders, trades and balances with the exchange.

    Append-only: written by ``reconcile_account`` at start, on every reconnect and by the clock.
    """

    account = models.ForeignKey("execution.Account", on_delete=models.PROTECT)
    is_green = models.BooleanField()
    differences = models.JSONField(default=list)
    orders_compared = models.PositiveIntegerField()
    trades_compared = models.PositiveIntegerField()
    assets_compared = models.PositiveIntegerField()
    timestamp = models.DateTimeField()

    class Meta:
        db_table = "reconciliations"
        indexes = [models.Index(fields=["-timestamp"], name="reconciliation_newest")]

    def __str__(self) -> str:
        return f"{'green' if self.is_green else 'RED'} at {self.timestamp:%Y-%m-%d %H:%M:%S}"

"""Comparisons of our books with the exchange's."""

from django.db import models


class TradeCursor(models.Model):
    """Up to which of its trades a symbol's books are known to equal the exchange's.

    One row per account and symbol, moved by ``reconcile_account`` in the transaction that books
    what it found. Streams never move it: an event may be missing before the newest.
    """

    account = models.ForeignKey("execution.Account", on_delete=models.PROTECT)
    instrument = models.ForeignKey("markets.Instrument", on_delete=models.PROTECT, related_name="+")
    last_trade_id = models.BigIntegerField(default=-1)
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "trade_cursors"
        constraints = [
            models.UniqueConstraint(fields=["account", "instrument"], name="trade_cursor_once"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} up to {self.last_trade_id}"


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

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


class Difference(models.Model):
    """One thing in which our books and the exchange's differ, until it is settled.

    Opened by ``reconcile_account``, settled by a person (adopted, attached, ignored, flattened) or
    by a later comparison that does not find it any more. While one is open, nothing is entered.
    """

    class Status(models.TextChoices):
        OPEN = "OPEN"
        ADOPTED = "ADOPTED"
        ATTACHED = "ATTACHED"
        IGNORED = "IGNORED"
        FLATTENED = "FLATTENED"
        VANISHED = "VANISHED"

    account = models.ForeignKey("execution.Account", on_delete=models.PROTECT)
    kind = models.CharField(max_length=32)
    # What it is about, such as asset USDT or trade BTCUSDT:17: the same in every comparison.
    subject = models.CharField(max_length=96)
    detail = models.JSONField(default=dict)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.OPEN)
    reason = models.CharField(max_length=500, blank=True)
    actor = models.CharField(max_length=150, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "reconciliation_differences"
        constraints = [
            models.UniqueConstraint(
                fields=["account", "kind", "subject"],
                name="difference_once_while_open",
                condition=models.Q(status="OPEN"),
            ),
        ]
        indexes = [models.Index(fields=["-last_seen_at", "-id"], name="difference_newest")]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject} ({self.status})"

"""Accounts at an exchange, and every change of their balances."""

from django.db import models

from core.fields import ExactDecimalField


class Account(models.Model):
    """One account at one exchange. Written by ``open_account``; never deleted."""

    name = models.CharField(max_length=64, unique=True)
    mode = models.CharField(max_length=16)
    quote_asset = models.CharField(max_length=16, default="USDT")
    created_at = models.DateTimeField()
    # When the opening balances were taken; trades before it are not ours to book.
    opened_at = models.DateTimeField(null=True, blank=True)
    # Start-up reconciliation must be green before the first order: the gate reads this.
    reconciled_at = models.DateTimeField(null=True, blank=True)
    # Since when orders may leave; empty from a start until the comparison that follows it.
    ready_at = models.DateTimeField(null=True, blank=True)
    # What ran in the process that made it ready (``core.build``): whoever runs else sends nothing.
    ready_build = models.CharField(max_length=16, blank=True, default="")

    class Meta:
        db_table = "accounts"

    def __str__(self) -> str:
        return self.name


class Balance(models.Model):
    """What the ledger says an account holds of an asset: the sum of its entries.

    A projection, written with each ledger entry in the same transaction; free and locked are
    the exchange's last word, written by reconciliation.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="balances")
    asset = models.CharField(max_length=16)
    total = ExactDecimalField(default=0)
    venue_free = ExactDecimalField(null=True, blank=True)
    venue_locked = ExactDecimalField(null=True, blank=True)
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "balances"
        constraints = [
            models.UniqueConstraint(fields=["account", "asset"], name="balance_once"),
        ]

    def __str__(self) -> str:
        return f"{self.total} {self.asset}"


class LedgerEntry(models.Model):
    """One change of one asset. Append-only: written by ``record_fills`` and by reconciliation."""

    class Kind(models.TextChoices):
        OPENING = "OPENING"
        TRADE = "TRADE"
        FEE = "FEE"
        EXTERNAL = "EXTERNAL"

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="entries")
    asset = models.CharField(max_length=16)
    change = ExactDecimalField()
    kind = models.CharField(max_length=16, choices=Kind.choices)
    fill = models.ForeignKey("execution.Fill", on_delete=models.PROTECT, null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    timestamp = models.DateTimeField()

    class Meta:
        db_table = "ledger_entries"
        constraints = [
            # A fill moves base, quote and fee once each; BUY with a base fee has two base rows.
            models.UniqueConstraint(fields=["fill", "asset", "kind"], name="ledger_entry_once"),
        ]

    def __str__(self) -> str:
        return f"{self.change} {self.asset} ({self.kind})"

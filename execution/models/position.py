"""Positions: round trips from flat to flat."""

from django.db import models

from core.fields import ExactDecimalField, positive


class Position(models.Model):
    """One round trip in one symbol: ``open`` until flat, then ``closed``.

    A projection of its fills, written by ``record_fills`` in the fill's transaction and
    recomputable from them; never edited.
    """

    class Status(models.TextChoices):
        OPEN = "open"
        CLOSED = "closed"

    account = models.ForeignKey("execution.Account", on_delete=models.PROTECT)
    instrument = models.ForeignKey("markets.Instrument", on_delete=models.PROTECT, related_name="+")
    strategy = models.ForeignKey("execution.Strategy", on_delete=models.PROTECT, null=True)
    symbol = models.CharField(max_length=32)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.OPEN)
    quantity = ExactDecimalField(default=0, help_text="Base units held now")
    entry_quantity = ExactDecimalField(default=0)
    entry_quote = ExactDecimalField(default=0, help_text="Paid for the entries, quote")
    exit_quantity = ExactDecimalField(default=0)
    exit_quote = ExactDecimalField(default=0)
    cost_quote = ExactDecimalField(default=0, help_text="Average cost of what is held, quote")
    average_entry_price = ExactDecimalField(default=0)
    realized_pnl = ExactDecimalField(default=0, help_text="Quote, net of fees")
    fees_quote = ExactDecimalField(default=0)
    # What an earlier round trip left unsold is held on by the next one in the same symbol.
    carried_quantity = ExactDecimalField(default=0)
    carried_cost_quote = ExactDecimalField(default=0)
    dust_quantity = ExactDecimalField(
        default=0, help_text="Left at the close: below the exchange's step"
    )
    has_dust = models.BooleanField(default=False, help_text="Dust that no later position carries")
    # Those of the order that opened it: its exits and its protection stand under the same.
    scopes = models.JSONField(default=list, blank=True)
    stop_price = ExactDecimalField(null=True, blank=True)
    take_profit_price = ExactDecimalField(null=True, blank=True)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "positions"
        constraints = [
            models.UniqueConstraint(
                fields=["account", "instrument"],
                name="position_one_open",
                condition=models.Q(status="open"),
            ),
            models.UniqueConstraint(
                fields=["account", "instrument"],
                name="position_one_dust",
                condition=models.Q(has_dust=True),
            ),
            positive("quantity", name="position_quantity_not_negative", or_zero=True),
        ]
        indexes = [models.Index(fields=["-opened_at", "-id"], name="position_newest")]

    def __str__(self) -> str:
        return f"{self.quantity} {self.symbol} ({self.status})"

"""Executions at the exchange."""

from django.db import models

from core.fields import ExactDecimalField, positive
from execution.domain.order import Side


class Fill(models.Model):
    """One venue execution of an order. Written once by ``record_fills``; never updated.

    The table is called ``trades``, as users query it; ``timestamp`` is the exchange's time.
    """

    account = models.ForeignKey("execution.Account", on_delete=models.PROTECT)
    order = models.ForeignKey("execution.Order", on_delete=models.PROTECT, related_name="fills")
    position = models.ForeignKey(
        "execution.Position", on_delete=models.PROTECT, null=True, related_name="fills"
    )
    instrument = models.ForeignKey("markets.Instrument", on_delete=models.PROTECT, related_name="+")
    symbol = models.CharField(max_length=32)
    side = models.CharField(max_length=4, choices=[(s.value, s.value) for s in Side])
    price = ExactDecimalField()
    quantity = ExactDecimalField()
    quote_quantity = ExactDecimalField()
    fee = ExactDecimalField()
    fee_asset = models.CharField(max_length=16)
    fee_price = ExactDecimalField(
        null=True, blank=True, help_text="Quote per unit of a fee in a third asset, when booked"
    )
    realized_pnl = ExactDecimalField(default=0, help_text="Quote, net of fees; 0 for entries")
    is_maker = models.BooleanField()
    venue_trade_id = models.BigIntegerField()
    timestamp = models.DateTimeField()

    class Meta:
        db_table = "trades"
        constraints = [
            models.UniqueConstraint(
                fields=["account", "instrument", "venue_trade_id"], name="fill_once"
            ),
            positive("quantity", name="fill_quantity_positive"),
            positive("price", name="fill_price_positive"),
        ]
        indexes = [models.Index(fields=["-timestamp", "-id"], name="fill_newest")]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity} {self.symbol} at {self.price}"

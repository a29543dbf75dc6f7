"""Instruments: what can be traded, and on which grid."""

from django.db import models

from core.fields import ExactDecimalField, positive


class Instrument(models.Model):
    """One spot symbol of the exchange with its trading rules.

    Written by ``sync_instruments`` alone, from the exchange's own list, and overwritten at each
    sync; never deleted, because candles, orders and fills point at it. A symbol that the exchange
    no longer lists gets the status ``DELISTED``.
    """

    symbol = models.CharField(max_length=32, unique=True)
    base_asset = models.CharField(max_length=16)
    quote_asset = models.CharField(max_length=16)
    status = models.CharField(max_length=24, help_text="As the exchange says: TRADING, HALT, BREAK")
    tick_size = ExactDecimalField(help_text="Smallest step of a price, quote units")
    step_size = ExactDecimalField(help_text="Smallest step of a quantity, base units")
    min_quantity = ExactDecimalField(default=0)
    # In the columns below NULL means that the exchange sets no such limit.
    max_quantity = ExactDecimalField(null=True, blank=True)
    market_max_quantity = ExactDecimalField(null=True, blank=True)
    min_notional = ExactDecimalField(default=0)
    max_notional = ExactDecimalField(null=True, blank=True)
    min_price = ExactDecimalField(null=True, blank=True)
    max_price = ExactDecimalField(null=True, blank=True)
    bid_multiplier_up = ExactDecimalField(null=True, blank=True)
    bid_multiplier_down = ExactDecimalField(null=True, blank=True)
    ask_multiplier_up = ExactDecimalField(null=True, blank=True)
    ask_multiplier_down = ExactDecimalField(null=True, blank=True)
    max_open_orders = models.PositiveIntegerField(null=True, blank=True)
    max_algo_orders = models.PositiveIntegerField(null=True, blank=True)
    otoco_allowed = models.BooleanField(
        default=False, help_text="An entry may wait in one list with the pair that protects it"
    )
    filters = models.JSONField(default=list, help_text="The exchange's filters, word for word")
    provenance = models.CharField(
        max_length=200,
        blank=True,
        help_text="Where the prices come from, such as 'generated: planted signal, IC 0.30'",
    )
    synced_at = models.DateTimeField()

    class Meta:
        db_table = "instruments"
        constraints = [
            positive("tick_size", name="instrument_tick_size_positive"),
            positive("step_size", name="instrument_step_size_positive"),
        ]

    def __str__(self) -> str:
        return self.symbol

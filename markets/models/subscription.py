"""Which candles are streamed."""

from django.db import models

from markets.models.candle import TIMEFRAMES


class Subscription(models.Model):
    """One series of candles that the market stream follows and the chain runs on.

    Written by the set-up, the admin and ``POST /data/subscribe``; switched off rather than
    deleted. The market stream re-reads the table every few seconds.
    """

    instrument = models.ForeignKey(
        "markets.Instrument", on_delete=models.PROTECT, related_name="subscriptions"
    )
    timeframe = models.CharField(max_length=4, choices=TIMEFRAMES)
    is_active = models.BooleanField(default=True)

    class Meta:
        db_table = "subscriptions"
        constraints = [
            models.UniqueConstraint(fields=["instrument", "timeframe"], name="subscription_once"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.timeframe}"

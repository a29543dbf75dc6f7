"""Candles, and the stretches for which the exchange has none."""

from typing import Any

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Cast
from django.db.models.lookups import GreaterThan, GreaterThanOrEqual, LessThanOrEqual

from core.fields import ExactDecimalField
from markets.domain.timeframe import Timeframe

TIMEFRAMES = [(timeframe.value, timeframe.value) for timeframe in Timeframe]


class Number(Cast):
    """A decimal column as a number that SQL can compare.

    PostgreSQL's is one already; SQLite keeps exact decimals as text.
    """

    def __init__(self, expression: Any, output_field: Any = None) -> None:
        super().__init__(expression, output_field or models.FloatField())

    def as_postgresql(self, compiler: Any, connection: Any, **_: Any) -> Any:
        return compiler.compile(self.source_expressions[0])


class Candle(models.Model):
    """What one instrument did in one closed stretch of time.

    Written by ``store_candles`` alone: from the stream at the close, from REST for gaps, from
    files for history. A row changes only if the exchange later reports that closed candle with
    other values; ``revision`` counts how often that happened. Never deleted.
    """

    instrument = models.ForeignKey(
        "markets.Instrument", on_delete=models.PROTECT, related_name="candles", db_index=False
    )
    timeframe = models.CharField(max_length=4, choices=TIMEFRAMES)
    open_time = models.DateTimeField()
    open = ExactDecimalField()
    high = ExactDecimalField()
    low = ExactDecimalField()
    close = ExactDecimalField()
    volume = ExactDecimalField(help_text="Base units")
    # NULL: the source of this candle did not publish it.
    quote_volume = ExactDecimalField(null=True, blank=True)
    trade_count = models.PositiveIntegerField(null=True, blank=True)
    taker_buy_base = ExactDecimalField(null=True, blank=True)
    taker_buy_quote = ExactDecimalField(null=True, blank=True)
    revision = models.PositiveSmallIntegerField(default=0, db_default=0)

    class Meta:
        db_table = "candles"
        constraints = [
            # Also the index of every read: the newest candles of one instrument and timeframe.
            models.UniqueConstraint(
                fields=["instrument", "timeframe", "open_time"], name="candle_once"
            ),
            models.CheckConstraint(
                name="candle_prices_in_range",
                condition=Q(GreaterThan(Number(F("low")), 0))
                & Q(LessThanOrEqual(Number(F("low")), Number(F("open"))))
                & Q(LessThanOrEqual(Number(F("low")), Number(F("close"))))
                & Q(LessThanOrEqual(Number(F("open")), Number(F("high"))))
                & Q(LessThanOrEqual(Number(F("close")), Number(F("high")))),
            ),
            models.CheckConstraint(
                name="candle_volume_not_negative",
                condition=Q(GreaterThanOrEqual(Number(F("volume")), 0)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.timeframe} {self.open_time:%Y-%m-%d %H:%M}"


class CandleGap(models.Model):
    """A stretch for which the exchange itself has no candles: it was down, or not listed yet.

    Written when a request that covered the stretch was answered with later candles but none of
    these; removed by nobody. The gap filler does not ask for it again.
    """

    instrument = models.ForeignKey(
        "markets.Instrument", on_delete=models.PROTECT, related_name="gaps"
    )
    timeframe = models.CharField(max_length=4, choices=TIMEFRAMES)
    start_time = models.DateTimeField(help_text="First missing open time")
    end_time = models.DateTimeField(help_text="First open time after the gap")
    found_at = models.DateTimeField()

    class Meta:
        db_table = "candle_gaps"
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "timeframe", "start_time", "end_time"],
                name="candle_gap_once",
            ),
            models.CheckConstraint(
                name="candle_gap_has_length", condition=Q(end_time__gt=F("start_time"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.timeframe} {self.start_time:%Y-%m-%d %H:%M}"

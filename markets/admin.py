"""The market in the admin: rules and candles to look at, subscriptions to edit."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from core.admin import ReadOnlyAdmin
from markets.models import Candle, CandleGap, Instrument, Subscription


@admin.register(Instrument)
class InstrumentAdmin(ReadOnlyAdmin):
    """What the exchange allows; written by the sync alone."""

    list_display = [
        "symbol",
        "status",
        "tick_size",
        "step_size",
        "min_notional",
        "provenance",
        "synced_at",
    ]
    list_filter = ["status", "quote_asset"]
    search_fields = ["symbol", "base_asset"]
    ordering = ["symbol"]


@admin.register(Candle)
class CandleAdmin(ReadOnlyAdmin):
    """Stored candles, newest first within a series."""

    list_display = [
        "instrument",
        "timeframe",
        "open_time",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "revision",
    ]
    list_select_related = ["instrument"]
    list_filter = ["timeframe", "instrument"]
    # The order of the table's one index: anything else would sort millions of rows.
    ordering = ["-instrument_id", "-timeframe", "-open_time"]


@admin.register(CandleGap)
class CandleGapAdmin(ReadOnlyAdmin):
    """Stretches for which the exchange itself has no candles."""

    list_display = ["instrument", "timeframe", "start_time", "end_time", "found_at"]
    list_select_related = ["instrument"]
    ordering = ["-start_time", "-id"]


@admin.register(Subscription)
class SubscriptionAdmin(ModelAdmin):
    """Which series the market stream follows; a change takes effect within seconds."""

    list_display = ["instrument", "timeframe", "is_active"]
    list_editable = ["is_active"]
    list_filter = ["timeframe", "is_active"]
    list_select_related = ["instrument"]
    ordering = ["timeframe", "instrument_id"]

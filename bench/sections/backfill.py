"""Storing history: our way and Django's own upsert, the same rows in turns."""

import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import market, servers, system
from bench.sample import median

_SYMBOLS = 20
_BARS = 2500
_TURNS = 5
_DJANGO_ROWS = 5000
_BATCH = 1000


def measure(folder: Path) -> dict[str, float]:
    """Measure on PostgreSQL; nothing is measured where none is installed."""
    with ExitStack() as stack:
        database = stack.enter_context(servers.postgres(folder))
        if database is None:
            system.say("no PostgreSQL programs on this machine: not measured")
            return {}
        system.set_up(folder, DATABASE_URL=database)
        fresh, again, django = run()
    return {
        "backfill_pg_rows_per_s": fresh,
        "backfill_pg_again_rows_per_s": again,
        "django_upsert_rows_per_s": django,
    }


def run() -> tuple[float, float, float]:
    """Return rows/s of fresh rows, of the same rows again, and of Django's upsert."""
    from markets.domain.timeframe import Timeframe
    from markets.services.ingestion import store_candles

    ids = market.make_instruments(_SYMBOLS * _TURNS)
    frame, django_frame = Timeframe("1h"), Timeframe("12h")
    now = frame.floor(datetime.now(UTC))
    rates: dict[str, list[float]] = {"fresh": [], "again": [], "django": []}
    for turn in range(_TURNS):
        rows = []
        for key in ids[turn * _SYMBOLS : (turn + 1) * _SYMBOLS]:
            rows += market.planted_rows(
                key,
                interval_ms=frame.ms,
                end_ms=int(now.timestamp() * 1000),
                count=_BARS,
                last_price=100.0,
            )
        for name in ("fresh", "again"):
            begun = time.perf_counter()
            stored = store_candles(timeframe=frame, rows=rows, now=now)
            rates[name].append(len(rows) / (time.perf_counter() - begun))
            if (stored.new, stored.unchanged)[name == "again"] != len(rows):
                raise RuntimeError(f"{name}: {stored} of {len(rows)} rows")
        part = rows[:_DJANGO_ROWS]
        begun = time.perf_counter()
        _upsert_by_django(part, django_frame)
        rates["django"].append(len(part) / (time.perf_counter() - begun))
        system.say(" ".join(f"{name} {found[-1]:,.0f}/s" for name, found in rates.items()))
    fresh, again, django = (round(median(found)) for found in rates.values())
    return fresh, again, django


def _upsert_by_django(rows: list[list[Any]], frame: Any) -> None:
    """Store with `bulk_create(update_conflicts)`, from the same row form."""
    from django.db import transaction

    from core.clock import from_ms
    from markets.models import Candle

    fields = ("open", "high", "low", "close", "volume", "quote_volume", "trade_count")
    fields += ("taker_buy_base", "taker_buy_quote")
    with transaction.atomic():
        Candle.objects.bulk_create(
            [
                Candle(
                    instrument_id=row[0],
                    timeframe=frame.value,
                    open_time=from_ms(row[1]),
                    **dict(zip(fields, row[2:], strict=True)),
                )
                for row in rows
            ],
            batch_size=_BATCH,
            update_conflicts=True,
            unique_fields=["instrument", "timeframe", "open_time"],
            update_fields=fields,
        )

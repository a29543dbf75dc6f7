"""Loading history: only what is missing, page by page, as often as one likes."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from core.clock import from_ms, to_ms
from core.errors import InvalidInput
from markets.domain.candle import Row
from markets.domain.gaps import Gap, find_gaps, subtract
from markets.domain.timeframe import Timeframe
from markets.models import CandleGap
from markets.ports import KlineSource
from markets.selectors import list_known_gaps, list_open_times, list_rules
from markets.services.ingestion import LARGE_BATCH, Stored, store_candles

logger = logging.getLogger(__name__)

PAGE = 1000  # the most that the exchange returns at once

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillResult:
    """What a backfill did.

    Attributes:
        stored: Counts of candles.
        requests: Pages asked for.
        missing: Candles of the range that nobody has: outages, times before the listing.
    """

    stored: Stored
    requests: int
    missing: int


def backfill(
    *,
    source: KlineSource,
    instrument_id: int,
    timeframe: Timeframe,
    start: datetime,
    end: datetime,
    now: datetime,
    is_exchange: bool = True,
    progress: Progress | None = None,
) -> BackfillResult:
    """Fetch the candles of [start, end) that are not stored yet.

    Every page is committed by itself: interrupted, the next run goes on where this one stopped.

    Args:
        source: Where candles come from.
        instrument_id: Whose candles.
        timeframe: Their length.
        start: First open time wanted.
        end: First open time not wanted; candles still open now are left out anyway.
        now: Market time.
        is_exchange: The source is the exchange itself, so what it leaves out does not exist and
            is never asked for again. A file's holes prove nothing.
        progress: Called with candles done and candles to do.

    Raises:
        InvalidInput: `end` is not after `start`.
        ExchangeError: the exchange refused or could not answer; what was fetched is kept.
    """
    end_ms = min(to_ms(end), timeframe.floor_ms(to_ms(now)))
    start_ms = to_ms(start)
    if to_ms(end) <= start_ms or start_ms >= end_ms:
        raise InvalidInput(
            f"end must be after start and start in the past: {start:%Y-%m-%d %H:%M}"
            f" to {end:%Y-%m-%d %H:%M}",
            field="end",
            value=end.isoformat(),
        )
    gaps = _missing(instrument_id, timeframe, start_ms, end_ms)
    run = _Run(
        source=source,
        instrument_id=instrument_id,
        symbol=list_rules([instrument_id])[instrument_id].symbol,
        timeframe=timeframe,
        now=now,
        is_exchange=is_exchange,
        progress=progress or (lambda _done, _total: None),
        total=sum(gap.count(timeframe) for gap in gaps),
    )
    for gap in gaps:
        run.fill(gap, is_inside=gap.end_ms < end_ms)
    run.progress(run.total, run.total)
    return BackfillResult(
        stored=run.stored, requests=run.requests, missing=run.total - run.received
    )


def _missing(
    instrument_id: int, timeframe: Timeframe, start_ms: int, end_ms: int
) -> tuple[Gap, ...]:
    present = list_open_times(
        instrument_ids=[instrument_id], timeframe=timeframe, start_ms=start_ms, end_ms=end_ms
    )
    gaps = find_gaps(
        present.get(instrument_id, ()), timeframe=timeframe, start_ms=start_ms, end_ms=end_ms
    )
    known = list_known_gaps(instrument_ids=[instrument_id], timeframe=timeframe)
    return subtract(gaps, known.get(instrument_id, ()))


@dataclass(slots=True, kw_only=True)
class _Run:
    """One backfill under way."""

    source: KlineSource
    instrument_id: int
    symbol: str
    timeframe: Timeframe
    now: datetime
    is_exchange: bool
    progress: Progress
    total: int
    stored: Stored = field(default_factory=Stored)
    requests: int = 0
    received: int = 0
    passed: int = 0

    def fill(self, gap: Gap, *, is_inside: bool) -> None:
        """Fetch one gap; `is_inside` says that a later candle is stored already."""
        cursor_ms = gap.start_ms
        while cursor_ms < gap.end_ms:
            rows = self._fetch(cursor_ms, gap.end_ms)
            if rows:
                self.stored += store_candles(timeframe=self.timeframe, rows=rows, now=self.now)
                self.received += len(rows)
            next_ms = rows[-1][1] + self.timeframe.ms if rows else gap.end_ms
            if rows or is_inside:
                self._note_absent(rows, cursor_ms, next_ms)
            self.passed += (next_ms - cursor_ms) // self.timeframe.ms
            self.progress(self.passed, self.total)
            cursor_ms = next_ms

    def _fetch(self, start_ms: int, end_ms: int) -> list[Row]:
        self.requests += 1
        found = self.source.klines(
            symbol=self.symbol,
            timeframe=self.timeframe,
            start_ms=start_ms,
            end_ms=end_ms,
            limit=PAGE if self.is_exchange else LARGE_BATCH,
        )
        return [[self.instrument_id, *row] for row in found if start_ms <= row[0] < end_ms]

    def _note_absent(self, rows: Sequence[Row], start_ms: int, end_ms: int) -> None:
        """Keep what the exchange left out between candles that it has."""
        if not self.is_exchange:
            return
        # The newest candles may merely be late.
        settled_ms = to_ms(self.now) - 2 * self.timeframe.ms
        holes = find_gaps(
            [row[1] for row in rows], timeframe=self.timeframe, start_ms=start_ms, end_ms=end_ms
        )
        for hole in holes:
            if hole.end_ms > settled_ms:
                continue
            CandleGap.objects.get_or_create(
                instrument_id=self.instrument_id,
                timeframe=self.timeframe.value,
                start_time=from_ms(hole.start_ms),
                end_time=from_ms(hole.end_ms),
                defaults={"found_at": self.now},
            )
            logger.info(
                "candles.exchange_has_none symbol=%s timeframe=%s start=%s count=%s",
                self.symbol,
                self.timeframe.value,
                from_ms(hole.start_ms).isoformat(),
                hole.count(self.timeframe),
            )

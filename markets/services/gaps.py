"""Healing the recent past of every subscribed series."""

import logging
from datetime import datetime

from core.clock import from_ms, to_ms
from core.errors import TradingError
from markets.domain.gaps import Gap, find_gaps, subtract
from markets.domain.timeframe import Timeframe
from markets.ports import KlineSource
from markets.selectors import (
    SubscriptionView,
    list_known_gaps,
    list_open_times,
    list_subscriptions,
)
from markets.services.backfill import backfill
from markets.services.ingestion import Stored

logger = logging.getLogger(__name__)

RECENT_BARS = 600  # as many as a window holds


def fill_gaps(*, source: KlineSource, now: datetime, bars: int = RECENT_BARS) -> Stored:
    """Fetch and store what the last `bars` candles of each subscription lack.

    A series that cannot be fetched is logged and left to the next run. The holes of a timeframe
    are found with two queries, whatever the number of instruments.

    Returns:
        The counts of candles stored.
    """
    stored = Stored()
    for timeframe in Timeframe:
        for series, gap in _list_gaps(timeframe, now=now, bars=bars):
            try:
                result = backfill(
                    source=source,
                    instrument_id=series.instrument_id,
                    timeframe=timeframe,
                    start=from_ms(gap.start_ms),
                    end=from_ms(gap.end_ms),
                    now=now,
                )
            except TradingError as error:
                logger.warning(
                    "candles.gap_stays symbol=%s timeframe=%s error=%s",
                    series.symbol,
                    timeframe.value,
                    error,
                )
                continue
            stored += result.stored
    if stored.new:
        logger.info("candles.gaps_filled new=%s", stored.new)
    return stored


def _list_gaps(
    timeframe: Timeframe, *, now: datetime, bars: int
) -> list[tuple[SubscriptionView, Gap]]:
    subscriptions = list_subscriptions(timeframe=timeframe)
    if not subscriptions:
        return []
    end_ms = timeframe.floor_ms(to_ms(now))
    start_ms = end_ms - bars * timeframe.ms
    ids = [series.instrument_id for series in subscriptions]
    present = list_open_times(
        instrument_ids=ids, timeframe=timeframe, start_ms=start_ms, end_ms=end_ms
    )
    known = list_known_gaps(instrument_ids=ids, timeframe=timeframe)
    found = []
    for series in subscriptions:
        times = present.get(series.instrument_id, ())
        gaps = find_gaps(times, timeframe=timeframe, start_ms=start_ms, end_ms=end_ms)
        left = subtract(gaps, known.get(series.instrument_id, ()))
        if left:
            # One request covers holes that lie close together; the exchange counts requests.
            span = Gap(start_ms=left[0].start_ms, end_ms=left[-1].end_ms)
            found.append((series, span))
    return found

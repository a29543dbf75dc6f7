"""Keeping the list of instruments equal to the exchange's."""

import logging
from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import transaction

from core.errors import NotFound
from markets.domain.filters import Listing, read_filters
from markets.domain.timeframe import Timeframe
from markets.models import Instrument, Subscription
from markets.ports import MarketData
from markets.selectors import forget_rules

logger = logging.getLogger(__name__)

DELISTED = "DELISTED"


def sync_instruments(
    *, market_data: MarketData, symbols: Collection[str] | None = None, now: datetime
) -> list[int]:
    """Write the exchange's listings and filters down.

    Args:
        market_data: The exchange.
        symbols: Only these, and all of them must exist; None: those we already know, and if we
            know none, all.
        now: Market time.

    Returns:
        Ids of the instruments written, by symbol.

    Raises:
        NotFound: the exchange does not list one of `symbols`.
    """
    listings = {listing.symbol: listing for listing in market_data.listings()}
    provenance = market_data.provenance()
    known = set(Instrument.objects.values_list("symbol", flat=True))
    if symbols is None:
        wanted = known or set(listings)
    else:
        wanted = {symbol.upper() for symbol in symbols}
        for symbol in sorted(wanted - listings.keys()):
            raise NotFound(f"The exchange does not list {symbol}", field="symbol", value=symbol)
    ids = []
    with transaction.atomic():
        for symbol in sorted(wanted & listings.keys()):
            listing = listings[symbol]
            row, is_new = Instrument.objects.update_or_create(
                symbol=symbol,
                defaults={**_columns(listing, now), "provenance": provenance.get(symbol, "")},
            )
            ids.append(row.pk)
            if is_new:
                logger.info("instrument.listed symbol=%s instrument_id=%s", symbol, row.pk)
        gone = Instrument.objects.filter(symbol__in=wanted - listings.keys())
        for symbol in gone.exclude(status=DELISTED).values_list("symbol", flat=True):
            logger.warning("instrument.delisted symbol=%s", symbol)
        gone.update(status=DELISTED, synced_at=now)
    forget_rules()
    return ids


def refresh_instrument(*, listing: Listing, now: datetime) -> None:
    """Write one symbol's present rules down; they count from now on."""
    Instrument.objects.filter(symbol=listing.symbol).update(**_columns(listing, now))
    forget_rules()


def _columns(listing: Listing, now: datetime) -> dict[str, Any]:
    return {
        "base_asset": listing.base_asset,
        "quote_asset": listing.quote_asset,
        "status": listing.status,
        **read_filters(listing),
        "otoco_allowed": listing.otoco_allowed,
        "filters": [dict(item) for item in listing.filters],
        "synced_at": now,
    }


def subscribe(*, instrument_id: int, timeframe: Timeframe) -> bool:
    """Have the market stream follow a series; return False if it did already."""
    row, is_new = Subscription.objects.get_or_create(
        instrument_id=instrument_id, timeframe=timeframe.value, defaults={"is_active": True}
    )
    if is_new:
        return True
    return bool(Subscription.objects.filter(pk=row.pk, is_active=False).update(is_active=True))


def unsubscribe(*, instrument_id: int, timeframe: Timeframe) -> bool:
    """Stop following a series; return False if it was not followed."""
    rows = Subscription.objects.filter(instrument_id=instrument_id, timeframe=timeframe.value)
    return bool(rows.filter(is_active=True).update(is_active=False))

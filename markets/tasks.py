"""What beat asks of the market: no holes, and rules as the exchange has them."""

from typing import Any

from celery import shared_task

from core.clock import get_clock
from markets.adapters.factory import get_market_data
from markets.services import gaps, instruments


@shared_task(name="markets.fill_gaps", queue="default")
def fill_gaps(**_: Any) -> None:
    """Fetch what the recent past of the subscribed series lacks."""
    gaps.fill_gaps(source=get_market_data(), now=get_clock().now())


@shared_task(name="markets.sync_instruments", queue="default")
def sync_instruments(**_: Any) -> None:
    """Read the exchange's listings and filters again."""
    instruments.sync_instruments(market_data=get_market_data(), now=get_clock().now())

"""Picks the adapters that the settings ask for. Only entry points call this.

python-binance costs a process 40 MB and 0.4 s, so it is imported by whoever asks for an adapter.
"""

from typing import TYPE_CHECKING

from django.conf import settings

from core.clock import get_clock

if TYPE_CHECKING:
    from markets.adapters.binance_client import Addresses, VenueClient
    from markets.adapters.binance_market_data import BinanceMarketData


def get_market_data() -> "BinanceMarketData":
    """Return the public side of the exchange of this trading mode, with a client of its own."""
    from markets.adapters.binance_client import build_client
    from markets.adapters.binance_market_data import BinanceMarketData

    client = build_client(
        mode=str(settings.TRADING_MODE),
        sim_url=settings.SIM_URL,
        clock=get_clock(),
        weight_limit=settings.WEIGHT_LIMIT,
    )
    is_local = str(settings.TRADING_MODE) in ("demo", "paper")
    return BinanceMarketData(client, get_clock(), is_local=is_local)


def get_signed_client(credentials_name: str | None = None) -> "VenueClient":
    """Return a client that signs with the named key, by default the trading account's.

    Raises:
        NeedsOperator: there is no such key, or the settings contradict each other.
    """
    from core.keys.manager import get_credentials
    from markets.adapters.binance_client import build_client

    credentials = get_credentials(credentials_name or "binance")
    return build_client(
        mode=str(settings.TRADING_MODE),
        sim_url=settings.SIM_URL,
        clock=get_clock(),
        api_key=credentials.api_key,
        api_secret=credentials.api_secret,
        weight_limit=settings.WEIGHT_LIMIT,
    )


def get_addresses() -> "Addresses":
    """Return where the exchange of this trading mode listens."""
    from markets.adapters.binance_client import addresses_of

    return addresses_of(mode=str(settings.TRADING_MODE), sim_url=settings.SIM_URL)

"""Picks the broker that the settings ask for. Only entry points call this."""

from core.clock import get_clock
from execution.adapters.binance_broker import BinanceBroker
from markets.adapters.factory import get_signed_client


def get_broker() -> BinanceBroker:
    """Return the account's broker of this trading mode, with a client of its own.

    Raises:
        NeedsOperator: there is no key, or the settings contradict each other.
    """
    return BinanceBroker(get_signed_client(), get_clock())

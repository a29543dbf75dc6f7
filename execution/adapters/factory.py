"""Picks the broker that the settings ask for. Only entry points call this."""

from typing import TYPE_CHECKING

from core.clock import get_clock
from markets.adapters.factory import get_signed_client

if TYPE_CHECKING:
    from execution.adapters.binance_broker import BinanceBroker


def get_broker() -> "BinanceBroker":
    """Return the account's broker of this trading mode, with a client of its own.

    Raises:
        NeedsOperator: there is no key, or the settings contradict each other.
    """
    # It brings python-binance, 40 MB: only for those who talk to the exchange.
    from execution.adapters.binance_broker import BinanceBroker

    return BinanceBroker(get_signed_client(), get_clock())

"""What the market rooms need of an exchange or an archive."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from markets.domain.candle import Row
from markets.domain.filters import Listing
from markets.domain.ticker import Ticker
from markets.domain.timeframe import Timeframe


class KlineSource(Protocol):
    """Somewhere past candles come from."""

    def klines(
        self, *, symbol: str, timeframe: Timeframe, start_ms: int, end_ms: int, limit: int
    ) -> Sequence[Row]:
        """Return the oldest candles that open in [start_ms, end_ms), ascending.

        Args:
            symbol: Name at the exchange.
            timeframe: Length of the candles.
            start_ms: First open time wanted.
            end_ms: First open time not wanted.
            limit: Most candles to return; an exchange gives at most 1000.

        Returns:
            Row forms without the leading instrument id. The newest may still be open.

        Raises:
            ExchangeError: the exchange refused or could not answer.
            InvalidInput: a file holds something that is not a candle.
        """


class MarketData(KlineSource, Protocol):
    """The public side of an exchange."""

    def listings(self) -> Sequence[Listing]:
        """Return every spot symbol with its filters."""

    def ticker(self, symbol: str) -> Ticker:
        """Return the last price."""

    def server_time(self) -> datetime:
        """Return the exchange's own time, UTC."""

    def provenance(self) -> dict[str, str]:
        """Return per symbol where its prices come from; nothing for a real market."""

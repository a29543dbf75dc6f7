"""What the market keeps for each symbol while it runs."""

from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from simexchange.market.api import Trade
from simexchange.market.candles import CandleStore
from simexchange.market.grid import Grid
from simexchange.market.publicbook import PublicBook

AVERAGE_MS = 300_000
KEPT_PRINTS = ((10, 4_000), (50, 1_000))
"""So many prints are remembered where there are at most so many symbols."""
KEPT_PRINTS_MANY = 240


def kept_prints(symbols: int) -> int:
    """Return how many prints of each symbol's tape are remembered."""
    return next((kept for most, kept in KEPT_PRINTS if symbols <= most), KEPT_PRINTS_MANY)


class Print(NamedTuple):
    """One print of the tape in integers."""

    trade_id: int
    ticks: int
    units: int
    time_ms: int
    is_buyer_maker: bool


class SymbolState:
    """One symbol's tape, candles, ladder and price factor.

    Args:
        grid: the symbol's integers.
        store: its candles.
        book: its ladder.
        ticks: its price at the start.
        kept_prints: how many prints of the tape are remembered.
    """

    def __init__(
        self, grid: Grid, store: CandleStore, book: PublicBook, *, ticks: int, kept_prints: int
    ) -> None:
        self.grid = grid
        self.store = store
        self.book = book
        self.tape: deque[Print] = deque(maxlen=kept_prints)
        self.last_ticks = ticks
        self.source_ticks = ticks
        self.factor = 1.0
        self.next_id = 1

    def mapped(self, source_ticks: int) -> int:
        """Return the market's price for a price of the source."""
        if self.factor == 1.0:
            return source_ticks
        return max(1, round(source_ticks * self.factor))

    def record(self, ticks: int, units: int, time_ms: int, *, is_buyer_maker: bool) -> Print:
        """Give a print its id and remember it; the tape's time never goes back."""
        if self.tape and self.tape[-1].time_ms > time_ms:
            time_ms = self.tape[-1].time_ms
        entry = Print(self.next_id, ticks, units, time_ms, is_buyer_maker)
        self.next_id += 1
        self.tape.append(entry)
        return entry

    def trade_of(self, entry: Print) -> Trade:
        """Return a print as the engine sees it."""
        return Trade(
            self.grid.symbol,
            entry.trade_id,
            self.grid.price(entry.ticks),
            self.grid.quantity(entry.units),
            entry.time_ms,
            entry.is_buyer_maker,
        )

    def newest_prints(self, since_ms: int) -> Iterator[Print]:
        """Yield the remembered prints from the newest back to `since_ms`."""
        for entry in reversed(self.tape):
            if entry.time_ms < since_ms:
                return
            yield entry

    def average_price(self, now_ms: int) -> Decimal:
        """Return the volume weighted price of the last five minutes, rounded to the tick.

        Without a print in that time it is the last price.
        """
        weighted = volume = 0
        for entry in self.newest_prints(now_ms - AVERAGE_MS):
            weighted += entry.ticks * entry.units
            volume += entry.units
        if volume == 0:
            return self.grid.price(self.last_ticks)
        return self.grid.price((weighted + volume // 2) // volume)

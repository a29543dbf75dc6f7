"""Rolling figures of a symbol, folded from its candles so that tickers and klines agree."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from simexchange.market.bars import CLOSE, COUNT, FIRST_ID, HIGH, LOW, OPEN, QUOTE, VOLUME
from simexchange.market.grid import Grid
from simexchange.market.rows import NO_ID
from simexchange.market.symbolstate import SymbolState

EIGHT_PLACES = Decimal("0.00000001")
THREE_PLACES = Decimal("0.001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """A window's prices in ticks, volumes in units; `prev_close` is the close before it."""

    grid: Grid
    open_ms: int
    close_ms: int
    prev_close: int
    open: int
    high: int
    low: int
    last: int
    last_units: int
    volume: int
    quote: int
    trades: int
    first_id: int
    last_id: int

    def change_percent(self) -> str:
        """Return the change in percent with three decimals."""
        if not self.open:
            return "0.000"
        ratio = Decimal(100 * (self.last - self.open)) / Decimal(self.open)
        return str(ratio.quantize(THREE_PLACES, rounding=ROUND_HALF_UP))

    def weighted_average(self) -> str:
        """Return quote volume per volume with eight decimals, the last price without volume."""
        if not self.volume:
            return self.grid.price_text(self.last)
        quote = Decimal(self.quote).scaleb(-self.grid.quote_decimals)
        volume = Decimal(self.volume).scaleb(-self.grid.volume_decimals)
        return str((quote / volume).quantize(EIGHT_PLACES, rounding=ROUND_HALF_UP))


def window_statistics(state: SymbolState, *, since_ms: int, now_ms: int) -> Statistics:
    """Return the figures of the candles that opened at or after `since_ms`."""
    place, row = state.store.since(since_ms)
    newest = state.tape[-1] if state.tape else None
    last_id = newest.trade_id if newest else NO_ID
    last = state.last_ticks
    if row is None:
        row = [last, last, last, last, 0, 0, 0, 0, 0, NO_ID]
    elif row[FIRST_ID] == NO_ID:
        row[FIRST_ID] = last_id
    return Statistics(
        grid=state.grid,
        open_ms=since_ms,
        close_ms=now_ms,
        prev_close=state.store.close_before(place) or row[OPEN],
        open=row[OPEN],
        high=row[HIGH],
        low=row[LOW],
        last=row[CLOSE],
        last_units=newest.units if newest and row[VOLUME] else 0,
        volume=row[VOLUME],
        quote=row[QUOTE],
        trades=row[COUNT],
        first_id=row[FIRST_ID],
        last_id=last_id,
    )

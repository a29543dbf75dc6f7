"""What the market stream is put together from, for the command that runs it."""

from collections.abc import Callable, Sequence

from core.clock import Clock
from markets.adapters.factory import get_addresses, get_market_data
from markets.adapters.sockets import market_sockets
from markets.adapters.stream import MarketStream, Series
from markets.domain.candle import Row
from markets.domain.ticker import Ticker
from markets.domain.timeframe import Timeframe
from markets.selectors import list_newest_open_times, list_subscriptions


def make_stream(
    *,
    clock: Clock,
    on_close: Callable[[Series, Row], None],
    on_ticker: Callable[[Ticker], None],
) -> MarketStream:
    """Return the stream of this trading mode; call it inside the event loop."""
    return MarketStream(
        connect=market_sockets(get_addresses()),
        source=get_market_data(),
        clock=clock,
        on_close=on_close,
        on_ticker=on_ticker,
    )


def read_series() -> tuple[Sequence[Series], dict[Series, int]]:
    """Return the active subscriptions, and the newest stored open time of each that has one."""
    series = [
        Series(instrument_id=row.instrument_id, symbol=row.symbol, timeframe=row.timeframe)
        for row in list_subscriptions()
    ]
    newest = {
        timeframe: list_newest_open_times(timeframe)
        for timeframe in {Timeframe(item.timeframe) for item in series}
    }
    newest_ms = {
        item: newest[item.timeframe][item.instrument_id]
        for item in series
        if item.instrument_id in newest[item.timeframe]
    }
    return series, newest_ms

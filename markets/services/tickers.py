"""Last prices, for whoever values a position or looks at a page."""

from collections.abc import Iterable

from alerts import push
from markets.domain.ticker import Ticker
from markets.models.tickers import write_tickers


def record_tickers(*, tickers: Iterable[Ticker]) -> None:
    """Keep the last prices and show them on every open page. Never fails for want of Redis."""
    latest = {ticker.symbol: ticker for ticker in tickers}
    if not latest:
        return
    write_tickers(latest.values())
    push.publish(
        *(
            push.Ticker(
                type="ticker",
                at=ticker.at,
                symbol=ticker.symbol,
                price=ticker.price,
                bid=None,
                ask=None,
            )
            for ticker in latest.values()
        )
    )

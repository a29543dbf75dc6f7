"""Streams by name: what each says, and when it has something new to say."""

import re
from collections.abc import Callable
from typing import Any

from simexchange.faces import stream_views as views
from simexchange.faces.book_topics import BookTickerTopic, DiffDepthTopic, PartialDepthTopic
from simexchange.faces.candle_topics import KlineTopic, SecondTopic
from simexchange.faces.params import EARLIEST_ZONE_MS, LATEST_ZONE_MS
from simexchange.faces.topic import Beat, Payload, Topic
from simexchange.market.floor import Floor
from simexchange.market.intervals import DAY_MS, HOUR_MS, INTERVAL_MS, MINUTE_MS
from simexchange.market.statistics import Statistics, window_statistics
from simexchange.market.symbolstate import Print

KLINE = re.compile(r"^kline_(?P<interval>\w+?)(@(?P<zone>[+-]\d{2}:\d{2}))?$")
PARTIAL = re.compile(r"^depth(?P<levels>5|10|20)(@(?P<speed>100|1000)ms)?$")
DIFF = re.compile(r"^depth(@(?P<speed>100|1000)ms)?$")
ARRAY = re.compile(r"^!(?P<kind>miniTicker|ticker_(?P<window>1h|4h|1d))@arr$")
WINDOWS_MS = {"1h": HOUR_MS, "4h": 4 * HOUR_MS, "1d": DAY_MS}


class PrintTopic(Topic):
    """``@trade`` and ``@aggTrade``: published print by print, never by `news`."""

    beat = Beat.PRINT

    def __init__(
        self,
        name: str,
        market: Floor,
        symbol: str,
        view: Callable[..., dict[str, Any]] = views.trade_event,
    ) -> None:
        super().__init__(name, market, symbol)
        self._view = view

    def of_print(self, entry: Print, now_ms: int) -> Payload:
        """Return the payload of one print."""
        return self._view(self.state.grid, entry, now_ms)

    def news(self, now_ms: int) -> Payload | None:
        """Return nothing; prints come by `of_print`."""
        del now_ms
        return None


class WindowTopic(Topic):
    """``@miniTicker``, ``@ticker``, ``@ticker_<window>``."""

    beat = Beat.SECOND

    def __init__(
        self, name: str, market: Floor, symbol: str, *, kind: str, window_ms: int = DAY_MS
    ) -> None:
        super().__init__(name, market, symbol)
        self._kind = kind
        self._window_ms = window_ms
        self._seen_id = 0

    def news(self, now_ms: int) -> Payload | None:
        """Return the window's figures when there was a print since."""
        state = self.state
        if state.next_id == self._seen_id:
            return None
        self._seen_id = state.next_id
        since_ms = now_ms - self._window_ms
        if self._window_ms != DAY_MS:
            since_ms = since_ms // MINUTE_MS * MINUTE_MS
        figures = window_statistics(state, since_ms=since_ms, now_ms=now_ms)
        return self._view(figures, now_ms)

    def _view(self, figures: Statistics, now_ms: int) -> Payload:
        if self._kind == "miniTicker":
            return views.mini_ticker_event(figures, now_ms)
        if self._kind == "ticker":
            return views.ticker_event(self.state, figures, now_ms)
        return views.window_ticker_event(figures, f"{self._kind[7:]}Ticker", now_ms)


class ArrayTopic(Topic):
    """``!miniTicker@arr`` and ``!ticker_<window>@arr``: the symbols that changed."""

    beat = Beat.SECOND

    def __init__(self, name: str, market: Floor, kind: str, window_ms: int) -> None:
        super().__init__(name, market, "")
        self._parts = [
            WindowTopic(name, market, symbol, kind=kind, window_ms=window_ms)
            for symbol in market.symbols
        ]

    def news(self, now_ms: int) -> Payload | None:
        """Return the changed symbols' figures."""
        changed = [news for part in self._parts if (news := part.news(now_ms)) is not None]
        return changed or None


class AvgPriceTopic(Topic):
    """``@avgPrice``."""

    beat = Beat.SECOND

    def news(self, now_ms: int) -> Payload | None:
        """Return the five-minute average."""
        return views.avg_price_event(self.state, now_ms)


def make_topic(name: str, market: Floor) -> Topic | None:
    """Return the topic of a stream's name, None for one that never says anything here."""
    array = ARRAY.match(name)
    if array:
        window = array["window"]
        kind = "miniTicker" if window is None else f"ticker_{window}"
        return ArrayTopic(name, market, kind, WINDOWS_MS.get(window, DAY_MS))
    lower, _, kind = name.partition("@")
    symbol = lower.upper()
    if not kind or lower != lower.lower() or symbol not in market.states:
        return None
    return _simple_topic(name, market, symbol, kind) or _shaped_topic(name, market, symbol, kind)


def _simple_topic(name: str, market: Floor, symbol: str, kind: str) -> Topic | None:
    if kind == "trade":
        return PrintTopic(name, market, symbol)
    if kind == "aggTrade":
        return PrintTopic(name, market, symbol, views.agg_trade_event)
    if kind == "bookTicker":
        return BookTickerTopic(name, market, symbol)
    if kind == "avgPrice":
        return AvgPriceTopic(name, market, symbol)
    if kind in {"miniTicker", "ticker"}:
        return WindowTopic(name, market, symbol, kind=kind)
    if kind.startswith("ticker_") and kind[7:] in WINDOWS_MS:
        return WindowTopic(name, market, symbol, kind=kind, window_ms=WINDOWS_MS[kind[7:]])
    return None


def _shaped_topic(name: str, market: Floor, symbol: str, kind: str) -> Topic | None:
    if match := KLINE.match(kind):
        interval, shift_ms = match["interval"], _zone_ms(match["zone"])
        if interval == "1s" and shift_ms is not None:
            return SecondTopic(name, market, symbol)
        known = interval in INTERVAL_MS and market.states[symbol].store.serves(interval)
        if not known or shift_ms is None:
            return None
        return KlineTopic(name, market, symbol, interval, shift_ms)
    if match := PARTIAL.match(kind):
        return PartialDepthTopic(name, market, symbol, int(match["levels"]), _beat(match["speed"]))
    if match := DIFF.match(kind):
        return DiffDepthTopic(name, market, symbol, _beat(match["speed"]))
    return None


def _beat(speed: str | None) -> Beat:
    return Beat.FAST if speed == "100" else Beat.SECOND


def _zone_ms(text: str | None) -> int | None:
    if text is None:
        return 0
    size = int(text[1:3]) * HOUR_MS + int(text[4:6]) * MINUTE_MS
    offset = -size if text[0] == "-" else size
    return offset if EARLIEST_ZONE_MS <= offset <= LATEST_ZONE_MS else None

"""Streams by name: what each says, and when it has something new to say."""

import re
from collections.abc import Callable
from enum import Enum
from typing import Any

from simexchange.faces import stream_views as views
from simexchange.faces.rest_market import EARLIEST_ZONE_MS, LATEST_ZONE_MS, level_texts
from simexchange.market.book import BUY, LEVELS, SELL
from simexchange.market.intervals import (
    DAY_MS,
    HOUR_MS,
    INTERVAL_MS,
    MINUTE_MS,
    floor_time,
)
from simexchange.market.live import SimMarket
from simexchange.market.statistics import Statistics, window_statistics
from simexchange.market.symbolstate import Print, SymbolState

KLINE = re.compile(r"^kline_(?P<interval>\w+?)(@(?P<zone>[+-]\d{2}:\d{2}))?$")
PARTIAL = re.compile(r"^depth(?P<levels>5|10|20)(@(?P<speed>100|1000)ms)?$")
DIFF = re.compile(r"^depth(@(?P<speed>100|1000)ms)?$")
ARRAY = re.compile(r"^!(?P<kind>miniTicker|ticker_(?P<window>1h|4h|1d))@arr$")
WINDOWS_MS = {"1h": HOUR_MS, "4h": 4 * HOUR_MS, "1d": DAY_MS}
Payload = dict[str, Any] | list[Any]


class Beat(Enum):
    """When a topic is asked for news."""

    PRINT = "with every print"
    TOUCH = "when the best prices move"
    FAST = "every 100 ms of wall time"
    SECOND = "every second of wall time"
    CANDLE = "every two seconds of wall time, and at a candle's close"


class Topic:
    """One stream. `news` returns what is new since it was asked last, None when nothing is."""

    beat: Beat

    def __init__(self, name: str, market: SimMarket, symbol: str) -> None:
        self.name = name
        self.symbol = symbol
        self.market = market

    @property
    def state(self) -> SymbolState:
        """The symbol's state; looked up each time, a restored market has new ones."""
        return self.market.states[self.symbol]

    def news(self, now_ms: int) -> Payload | None:
        """Return the payload to publish now."""
        raise NotImplementedError


class PrintTopic(Topic):
    """``@trade`` and ``@aggTrade``: published print by print, never by `news`."""

    beat = Beat.PRINT

    def __init__(
        self,
        name: str,
        market: SimMarket,
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


class KlineTopic(Topic):
    """``@kline_<interval>``, with the running candle between closes."""

    beat = Beat.CANDLE

    def __init__(
        self, name: str, market: SimMarket, symbol: str, interval: str, shift_ms: int
    ) -> None:
        super().__init__(name, market, symbol)
        self.interval = interval
        self.shift_ms = shift_ms
        self._seen_id = 0

    def news(self, now_ms: int) -> Payload | None:
        """Return the running candle when it has had a print since."""
        state = self.state
        if state.next_id == self._seen_id:
            return None
        self._seen_id = state.next_id
        running_ms = state.store.running_open_ms
        if running_ms is None:
            return None
        return self._event(
            floor_time(running_ms, self.interval, self.shift_ms), now_ms, is_closed=False
        )

    def final(self, border_ms: int, now_ms: int) -> Payload | None:
        """Return the candle that closed at `border_ms`, None when it is not its border."""
        if floor_time(border_ms, self.interval, self.shift_ms) != border_ms:
            return None
        open_ms = floor_time(border_ms - 1, self.interval, self.shift_ms)
        return self._event(open_ms, now_ms, is_closed=True)

    def _event(self, open_ms: int, now_ms: int, *, is_closed: bool) -> Payload | None:
        state = self.state
        candle = state.store.candle_at(self.interval, open_ms, self.shift_ms)
        if candle is None:
            return None
        return views.kline_event(
            state.grid,
            candle,
            self.interval,
            now_ms=now_ms,
            last_id=state.next_id - 1,
            is_closed=is_closed,
        )


class BookTickerTopic(Topic):
    """``@bookTicker``."""

    beat = Beat.TOUCH

    def __init__(self, name: str, market: SimMarket, symbol: str) -> None:
        super().__init__(name, market, symbol)
        self._seen_id = -1
        self._seen: object = None

    def news(self, now_ms: int) -> Payload | None:
        """Return the best prices when they or their quantities moved."""
        book, grid = self.state.book, self.state.grid
        if book.update_id == self._seen_id and not book.is_refilling():
            return None
        best = book.best(now_ms)
        if best == self._seen:
            return None
        self._seen, self._seen_id = best, book.refresh(now_ms)
        (bid, bid_units), (ask, ask_units) = best
        return {
            "u": self._seen_id,
            "s": grid.symbol,
            "b": grid.price_text(bid),
            "B": grid.volume_text(bid_units),
            "a": grid.price_text(ask),
            "A": grid.volume_text(ask_units),
        }


class WindowTopic(Topic):
    """``@miniTicker``, ``@ticker``, ``@ticker_<window>``."""

    beat = Beat.SECOND

    def __init__(
        self, name: str, market: SimMarket, symbol: str, *, kind: str, window_ms: int = DAY_MS
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

    def __init__(self, name: str, market: SimMarket, kind: str, window_ms: int) -> None:
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


class PartialDepthTopic(Topic):
    """``@depth<levels>``: the top of the book."""

    def __init__(self, name: str, market: SimMarket, symbol: str, levels: int, beat: Beat) -> None:
        super().__init__(name, market, symbol)
        self.beat = beat
        self._levels = levels
        self._seen_id = -1

    def news(self, now_ms: int) -> Payload | None:
        """Return the top levels when the book changed."""
        state = self.state
        update_id = state.book.refresh(now_ms)
        if update_id == self._seen_id:
            return None
        self._seen_id = update_id
        return {
            "lastUpdateId": update_id,
            "bids": level_texts(state.grid, state.book.ladder(BUY, now_ms, self._levels)),
            "asks": level_texts(state.grid, state.book.ladder(SELL, now_ms, self._levels)),
        }


class DiffDepthTopic(Topic):
    """``@depth``: levels that changed since the last event; U is always the last u plus one."""

    def __init__(self, name: str, market: SimMarket, symbol: str, beat: Beat) -> None:
        super().__init__(name, market, symbol)
        self.beat = beat
        now_ms = market.clock.now_ms()
        self._last_id = self.state.book.refresh(now_ms)
        self._known = self._levels(now_ms)

    def _levels(self, now_ms: int) -> dict[str, dict[int, int]]:
        book = self.state.book
        return {side: dict(book.ladder(side, now_ms, LEVELS)) for side in (BUY, SELL)}

    def news(self, now_ms: int) -> Payload | None:
        """Return the changed levels, quantity zero where a level is gone."""
        state = self.state
        update_id = state.book.refresh(now_ms)
        if update_id == self._last_id:
            return None
        current = self._levels(now_ms)
        changes = {side: _changed(self._known[side], current[side]) for side in (BUY, SELL)}
        first_id, self._last_id, self._known = self._last_id + 1, update_id, current
        return {
            "e": "depthUpdate",
            "E": now_ms,
            "s": self.symbol,
            "U": first_id,
            "u": update_id,
            "b": level_texts(state.grid, changes[BUY]),
            "a": level_texts(state.grid, changes[SELL]),
        }


def _changed(before: dict[int, int], after: dict[int, int]) -> list[tuple[int, int]]:
    changes = [(ticks, units) for ticks, units in after.items() if before.get(ticks) != units]
    return changes + [(ticks, 0) for ticks in before if ticks not in after]


def make_topic(name: str, market: SimMarket) -> Topic | None:
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


def _simple_topic(name: str, market: SimMarket, symbol: str, kind: str) -> Topic | None:
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


def _shaped_topic(name: str, market: SimMarket, symbol: str, kind: str) -> Topic | None:
    if match := KLINE.match(kind):
        interval, shift_ms = match["interval"], _zone_ms(match["zone"])
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

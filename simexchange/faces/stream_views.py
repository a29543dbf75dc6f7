"""Payloads of the market streams, as Binance names their keys."""

from typing import Any

from simexchange.market.candles import Candle
from simexchange.market.grid import Grid
from simexchange.market.rows import NO_ID
from simexchange.market.statistics import Statistics
from simexchange.market.symbolstate import Print, SymbolState


def trade_event(grid: Grid, entry: Print, now_ms: int) -> dict[str, Any]:
    """Return a ``@trade`` payload."""
    return {
        "e": "trade",
        "E": now_ms,
        "s": grid.symbol,
        "t": entry.trade_id,
        "p": grid.price_text(entry.ticks),
        "q": grid.volume_text(entry.units),
        "T": entry.time_ms,
        "m": entry.is_buyer_maker,
        "M": True,
    }


def agg_trade_event(grid: Grid, entry: Print, now_ms: int) -> dict[str, Any]:
    """Return an ``@aggTrade`` payload; each print is an aggregate of one."""
    return {
        "e": "aggTrade",
        "E": now_ms,
        "s": grid.symbol,
        "a": entry.trade_id,
        "p": grid.price_text(entry.ticks),
        "q": grid.volume_text(entry.units),
        "f": entry.trade_id,
        "l": entry.trade_id,
        "T": entry.time_ms,
        "m": entry.is_buyer_maker,
        "M": True,
    }


def kline_event(
    grid: Grid, candle: Candle, interval: str, *, now_ms: int, last_id: int, is_closed: bool
) -> dict[str, Any]:
    """Return a ``@kline_<interval>`` payload."""
    return {
        "e": "kline",
        "E": now_ms,
        "s": grid.symbol,
        "k": {
            "t": candle.open_ms,
            "T": candle.close_ms,
            "s": grid.symbol,
            "i": interval,
            "f": candle.first_id,
            "L": last_id if candle.trades else NO_ID,
            "o": grid.price_text(candle.open),
            "c": grid.price_text(candle.close),
            "h": grid.price_text(candle.high),
            "l": grid.price_text(candle.low),
            "v": grid.volume_text(candle.volume),
            "n": candle.trades,
            "x": is_closed,
            "q": grid.quote_text(candle.quote),
            "V": grid.volume_text(candle.taker),
            "Q": grid.quote_text(candle.taker_quote),
            "B": "0",
        },
    }


def mini_ticker_event(figures: Statistics, now_ms: int) -> dict[str, Any]:
    """Return a ``@miniTicker`` payload."""
    grid = figures.grid
    return {
        "e": "24hrMiniTicker",
        "E": now_ms,
        "s": grid.symbol,
        "c": grid.price_text(figures.last),
        "o": grid.price_text(figures.open),
        "h": grid.price_text(figures.high),
        "l": grid.price_text(figures.low),
        "v": grid.volume_text(figures.volume),
        "q": grid.quote_text(figures.quote),
    }


def window_ticker_event(figures: Statistics, event: str, now_ms: int) -> dict[str, Any]:
    """Return a ``@ticker_<window>`` payload, the part all long tickers share."""
    grid = figures.grid
    return {
        "e": event,
        "E": now_ms,
        "s": grid.symbol,
        "p": grid.price_text(figures.last - figures.open),
        "P": figures.change_percent(),
        "w": figures.weighted_average(),
        "c": grid.price_text(figures.last),
        "o": grid.price_text(figures.open),
        "h": grid.price_text(figures.high),
        "l": grid.price_text(figures.low),
        "v": grid.volume_text(figures.volume),
        "q": grid.quote_text(figures.quote),
        "O": figures.open_ms,
        "C": figures.close_ms,
        "F": figures.first_id,
        "L": figures.last_id,
        "n": figures.trades,
    }


def ticker_event(state: SymbolState, figures: Statistics, now_ms: int) -> dict[str, Any]:
    """Return a ``@ticker`` payload."""
    grid = state.grid
    (bid, bid_units), (ask, ask_units) = state.book.best(now_ms)
    return window_ticker_event(figures, "24hrTicker", now_ms) | {
        "x": grid.price_text(figures.prev_close),
        "Q": grid.volume_text(figures.last_units),
        "b": grid.price_text(bid),
        "B": grid.volume_text(bid_units),
        "a": grid.price_text(ask),
        "A": grid.volume_text(ask_units),
    }


def avg_price_event(state: SymbolState, now_ms: int) -> dict[str, Any]:
    """Return an ``@avgPrice`` payload."""
    grid = state.grid
    return {
        "e": "avgPrice",
        "E": now_ms,
        "s": grid.symbol,
        "i": "5m",
        "w": grid.price_text(grid.ticks(state.average_price(now_ms))),
        "T": state.tape[-1].time_ms if state.tape else now_ms,
    }


TIME_KEYS = ("E", "T", "O", "C")
KLINE_TIME_KEYS = ("t", "T")


def micro_payload(payload: dict[str, Any] | list[Any]) -> dict[str, Any] | list[Any]:
    """Return a payload with its times in microseconds."""
    if isinstance(payload, list):
        return [micro_payload(one) for one in payload]
    told = dict(payload)
    for key in TIME_KEYS:
        if isinstance(told.get(key), int):
            told[key] *= 1000
    if isinstance(told.get("k"), dict):
        kline = dict(told["k"])
        for key in KLINE_TIME_KEYS:
            kline[key] = kline[key] * 1000 + (999 if key == "T" else 0)
        told["k"] = kline
    return told

"""Tickers over REST: rolling day, trading day, any window, last price, best prices."""

import re
from collections.abc import Callable
from typing import Any

from simexchange.errors import ApiError
from simexchange.faces.market_params import (
    ACCEPTS,
    StatusOf,
    always_trading,
    check_status,
    with_status,
)
from simexchange.faces.params import (
    Params,
    check_symbol_text,
    missing,
    on_params,
    one_or_more,
    read_symbols,
    read_zone_ms,
)
from simexchange.faces.routing import Call, Route, Routes, Weight
from simexchange.market.floor import Floor
from simexchange.market.intervals import DAY_MS, HOUR_MS, MINUTE_MS, floor_time
from simexchange.market.statistics import Statistics, window_statistics
from simexchange.market.symbolstate import SymbolState

WINDOW = re.compile(r"^(?P<number>\d{1,2})(?P<unit>[mhd])$")
UNIT_MS = {"m": (MINUTE_MS, 59), "h": (HOUR_MS, 23), "d": (DAY_MS, 7)}
FEW, MANY = 20, 100
MOST_SYMBOLS = 100
MOST_WEIGHT = 200


def ticker_routes(market: Floor, status_of: StatusOf = always_trading) -> Routes:
    """Return the routes of all tickers."""
    face = TickerFace(market, status_of)
    table: dict[str, tuple[Callable[[Params], Any], Weight]] = {
        "ticker/24hr": (face.day, _day_weight),
        "ticker/price": (face.price, _price_weight),
        "ticker/bookTicker": (face.book, _price_weight),
        "ticker/tradingDay": (face.trading_day, _window_weight),
        "ticker": (face.window, _window_weight),
    }
    return {
        ("GET", f"/api/v3/{name}"): Route(
            handler=on_params(handler), weight=weight, names=ACCEPTS[name]
        )
        for name, (handler, weight) in table.items()
    }


def _asked(call: Call) -> int:
    """Return how many symbols a request names, 0 when it means all."""
    if "symbol" in call.params:
        return 1
    listed = call.params.get("symbols")
    return listed.count(",") + 1 if listed else 0


def _day_weight(call: Call) -> int:
    asked = _asked(call)
    if asked == 0 or asked > MANY:
        return 80
    return 2 if asked <= FEW else 40


def _price_weight(call: Call) -> int:
    return 2 if "symbol" in call.params else 4


def _window_weight(call: Call) -> int:
    return min(MOST_WEIGHT, 4 * max(1, _asked(call)))


class TickerFace:
    """The handlers; without a symbol the answer is a list of all."""

    def __init__(self, market: Floor, status_of: StatusOf) -> None:
        self._market = market
        self._status_of = status_of

    def _each(
        self, params: Params, view: Callable[[SymbolState], dict[str, Any]], *, all_by_default: bool
    ) -> Any:
        one, listed = one_or_more(params)
        if one is None and listed is None and not all_by_default:
            raise ApiError(
                -1102, "Param 'symbol' or 'symbols' must be sent, but both were empty/null!"
            )
        self._market.catch_up()
        if one is not None:
            state = self._state(one)
            check_status(params, one, self._status_of)
            return view(state)
        names = listed if listed is not None else list(self._market.symbols)
        states = {name: self._state(name) for name in names}
        return [view(states[name]) for name in with_status(params, names, self._status_of)]

    def _state(self, symbol: str) -> SymbolState:
        if not symbol:
            raise missing("symbol")
        state = self._market.states.get(check_symbol_text(symbol))
        if state is None:
            raise ApiError(-1121, "Invalid symbol.")
        return state

    def price(self, params: Params) -> Any:
        """Return last prices."""
        return self._each(params, price_view, all_by_default=True)

    def book(self, params: Params) -> Any:
        """Return best prices and quantities."""
        now_ms = self._market.clock.now_ms()
        return self._each(params, lambda state: book_view(state, now_ms), all_by_default=True)

    def day(self, params: Params) -> Any:
        """Return the last 24 hours, rolling."""
        now_ms = self._market.clock.now_ms()
        mini = _is_mini(params)

        def view(state: SymbolState) -> dict[str, Any]:
            figures = window_statistics(state, since_ms=now_ms - DAY_MS, now_ms=now_ms)
            if mini:
                return mini_view(figures)
            return full_view(figures) | _day_extras(state, figures, now_ms)

        return self._each(params, view, all_by_default=True)

    def window(self, params: Params) -> Any:
        """Return a rolling window that opens on a full minute."""
        now_ms = self._market.clock.now_ms()
        since_ms = (now_ms - _window_ms(params)) // MINUTE_MS * MINUTE_MS
        return self._windowed(params, since_ms, now_ms)

    def trading_day(self, params: Params) -> Any:
        """Return the day since midnight of a time zone, UTC by default."""
        now_ms = self._market.clock.now_ms()
        since_ms = floor_time(now_ms, "1d", read_zone_ms(params))
        return self._windowed(params, since_ms, now_ms)

    def _windowed(self, params: Params, since_ms: int, now_ms: int) -> Any:
        shape = mini_view if _is_mini(params) else full_view

        def view(state: SymbolState) -> dict[str, Any]:
            return shape(window_statistics(state, since_ms=since_ms, now_ms=now_ms))

        listed = read_symbols(params)
        if listed is not None and len(listed) > MOST_SYMBOLS:
            raise ApiError(
                -1101,
                f"Too many parameters; expected '{MOST_SYMBOLS}' and received '{len(listed)}'.",
            )
        return self._each(params, view, all_by_default=False)


def _is_mini(params: Params) -> bool:
    kind = params.get("type", "FULL")
    if kind not in {"FULL", "MINI"}:
        raise ApiError(-1139, "Invalid ticker type.")
    return kind == "MINI"


def _window_ms(params: Params) -> int:
    match = WINDOW.fullmatch(params.get("windowSize", "1d"))
    if match:
        length_ms, most = UNIT_MS[match["unit"]]
        if 1 <= int(match["number"]) <= most:
            return int(match["number"]) * length_ms
    raise ApiError(-1130, "Data sent for parameter 'windowSize' is not valid.")


def price_view(state: SymbolState) -> dict[str, Any]:
    """Return a last price."""
    return {"symbol": state.grid.symbol, "price": state.grid.price_text(state.last_ticks)}


def book_view(state: SymbolState, now_ms: int) -> dict[str, Any]:
    """Return the best prices and quantities."""
    (bid, bid_units), (ask, ask_units) = state.book.best(now_ms)
    grid = state.grid
    return {
        "symbol": grid.symbol,
        "bidPrice": grid.price_text(bid),
        "bidQty": grid.volume_text(bid_units),
        "askPrice": grid.price_text(ask),
        "askQty": grid.volume_text(ask_units),
    }


def mini_view(figures: Statistics) -> dict[str, Any]:
    """Return a window's short form."""
    grid = figures.grid
    return {
        "symbol": grid.symbol,
        "openPrice": grid.price_text(figures.open),
        "highPrice": grid.price_text(figures.high),
        "lowPrice": grid.price_text(figures.low),
        "lastPrice": grid.price_text(figures.last),
        "volume": grid.volume_text(figures.volume),
        "quoteVolume": grid.quote_text(figures.quote),
        "openTime": figures.open_ms,
        "closeTime": figures.close_ms,
        "firstId": figures.first_id,
        "lastId": figures.last_id,
        "count": figures.trades,
    }


def full_view(figures: Statistics) -> dict[str, Any]:
    """Return a window's long form."""
    return {
        "symbol": figures.grid.symbol,
        "priceChange": figures.grid.price_text(figures.last - figures.open),
        "priceChangePercent": figures.change_percent(),
        "weightedAvgPrice": figures.weighted_average(),
    } | mini_view(figures)


def _day_extras(state: SymbolState, figures: Statistics, now_ms: int) -> dict[str, Any]:
    grid = state.grid
    book = book_view(state, now_ms)
    return {
        "prevClosePrice": grid.price_text(figures.prev_close),
        "lastQty": grid.volume_text(figures.last_units),
        **book,
    }

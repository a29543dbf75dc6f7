"""Market data over REST: the open endpoints that need no key."""

from typing import TYPE_CHECKING, Any

from simexchange.errors import ApiError
from simexchange.faces.market_params import ACCEPTS, StatusOf, always_trading, check_status
from simexchange.faces.params import (
    DIGITS,
    Params,
    missing,
    on_params,
    read_int,
    read_limit,
    read_symbol,
    read_time_ms,
    read_zone_ms,
)
from simexchange.faces.routing import Call, Route, Routes
from simexchange.faces.tickers import ticker_routes
from simexchange.market.candles import Candle
from simexchange.market.floor import Floor
from simexchange.market.grid import Grid
from simexchange.market.intervals import INTERVAL_MS
from simexchange.market.publicbook import MOST_LEVELS
from simexchange.market.seconds import second_candles
from simexchange.market.symbolstate import Print, SymbolState

if TYPE_CHECKING:
    from collections.abc import Callable


def market_routes(market: Floor, status_of: StatusOf = always_trading) -> Routes:
    """Return the routes of all market data under ``/api/v3``.

    Args:
        market: whose data.
        status_of: a symbol's present status.
    """
    face = MarketFace(market, status_of)
    table: dict[str, tuple[Callable[[Params], Any], Any]] = {
        "ping": (face.ping, 1),
        "time": (face.time, 1),
        "depth": (face.depth, _depth_weight),
        "trades": (face.trades, 25),
        "historicalTrades": (face.historical_trades, 25),
        "aggTrades": (face.agg_trades, 4),
        "klines": (face.klines, 2),
        "uiKlines": (face.klines, 2),
        "avgPrice": (face.avg_price, 2),
        "executionRules": (face.execution_rules, 40),
        "referencePrice": (face.reference_price, 2),
        "referencePrice/calculation": (face.reference_price, 2),
        "historicalBlockTrades": (face.block_trades, 25),
    }
    routes = {
        ("GET", f"/api/v3/{name}"): Route(
            handler=on_params(handler), weight=weight, names=ACCEPTS[name]
        )
        for name, (handler, weight) in table.items()
    }
    return routes | ticker_routes(market, status_of)


def _depth_weight(call: Call) -> int:
    limit = call.params.get("limit", "")
    levels = int(limit) if DIGITS.fullmatch(limit) else 100
    for most, weight in ((100, 5), (500, 25), (1000, 50)):
        if levels <= most:
            return weight
    return 250


def find_state(market: Floor, symbol: str) -> SymbolState:
    """Return the state of a symbol, brought up to the present.

    Raises:
        ApiError: -1121 when it is not traded here.
    """
    state = market.states.get(symbol)
    if state is None:
        raise ApiError(-1121, "Invalid symbol.")
    market.catch_up()
    return state


class MarketFace:
    """The handlers: plain functions from parameters to JSON-able values."""

    def __init__(self, market: Floor, status_of: StatusOf) -> None:
        self._market = market
        self._status_of = status_of

    def _state(self, params: Params) -> SymbolState:
        return find_state(self._market, read_symbol(params))

    def ping(self, params: Params) -> dict[str, Any]:
        """Answer that somebody is there."""
        del params
        return {}

    def time(self, params: Params) -> dict[str, Any]:
        """Return exchange time."""
        del params
        return {"serverTime": self._market.clock.now_ms()}

    def depth(self, params: Params) -> dict[str, Any]:
        """Return the ladder, best first."""
        state = self._state(params)
        check_status(params, state.grid.symbol, self._status_of)
        limit = read_limit(params, default=100, most=MOST_LEVELS)
        return depth_view(state, self._market.clock.now_ms(), limit)

    def trades(self, params: Params) -> list[dict[str, Any]]:
        """Return the newest prints, ascending."""
        state = self._state(params)
        limit = read_limit(params, default=500, most=1000)
        return [trade_view(state.grid, entry) for entry in list(state.tape)[-limit:]]

    def historical_trades(self, params: Params) -> list[dict[str, Any]]:
        """Return prints from an id on; the tape keeps the newest only."""
        from_id = read_int(params, "fromId")
        if from_id is None:
            return self.trades(params)
        state = self._state(params)
        limit = read_limit(params, default=500, most=1000)
        found = [entry for entry in state.tape if entry.trade_id >= from_id]
        return [trade_view(state.grid, entry) for entry in found[:limit]]

    def agg_trades(self, params: Params) -> list[dict[str, Any]]:
        """Return aggregates; here each print is one, of the same id."""
        state = self._state(params)
        limit = read_limit(params, default=500, most=1000)
        from_id = read_int(params, "fromId")
        start_ms, end_ms = read_time_ms(params, "startTime"), read_time_ms(params, "endTime")
        if from_id is not None and (start_ms is not None or end_ms is not None):
            raise ApiError(
                -1128,
                "Combination of optional parameters invalid. "
                "Recommendation: 'fromId' cannot be sent with 'startTime' or 'endTime'.",
            )
        found = [
            entry
            for entry in state.tape
            if (from_id is None or entry.trade_id >= from_id)
            and (start_ms is None or entry.time_ms >= start_ms)
            and (end_ms is None or entry.time_ms <= end_ms)
        ]
        oldest_first = from_id is not None or start_ms is not None
        chosen = found[:limit] if oldest_first else found[-limit:]
        return [agg_trade_view(state.grid, entry) for entry in chosen]

    def klines(self, params: Params) -> list[list[Any]]:
        """Return candles, the running one last."""
        state = self._state(params)
        interval = params.get("interval", "")
        if not interval:
            raise missing("interval")
        if interval not in INTERVAL_MS:
            raise ApiError(-1120, "Invalid interval.")
        start_ms, end_ms = read_time_ms(params, "startTime"), read_time_ms(params, "endTime")
        limit, shift_ms = read_limit(params, default=500, most=1000), read_zone_ms(params)
        if interval == "1s":
            found = second_candles(
                state,
                now_ms=self._market.clock.now_ms(),
                start_ms=start_ms,
                end_ms=end_ms,
                limit=limit,
            )
        elif state.store.serves(interval):
            found = state.store.candles(
                interval, start_ms=start_ms, end_ms=end_ms, limit=limit, shift_ms=shift_ms
            )
        else:
            raise ApiError(-1120, "Invalid interval.")
        return [kline_view(state.grid, candle) for candle in found]

    def avg_price(self, params: Params) -> dict[str, Any]:
        """Return the volume weighted price of the last five minutes."""
        state = self._state(params)
        now_ms = self._market.clock.now_ms()
        newest = state.tape[-1].time_ms if state.tape else now_ms
        price = state.grid.ticks(state.average_price(now_ms))
        return {"mins": 5, "price": state.grid.price_text(price), "closeTime": newest}

    def execution_rules(self, params: Params) -> dict[str, Any]:
        """Return the rules for the price of executions: this exchange has none."""
        if "symbol" in params:
            self._state(params)
        return {"symbolRules": []}

    def reference_price(self, params: Params) -> dict[str, Any]:
        """Refuse: no symbol here has a reference price.

        Raises:
            ApiError: -2043.
        """
        self._state(params)
        raise ApiError(-2043, "This symbol doesn't have a reference price.")

    def block_trades(self, params: Params) -> list[dict[str, Any]]:
        """Return trades made off the book: nobody makes any here."""
        self._state(params)
        return []


def depth_view(state: SymbolState, now_ms: int, limit: int) -> dict[str, Any]:
    """Return a ladder with the update id that the diff stream goes on from."""
    update_id, bids, asks = state.book.snapshot(now_ms, limit)
    return {
        "lastUpdateId": update_id,
        "bids": level_texts(state.grid, bids),
        "asks": level_texts(state.grid, asks),
    }


def level_texts(grid: Grid, levels: list[tuple[int, int]]) -> list[list[str]]:
    """Return levels as the wire shows them."""
    return [[grid.price_text(ticks), grid.volume_text(units)] for ticks, units in levels]


def trade_view(grid: Grid, entry: Print) -> dict[str, Any]:
    """Return a print as ``GET trades`` shows it."""
    return {
        "id": entry.trade_id,
        "price": grid.price_text(entry.ticks),
        "qty": grid.volume_text(entry.units),
        "quoteQty": grid.quote_text(grid.quote_units(entry.ticks, entry.units)),
        "time": entry.time_ms,
        "isBuyerMaker": entry.is_buyer_maker,
        "isBestMatch": True,
    }


def agg_trade_view(grid: Grid, entry: Print) -> dict[str, Any]:
    """Return a print as ``GET aggTrades`` shows it."""
    return {
        "a": entry.trade_id,
        "p": grid.price_text(entry.ticks),
        "q": grid.volume_text(entry.units),
        "f": entry.trade_id,
        "l": entry.trade_id,
        "T": entry.time_ms,
        "m": entry.is_buyer_maker,
        "M": True,
    }


def kline_view(grid: Grid, candle: Candle) -> list[Any]:
    """Return a candle as ``GET klines`` shows it."""
    return [
        candle.open_ms,
        grid.price_text(candle.open),
        grid.price_text(candle.high),
        grid.price_text(candle.low),
        grid.price_text(candle.close),
        grid.volume_text(candle.volume),
        candle.close_ms,
        grid.quote_text(candle.quote),
        candle.trades,
        grid.volume_text(candle.taker),
        grid.quote_text(candle.taker_quote),
        "0",
    ]

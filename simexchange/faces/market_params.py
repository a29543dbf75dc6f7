"""Which parameters the open endpoints take, and what they say of others."""

from collections.abc import Callable, Iterable

from simexchange.errors import ApiError
from simexchange.faces.params import Params

STATUSES = ("TRADING", "HALT", "BREAK")
"""Statuses that may be asked for."""
ACCEPTS: dict[str, frozenset[str]] = {
    "ping": frozenset(),
    "time": frozenset(),
    "depth": frozenset({"symbol", "limit", "symbolStatus"}),
    "trades": frozenset({"symbol", "limit"}),
    "historicalTrades": frozenset({"symbol", "limit", "fromId"}),
    "aggTrades": frozenset({"symbol", "limit", "fromId", "startTime", "endTime"}),
    "klines": frozenset({"symbol", "interval", "startTime", "endTime", "timeZone", "limit"}),
    "uiKlines": frozenset({"symbol", "interval", "startTime", "endTime", "timeZone", "limit"}),
    "avgPrice": frozenset({"symbol"}),
    "executionRules": frozenset({"symbol", "symbols", "symbolStatus"}),
    "referencePrice": frozenset({"symbol"}),
    "referencePrice/calculation": frozenset({"symbol", "symbolStatus"}),
    "historicalBlockTrades": frozenset({"symbol", "fromId", "limit", "startTime", "endTime"}),
    "ticker/24hr": frozenset({"symbol", "symbols", "type", "symbolStatus"}),
    "ticker/tradingDay": frozenset({"symbol", "symbols", "timeZone", "type", "symbolStatus"}),
    "ticker/price": frozenset({"symbol", "symbols", "symbolStatus"}),
    "ticker/bookTicker": frozenset({"symbol", "symbols", "symbolStatus"}),
    "ticker": frozenset({"symbol", "symbols", "windowSize", "type", "symbolStatus"}),
}
StatusOf = Callable[[str], str]


def always_trading(_symbol: str) -> str:
    """Say that a symbol trades."""
    return "TRADING"


def read_status(params: Params) -> str:
    """Return the status asked for, empty when none is.

    Raises:
        ApiError: -1122 when it is none that can be asked for.
    """
    status = params.get("symbolStatus", "")
    if "symbolStatus" in params and status not in STATUSES:
        raise ApiError(-1122, "Invalid symbolStatus.")
    return status


def check_status(params: Params, symbol: str, status_of: StatusOf) -> None:
    """Refuse a symbol whose status is not the one asked for.

    Raises:
        ApiError: -1220.
    """
    status = read_status(params)
    if status and status_of(symbol) != status:
        raise ApiError(-1220, "The symbol's status does not match the requested symbolStatus.")


def with_status(params: Params, symbols: Iterable[str], status_of: StatusOf) -> list[str]:
    """Return the symbols that have the status asked for."""
    status = read_status(params)
    return [symbol for symbol in symbols if not status or status_of(symbol) == status]

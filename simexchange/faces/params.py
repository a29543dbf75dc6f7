"""Reading request parameters as Binance does, with its refusals."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from simexchange.errors import ApiError
from simexchange.faces.routing import Call

Params = Mapping[str, str]

SYMBOL = re.compile(r"(?:(?![a-z])[\w\-.]){1,50}")
SYMBOL_RANGE = r"^[\w\-._&&[^a-z]]{1,50}$"
"""The legal range in the exchange's own notation, Java's: word characters but for a to z."""
_QUOTED = SYMBOL_RANGE.strip("^$").join(('"', '"'))
SYMBOLS = re.compile(rf'\[("{SYMBOL.pattern}"(,"{SYMBOL.pattern}")*)?\]')
SYMBOLS_RANGE = rf"^\[({_QUOTED}(,{_QUOTED}){{0,}}){{0,1}}\]$"
DIGITS = re.compile(r"^[0-9]{1,20}$")
TIME_ZONE = re.compile(r"^(?P<sign>[+-]?)(?P<hours>\d{1,2})(:(?P<minutes>\d{2}))?$")
HOUR_MS, MINUTE_MS = 3_600_000, 60_000
EARLIEST_ZONE_MS, LATEST_ZONE_MS = -12 * HOUR_MS, 14 * HOUR_MS
MICROSECONDS_FROM = 10**14
"""Epoch times at or above this are microseconds (as milliseconds they lie past the year 5000)."""


def on_params(handler: Callable[[Params], Any]) -> Callable[[Call], Any]:
    """Return a route's handler for a function that needs nothing but the parameters."""

    def answer(call: Call) -> Any:
        return handler(call.params)

    return answer


def missing(name: str) -> ApiError:
    """Return the refusal of a request that lacks `name`."""
    return ApiError(
        -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    )


def illegal(name: str, legal: str) -> ApiError:
    """Return the refusal of a parameter with characters that do not belong there."""
    return ApiError(
        -1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'."
    )


def read_symbol(params: Mapping[str, str]) -> str:
    """Return the mandatory symbol; whether it is traded is not looked at."""
    symbol = params.get("symbol", "")
    if not symbol:
        raise missing("symbol")
    return check_symbol_text(symbol)


def check_symbol_text(symbol: object) -> str:
    """Return a symbol that is written as one."""
    if not isinstance(symbol, str) or not SYMBOL.fullmatch(symbol):
        raise illegal("symbol", SYMBOL_RANGE)
    return symbol


def read_symbols(params: Mapping[str, str]) -> list[str] | None:
    """Return the `symbols` list, None when it was not sent.

    Raises:
        ApiError: -1100 when it is not written as it must be (a blank after a comma is enough).
    """
    text = params.get("symbols")
    if text is None:
        return None
    if not SYMBOLS.fullmatch(text):
        raise illegal("symbols", SYMBOLS_RANGE)
    names: list[str] = json.loads(text)
    if not names:
        raise ApiError(-1105, "Parameter 'symbols' was empty.")
    if len(set(names)) != len(names):
        raise ApiError(-1151, "Symbol is present multiple times in the list.")
    return names


def one_or_more(params: Mapping[str, str]) -> tuple[str | None, list[str] | None]:
    """Return (`symbol`, `symbols`), of which one may be sent and not both."""
    one, listed = params.get("symbol"), read_symbols(params)
    if one is not None and listed is not None:
        raise ApiError(
            -1128,
            "Combination of optional parameters invalid. "
            "Recommendation: 'symbol' and 'symbols' cannot be combined.",
        )
    return one, listed


def read_int(params: Mapping[str, str], name: str) -> int | None:
    """Return a whole number, None when it was not sent."""
    text = params.get(name)
    if text is None:
        return None
    if text == "":
        raise ApiError(-1105, f"Parameter '{name}' was empty.")
    if not DIGITS.fullmatch(text):
        raise illegal(name, DIGITS.pattern)
    return int(text)


def read_time_ms(params: Mapping[str, str], name: str) -> int | None:
    """Return a time in milliseconds, None when it was not sent; microseconds are understood."""
    value = read_int(params, name)
    if value is not None and value >= MICROSECONDS_FROM:
        return value // 1000
    return value


def read_limit(params: Mapping[str, str], *, default: int, most: int) -> int:
    """Return a row limit; more than `most` is cut to it."""
    limit = read_int(params, "limit")
    if limit is None:
        return default
    if limit < 1:
        raise ApiError(-1130, "Data sent for parameter 'limit' is not valid.")
    return min(limit, most)


def read_zone_ms(params: Params) -> int:
    """Return the offset of `timeZone`, zero when it was not sent.

    Raises:
        ApiError: -1130 when it is none or lies outside -12:00..+14:00.
    """
    text = params.get("timeZone")
    if text is None:
        return 0
    match = TIME_ZONE.fullmatch(text.strip())
    if match is None:
        raise ApiError(-1130, "Data sent for parameter 'timeZone' is not valid.")
    size = int(match["hours"]) * HOUR_MS + int(match["minutes"] or 0) * MINUTE_MS
    offset = -size if match["sign"] == "-" else size
    if not EARLIEST_ZONE_MS <= offset <= LATEST_ZONE_MS:
        raise ApiError(-1130, "Data sent for parameter 'timeZone' is not valid.")
    return offset

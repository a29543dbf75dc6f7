"""Replies in microseconds for who asks for them."""

from typing import Any

from simexchange.errors import ApiError

UNITS = ("MILLISECOND", "MICROSECOND")
TIMES = frozenset(
    {
        *("time", "updateTime", "workingTime", "trailingTime", "transactTime", "transactionTime"),
        *("serverTime", "openTime", "closeTime", "T"),
    }
)
"""The fields of replies that are times."""
KLINES = ("/api/v3/klines", "/api/v3/uiKlines")
KLINE_TIMES = (0, 6)
"""Places of a kline's opening and closing time."""


def wants_microseconds(unit: str) -> bool:
    """Tell whether a request's time unit is the microsecond; without one it is not.

    Raises:
        ApiError: -1194 on a unit that does not exist.
    """
    if unit and unit.upper() not in UNITS:
        raise ApiError(
            -1194, "Invalid value for time unit; expected either MICROSECOND or MILLISECOND."
        )
    return unit.upper() == "MICROSECOND"


def in_microseconds(path: str, body: Any) -> Any:
    """Return a reply with its times in microseconds; a time of -1 stays what it is."""
    if path in KLINES and isinstance(body, list):
        return [
            [_scaled(held) if at in KLINE_TIMES else held for at, held in enumerate(row)]
            for row in body
        ]
    return _convert(body)


def _scaled(held: Any) -> Any:
    return held * 1000 if isinstance(held, int) and held > 0 else held


def _convert(body: Any) -> Any:
    if isinstance(body, list):
        return [_convert(one) for one in body]
    if not isinstance(body, dict):
        return body
    return {name: _scaled(held) if name in TIMES else _convert(held) for name, held in body.items()}

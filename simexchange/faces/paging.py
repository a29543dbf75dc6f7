"""Pages of an account's history."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from simexchange.errors import ApiError
from simexchange.faces.order_params import limit_of, whole
from simexchange.faces.params import MICROSECONDS_FROM
from simexchange.faces.routing import Call

DAY_MS = 86_400_000
PAGE_NAMES = frozenset({"startTime", "endTime", "limit"})


def time_ms_of(call: Call, name: str) -> int:
    """Return a time in milliseconds, -1 when not sent; microseconds are understood."""
    value = whole(call.params, name, -1)
    return value // 1000 if value >= MICROSECONDS_FROM else value


def page(
    rows: Sequence[Any],
    call: Call,
    *,
    time_of: Callable[[Any], int],
    from_id: tuple[str, Callable[[Any], int]],
) -> list[Any]:
    """Return a page of rows, ascending in id and time, by the exchange's history rules.

    No times: the newest; startTime: the oldest from it; endTime: the newest up to it; an id: the
    oldest from it on. More than 24 hours between the times are refused.
    """
    start_ms, end_ms = time_ms_of(call, "startTime"), time_ms_of(call, "endTime")
    if start_ms >= 0 and end_ms >= 0 and end_ms - start_ms > DAY_MS:
        raise ApiError(-1127, "More than 24 hours between startTime and endTime.")
    limit = limit_of(call.params)
    id_name, id_of = from_id
    first_id = whole(call.params, id_name, -1)
    if first_id >= 0:
        first = bisect_left(rows, first_id, key=id_of)
        return list(rows[first : first + limit])
    first = bisect_left(rows, start_ms, key=time_of) if start_ms >= 0 else 0
    end = bisect_right(rows, end_ms, key=time_of) if end_ms >= 0 else len(rows)
    if start_ms >= 0:
        return list(rows[first : min(first + limit, end)])
    return list(rows[max(0, end - limit) : end])

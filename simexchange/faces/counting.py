"""The unfilled orders of a placement: checked before, counted, shown in the reply's headers."""

from collections.abc import Callable
from typing import TypeVar

from simexchange.errors import ApiError
from simexchange.faces.limits import Limits
from simexchange.faces.routing import Call

Placed = TypeVar("Placed")


def show_counts(limits: Limits, call: Call) -> None:
    """Put the account's counts into the reply's headers."""
    short, day = limits.order_counts(call.account)
    call.headers["x-mbx-order-count-10s"] = str(short)
    call.headers["x-mbx-order-count-1d"] = str(day)


def count_placement(limits: Limits, call: Call, orders: int, place: Callable[[], Placed]) -> Placed:
    """Place so many orders and count them; refused ones do not count.

    They count before they are placed, because their first fills are taken off at once.

    Raises:
        ApiError: -1015 with too many unfilled, else what refused the placement.
    """
    limits.check_orders(call.account, orders)
    limits.count_orders(call.account, orders)
    try:
        placed = place()
    except ApiError:
        limits.count_orders(call.account, -orders)
        raise
    show_counts(limits, call)
    return placed

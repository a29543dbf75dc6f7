"""One budget of request weight for all processes behind one address, and who may use its end."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

MINUTE_MS = 60_000


class Priority(IntEnum):
    """What a request is for; the higher may use more of the budget."""

    DATA = 0
    ENTRY = 1
    EXIT = 2  # and finding out what became of orders
    CANCEL = 3


# Share of the exchange's limit up to which each may ask. Cancels always have a fifth to
# themselves and the exits; the last tenth is theirs alone.
SHARES: Mapping[Priority, float] = {
    Priority.DATA: 0.7,
    Priority.ENTRY: 0.8,
    Priority.EXIT: 0.9,
    Priority.CANCEL: 1.0,
}
_FINDING_OUT = ("/order", "/orderList", "/openOrders", "/allOrders", "/myTrades", "/account")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What is known of the budget, wall time.

    Attributes:
        minute: Minutes since 1970 that `used` counts in: the exchange starts anew with each.
        used: Weight used in that minute by everybody behind the address.
        frozen_until_ms: The exchange asked for silence until then.
    """

    minute: int = 0
    used: int = 0
    frozen_until_ms: int = 0


def priority_of(*, method: str, path: str, side: str = "") -> Priority:
    """Return what a request is for.

    Args:
        method: HTTP verb.
        path: Of the call, such as ``/api/v3/order``.
        side: Of the order that it places, if it does.
    """
    method = method.upper()
    if method == "DELETE":
        return Priority.CANCEL
    if method == "PUT":
        return Priority.EXIT  # an amendment makes an order smaller
    if method == "POST":
        return Priority.EXIT if side == "SELL" else Priority.ENTRY
    return Priority.EXIT if path.endswith(_FINDING_OUT) else Priority.DATA


def wait_ms(usage: Usage, *, priority: Priority, limit: int, now_ms: int) -> int:
    """Return how long a request must wait; 0: it may go now.

    Args:
        usage: What is known.
        priority: What the request is for.
        limit: Weight that the exchange allows in a minute.
        now_ms: Wall time.
    """
    if now_ms < usage.frozen_until_ms:
        return usage.frozen_until_ms - now_ms
    minute, passed_ms = divmod(now_ms, MINUTE_MS)
    if usage.minute == minute and usage.used >= SHARES[priority] * limit:
        return MINUTE_MS - passed_ms
    return 0

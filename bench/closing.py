"""Closes one candle through the real chain and waits for what became of it."""

import time
from dataclasses import dataclass
from typing import Any

from bench import desk as desks
from bench import system
from bench.desk import Desk

_LIMIT_S = 30.0
_TRIES = 3
_TIMES = ("decision__created_at", "attempts__finished_at")


class NotEntered(Exception):
    """A symbol that should enter was decided otherwise; the message says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """What a close took, in milliseconds.

    Attributes:
        accepted: Until the exchange had received the last order (its own time of the request).
        booked: Until all orders' outcomes were booked.
        decision_to_wire: From each decision to its order's request at the exchange.
        intent_to_wire: The same from the order's row, which the gate begins with.
    """

    accepted: float
    booked: float
    decision_to_wire: tuple[float, ...]
    intent_to_wire: tuple[float, ...]


def close_or_again(desk: Desk, size: int) -> Close:
    """Close a candle; again when the machine was so busy that the close had become stale."""
    for _ in range(_TRIES):
        try:
            return close_once(desk, size)
        except NotEntered as error:
            system.say(str(error))
            desk.close_all()
    raise RuntimeError(f"{size} symbols: {_TRIES} closes in a row were not entered on")


def close_once(desk: Desk, size: int) -> Close:
    """Close one candle for `size` symbols."""
    from tradingsite.pipeline import start_chain

    close_ms, rows = desk.next_rows(size)
    started = time.time()
    start_chain(timeframe=desks.TIMEFRAME, close_time_ms=close_ms, rows=rows)
    orders = _wait_for_orders(desk, size, close_ms)
    received = {
        entry["client_order_id"]: desk.wall_s_of_ms(entry["time"])
        for entry in desk.ledger(8 * len(orders) + 20)["requests"]
        if entry["method"] == "POST"
    }

    def until_received(since: str) -> tuple[float, ...]:
        return tuple(
            1000 * (received[order["client_order_id"]] - desk.wall_s(order[since]))
            for order in orders
        )

    booked = max(desk.wall_s(order["attempts__finished_at"]) for order in orders)
    return Close(
        accepted=1000 * (max(received[order["client_order_id"]] for order in orders) - started),
        booked=1000 * (booked - started),
        decision_to_wire=until_received("decision__created_at"),
        intent_to_wire=until_received("created_at"),
    )


def _wait_for_orders(desk: Desk, size: int, close_ms: int) -> list[dict[str, Any]]:
    """Wait until the close's entries are booked and protected; return them."""
    from core.clock import from_ms
    from execution.models import Order

    expected = desk.entering_in(size)
    entries = Order.objects.filter(
        leg="ENTRY", instrument_id__in=expected, decision__close_time=from_ms(close_ms)
    )
    protections = Order.objects.filter(leg="PROTECT", instrument_id__in=expected, state="NEW")
    deadline = time.monotonic() + _LIMIT_S
    while time.monotonic() < deadline:
        # The times come from the records, so that a rare look costs no accuracy.
        time.sleep(0.05)
        filled = entries.filter(state="FILLED", attempts__finished_at__isnull=False)
        if filled.count() == len(expected) and protections.count() == len(expected):
            return list(filled.values("client_order_id", "created_at", *_TIMES))
        if held := _held(desk, size, close_ms):
            raise NotEntered(f"{size} symbols: {held}")
    raise RuntimeError(f"{size} symbols: {protections.count()} of {len(expected)} protected")


def _held(desk: Desk, size: int, close_ms: int) -> dict[str, int]:
    """Return why symbols were held that should have entered, and how many of them."""
    from collections import Counter

    from core.clock import from_ms
    from execution.models import Decision

    made = Decision.objects.filter(
        close_time=from_ms(close_ms), instrument_id__in=desk.entering_in(size), action="HOLD"
    )
    return dict(Counter(made.values_list("reason", flat=True)))

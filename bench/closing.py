"""Closes one candle through the real chain and waits for what became of it."""

import time
from typing import Any

from bench import desk as desks
from bench import system
from bench.desk import Desk

_LIMIT_S = 30.0
_TRIES = 3


class NotEntered(Exception):
    """A symbol that should enter was decided otherwise; the message says how."""


def close_or_again(desk: Desk, size: int) -> tuple[float, float, list[float]]:
    """Close a candle; again when the machine was so busy that the close had become stale."""
    for _ in range(_TRIES):
        try:
            return close_once(desk, size)
        except NotEntered as error:
            system.say(str(error))
            desk.close_all()
    raise RuntimeError(f"{size} symbols: {_TRIES} closes in a row were not entered on")


def close_once(desk: Desk, size: int) -> tuple[float, float, list[float]]:
    """Close one candle for `size` symbols.

    Returns:
        Milliseconds until the exchange had accepted the last order (its own time of the request),
        until all orders' outcomes were booked, and from each decision to its order's request.
    """
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
    accepted = max(received[order["client_order_id"]] for order in orders) - started
    booked = max(desk.wall_s(order["attempts__finished_at"]) for order in orders) - started
    to_wire = [
        1000 * (received[order["client_order_id"]] - desk.wall_s(order["decision__created_at"]))
        for order in orders
    ]
    return accepted * 1000, booked * 1000, to_wire


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
            return list(
                filled.values("client_order_id", "decision__created_at", "attempts__finished_at")
            )
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

"""Entries that fill in parts: resting buys that another account sells into, twice each."""

import hashlib
import hmac
import json
import urllib.parse
import urllib.request
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bench.floor_of_orders import ACTOR, SYMBOLS, OrderFloor, wait_for

_NOTIONAL = Decimal(600)
_SHARE = Decimal("0.3")
_TRIES = 10


@dataclass(slots=True, kw_only=True)
class Bare:
    """Seconds from a fill to the stop for it.

    Attributes:
        first: Of the first part of an entry whose rest still rests.
        added: Of a part that came to a position with a stop.
    """

    first: list[float] = field(default_factory=list)
    added: list[float] = field(default_factory=list)


class Seller:
    """Another account, with something to sell in every symbol."""

    def __init__(self, floor: OrderFloor) -> None:
        self._floor = floor
        self._key = f"seller-{uuid.uuid4().hex[:8]}"
        balances = {symbol.removesuffix("USDT"): "1000000" for symbol in SYMBOLS}
        account = {"key": self._key, "secret": self._key, "balances": balances}
        floor.call("POST", "/_sim/account", account)

    def sell(self, symbol: str, quantity: Decimal) -> Decimal:
        """Sell at the market; return the price of the last trade."""
        now_ms = self._floor.call("GET", "/api/v3/time")["serverTime"]
        order = {"symbol": symbol, "side": "SELL", "type": "MARKET", "quantity": f"{quantity:f}"}
        text = urllib.parse.urlencode({**order, "timestamp": now_ms})
        signature = hmac.new(self._key.encode(), text.encode(), hashlib.sha256).hexdigest()
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{self._floor.url}/api/v3/order?{text}&signature={signature}",
            method="POST",
            headers={"X-MBX-APIKEY": self._key},
        )
        with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310 - the same
            return Decimal(json.load(reply)["fills"][-1]["price"])


def measure_parts(floor: OrderFloor, *, rounds: int) -> Bare:
    """Measure with what runs on the floor; an entry that the market fills whole is no sample."""
    seller, bare = Seller(floor), Bare()
    _close(floor)
    for number in range(rounds):
        for _ in range(_TRIES):
            if _measure_one(floor, seller, SYMBOLS[number % len(SYMBOLS)], bare):
                break
        else:
            raise RuntimeError(f"{_TRIES} entries in a row were not filled in parts")
    return bare


def _measure_one(floor: OrderFloor, seller: Seller, symbol: str, bare: Bare) -> bool:
    from execution.models import Fill
    from execution.services.cancels import cancel_orders

    order = _rest_inside(floor, symbol)
    part = _part_of(order.quantity, symbol)
    found: list[float] = []
    for count in (1, 2):
        if seller.sell(symbol, part) != order.price:
            break  # the market has moved on: somebody else offers more
        fills = Fill.objects.filter(order=order).order_by("pk")
        wait_for(lambda: fills.count() >= count, "booked part")  # noqa: B023
        wait_for(lambda: len(_stops(order)) >= count, "stop for the part")  # noqa: B023
        fill, stop = fills[count - 1], _stops(order)[count - 1]
        found.append((stop.finished_at - fill.timestamp).total_seconds())
    order.refresh_from_db()
    is_sample = len(found) == 2 and order.state == "PARTIALLY_FILLED"
    if is_sample:
        bare.first.append(found[0])
        bare.added.append(found[1])
    cancel_orders(orders=[order], broker=floor.broker, clock=_clock())
    _close(floor)
    return is_sample


def _close(floor: OrderFloor) -> None:
    """Close every position: the next first part shall open one."""
    from execution.models import Position
    from execution.services.orders import close_position

    opened = Position.objects.filter(status=Position.Status.OPEN)
    for symbol in list(opened.values_list("symbol", flat=True)):
        close_position(
            account_id=floor.account_id,
            symbol=symbol,
            actor=ACTOR,
            broker=floor.broker,
            clock=_clock(),
        )
    wait_for(lambda: not opened.exists(), "closed position")


def _rest_inside(floor: OrderFloor, symbol: str) -> Any:
    """Place a limit buy that is the best of the book."""
    from markets.selectors import get_rules_by_symbol

    floor.price(symbol)
    ask = Decimal(floor.call("GET", f"/api/v3/ticker/bookTicker?symbol={symbol}")["askPrice"])
    price = ask - get_rules_by_symbol(symbol).tick_size
    return floor.rest_at(symbol, price, notional=_NOTIONAL)


def _part_of(quantity: Decimal, symbol: str) -> Decimal:
    from markets.selectors import get_rules_by_symbol

    return get_rules_by_symbol(symbol).quantize_quantity(quantity * _SHARE)


def _stops(order: Any) -> list[Any]:
    """Return the requests that placed the stops of the order's position, in their order."""
    from execution.models import SubmitAttempt

    return list(
        SubmitAttempt.objects.filter(
            order__leg="PROTECT",
            order__position__orders=order,
            order__state="NEW",
            kind="SUBMIT",
            finished_at__isnull=False,
        ).order_by("pk")
    )


def _clock() -> Any:
    from core.clock import get_clock

    return get_clock()

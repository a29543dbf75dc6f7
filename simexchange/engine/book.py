"""A symbol's resting user orders in price-time order, and its waiting stops."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from decimal import Decimal

from simexchange.engine.orders import Order

Entry = tuple[Decimal, int, Order]
"""(key, turn, order): turns are unique, so orders themselves are never compared."""


class UserBook:
    """What users have on one symbol. Each list is sorted best or nearest first."""

    def __init__(self) -> None:
        self.buys: list[Entry] = []
        self.sells: list[Entry] = []
        self.rising: list[Entry] = []
        self.falling: list[Entry] = []
        self.trailing: dict[int, Order] = {}

    def __bool__(self) -> bool:
        return bool(self.buys or self.sells or self.rising or self.falling or self.trailing)

    def _place_of(self, order: Order) -> tuple[list[Entry], Decimal]:
        if order.waits_for_stop:
            if order.triggers_rising:
                return self.rising, order.stop_price
            return self.falling, -order.stop_price
        if order.side == "BUY":
            return self.buys, -order.price
        return self.sells, order.price

    def add(self, order: Order) -> None:
        """Enter the order where it waits: among the stops or on its side of the book."""
        if order.waits_for_stop and order.trailing_delta:
            self.trailing[order.order_id] = order
            return
        row, key = self._place_of(order)
        insort(row, (key, order.turn, order))

    def remove(self, order: Order) -> None:
        """Take the order out; one that is not in is left alone."""
        if self.trailing.pop(order.order_id, None) is not None:
            return
        row, key = self._place_of(order)
        at = bisect_left(row, (key, order.turn))
        if at < len(row) and row[at][2] is order:
            del row[at]

    def makers(self, taker_side: str) -> Iterator[Order]:
        """Yield the orders a taker of `taker_side` would meet, best price first."""
        for entry in self.sells if taker_side == "BUY" else self.buys:
            yield entry[2]

    def at_price(self, side: str, price: Decimal) -> Iterator[Order]:
        """Yield the orders that rest at exactly this price, first come first."""
        row, key = (self.buys, -price) if side == "BUY" else (self.sells, price)
        for entry in row[bisect_left(row, (key,)) :]:
            if entry[0] != key:
                return
            yield entry[2]

    def triggered(self, price: Decimal) -> list[Order]:
        """Return the stops that a trade at `price` sets off, nearest first."""
        fired = []
        for key, _, order in self.rising:
            if key > price:
                break
            fired.append(order)
        for key, _, order in self.falling:
            if -key < price:
                break
            fired.append(order)
        return fired

"""Users' resting orders in the public book, followed by what the engine journals."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from simexchange.market.floor import Floor

OPEN_STATUSES = frozenset({"NEW", "PARTIALLY_FILLED"})


class Place(NamedTuple):
    """Where an order rests."""

    symbol: str
    side: str
    ticks: int


class RestingOrders:
    """Keeps the books' users' side up to date; an iceberg shows its tip.

    Args:
        market: whose books show the orders.
    """

    def __init__(self, market: Floor) -> None:
        self._market = market
        self._resting: dict[int, tuple[Place, int]] = {}
        self._levels: dict[Place, int] = {}

    def take(self, record: Mapping[str, Any]) -> None:
        """Take in one journal record; only those with orders matter."""
        for row in record.get("o", ()):
            self._put(row)

    def _put(self, row: Mapping[str, Any]) -> None:
        before = self._resting.pop(row["order_id"], None)
        after = self._shown(row)
        if after is not None:
            self._resting[row["order_id"]] = after
        for entry, sign in ((before, -1), (after, 1)):
            if entry is not None:
                self._levels[entry[0]] = self._levels.get(entry[0], 0) + sign * entry[1]
        for entry in (before, after):
            if entry is not None:
                self._show(entry[0])

    def _show(self, place: Place) -> None:
        units = self._levels.get(place, 0)
        if not units:
            self._levels.pop(place, None)
        self._market.states[place.symbol].book.show(place.side, place.ticks, units)

    def _shown(self, row: Mapping[str, Any]) -> tuple[Place, int] | None:
        if row["status"] not in OPEN_STATUSES or row["working_ms"] < 0:
            return None
        price = Decimal(row["price"])
        if not price or row["type"] == "MARKET":
            return None
        grid = self._market.states[row["symbol"]].grid
        remaining = Decimal(row["quantity"]) - Decimal(row["executed"])
        tip = Decimal(row["iceberg_quantity"]) or remaining
        units = grid.units(min(remaining, tip))
        return (Place(row["symbol"], row["side"], grid.ticks(price)), units) if units > 0 else None

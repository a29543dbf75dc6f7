"""The ladder of makers around the last price: parametric depth, depletion, refill."""

from collections.abc import Iterator

import numpy as np

from simexchange.market.bars import Ints
from simexchange.market.grid import Grid
from simexchange.market.publicbook import SELL, Level, PublicBook

TABLE_SIZE = 4096
GAP_BPS = 1.0
"""Distance of the levels behind the best one."""
LEVEL_SHARE = 0.05
"""Usual quantity of a level, as a share of the usual volume per minute."""
LEAST_LEVELS, EDGE_LEVELS = 1000, 500
"""A side has at least so many levels; its far edge lies on every so-manyth one, so that levels far
away stay as they are while the touch moves."""


def level_table(rng: np.random.Generator) -> Ints:
    """Return per-mille factors by which level quantities vary, shape (4096,)."""
    factors = np.exp(0.5 * rng.standard_normal(TABLE_SIZE)) * 1000
    rounded: Ints = np.rint(factors).astype(np.int64)
    return np.maximum(rounded, 50)


class LadderBook(PublicBook):
    """One symbol's ladder of 1,000 to 1,500 levels a side.

    A level's quantity hangs on its price alone, so it stays where it is while the market moves.

    Args:
        grid: the symbol's grid.
        table: factors from `level_table`, shared by all symbols.
        ticks: price at the start.
        volume_per_minute: usual volume in volume units.
    """

    def __init__(self, grid: Grid, table: Ints, *, ticks: int, volume_per_minute: float) -> None:
        super().__init__(grid)
        self._table = table
        self._gap = max(1, round(ticks * GAP_BPS / 10_000))
        self._base_steps = max(10, round(volume_per_minute * LEVEL_SHARE / grid.step_units))
        self._depth = 1.0
        self._spread = 1
        self._offset = sum(map(ord, grid.symbol)) % TABLE_SIZE
        self.bid = max(1, ticks - 1)
        self.ask = self.bid + 1

    def move(self, ticks: int, *, is_buyer_maker: bool) -> None:
        """Put the touch where a print has just shown it: a buyer lifts the ask."""
        before = self.bid, self.ask
        if is_buyer_maker:
            self.bid = ticks
            self.ask = ticks + self._spread
        else:
            self.ask = max(2, ticks)
            self.bid = max(1, self.ask - self._spread)
        if before != (self.bid, self.ask):
            self.update_id += 1

    def set_shape(self, *, spread_ticks: int, depth: float) -> None:
        """Take over the spread and depth factor of a new candle."""
        before = self.bid, self.ask, self._depth
        self._spread = max(1, spread_ticks)
        self.bid = max(1, self.ask - self._spread)
        self.ask = max(self.ask, self.bid + 1)
        self._depth = depth
        if before != (self.bid, self.ask, self._depth):
            self.update_id += 1

    def _walk(self, side: str) -> Iterator[Level]:
        for place in range(self._count(side)):
            ticks = self._price(side, place)
            yield ticks, self._quantity(ticks)

    def _count(self, side: str) -> int:
        """Return how many levels a side has, the touch included."""
        if side == SELL:
            first = self.ask // self._gap
            last = -(-(first + LEAST_LEVELS) // EDGE_LEVELS) * EDGE_LEVELS
            return 1 + last - first
        first = (self.bid - 1) // self._gap
        last = max(1, (first - LEAST_LEVELS) // EDGE_LEVELS * EDGE_LEVELS)
        return 1 + max(0, first - last + 1)

    def _price(self, side: str, place: int) -> int:
        """Return the ticks of the level at `place`: the touch, then the grid behind it."""
        gap = self._gap
        if side == SELL:
            return self.ask if place == 0 else (self.ask // gap + place) * gap
        return self.bid if place == 0 else ((self.bid - 1) // gap - place + 1) * gap

    def _quantity(self, ticks: int) -> int:
        factor = int(self._table[(ticks // self._gap + self._offset) % TABLE_SIZE])
        steps = int(self._base_steps * factor * self._depth) // 1000
        return max(1, steps) * self.grid.step_units

    def _top(self, side: str, limit: int) -> list[Level]:
        gap, places = self._gap, np.arange(min(limit, self._count(side)), dtype=np.int64)
        if side == SELL:
            ticks = (self.ask // gap + places) * gap
            ticks[:1] = self.ask
        else:
            ticks = ((self.bid - 1) // gap - places + 1) * gap
            ticks[:1] = self.bid
        factors = self._table[(ticks // gap + self._offset) % TABLE_SIZE]
        steps = (self._base_steps * factors * self._depth).astype(np.int64) // 1000
        units = np.maximum(1, steps) * self.grid.step_units
        return list(zip(ticks.tolist(), units.tolist(), strict=True))

    def _whole(self, side: str, ticks: int) -> int:
        touch = self.ask if side == SELL else self.bid
        behind = ticks > touch if side == SELL else ticks < touch
        if ticks == touch:
            return self._quantity(ticks)
        if not behind or ticks % self._gap:
            return 0
        edge = self._price(side, self._count(side) - 1)
        return self._quantity(ticks) if abs(ticks - touch) <= abs(edge - touch) else 0

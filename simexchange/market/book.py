"""The ladder of makers around the last price: parametric depth, depletion, refill."""

from collections.abc import Iterator

import numpy as np

from simexchange.market.bars import Ints
from simexchange.market.grid import Grid

TABLE_SIZE = 4096
LEVELS = 500
"""Most levels of a side that REST and the depth streams show."""
GAP_BPS = 1.0
"""Distance of the levels behind the best one."""
LEVEL_SHARE = 0.05
"""Usual quantity of a level, as a share of the usual volume per minute."""
REFILL_HALF_LIFE_MS = 5_000
BUY, SELL = "BUY", "SELL"


def level_table(rng: np.random.Generator) -> Ints:
    """Return per-mille factors by which level quantities vary, shape (4096,)."""
    factors = np.exp(0.5 * rng.standard_normal(TABLE_SIZE)) * 1000
    rounded: Ints = np.rint(factors).astype(np.int64)
    return np.maximum(rounded, 50)


class Book:
    """One symbol's ladder, in ticks and volume units.

    A level's quantity hangs on its price alone, so it stays where it is while the market moves.

    Args:
        grid: the symbol's grid.
        table: factors from `level_table`, shared by all symbols.
        ticks: price at the start.
        volume_per_minute: usual volume in volume units.
    """

    def __init__(self, grid: Grid, table: Ints, *, ticks: int, volume_per_minute: float) -> None:
        self._grid = grid
        self._table = table
        self._gap = max(1, round(ticks * GAP_BPS / 10_000))
        self._base_steps = max(10, round(volume_per_minute * LEVEL_SHARE / grid.step_units))
        self._depth = 1.0
        self._spread = 1
        self._offset = sum(map(ord, grid.symbol)) % TABLE_SIZE
        self._taken: dict[str, dict[int, tuple[float, int]]] = {BUY: {}, SELL: {}}
        self.bid = max(1, ticks - 1)
        self.ask = self.bid + 1
        self.update_id = 1

    def move(self, ticks: int, *, is_buyer_maker: bool) -> None:
        """Put the touch where a print has just shown it: a buyer lifts the ask."""
        if is_buyer_maker:
            self.bid = ticks
            self.ask = ticks + self._spread
        else:
            self.ask = max(2, ticks)
            self.bid = max(1, self.ask - self._spread)
        self.update_id += 1

    def set_shape(self, *, spread_ticks: int, depth: float) -> None:
        """Take over the spread and depth factor of a new candle."""
        self._spread = max(1, spread_ticks)
        self.bid = max(1, self.ask - self._spread)
        self.ask = max(self.ask, self.bid + 1)
        self._depth = depth
        self.update_id += 1

    def best(self, now_ms: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return (ticks, units) of the best bid and the best ask."""
        bid = next(self.levels(BUY, now_ms), (self.bid, 0))
        return bid, next(self.levels(SELL, now_ms))

    def levels(self, side: str, now_ms: int) -> Iterator[tuple[int, int]]:
        """Yield (ticks, units) of a maker's side, best first, without end for the asks."""
        taken = self._taken[side]
        for ticks in self._prices(side):
            units = self._quantity(ticks)
            if ticks in taken:
                units -= self._still_taken(side, ticks, now_ms)
                units -= units % self._grid.step_units
                if units <= 0:
                    continue
            yield ticks, units

    def _prices(self, side: str) -> Iterator[int]:
        gap = self._gap
        if side == SELL:
            yield self.ask
            ticks = (self.ask // gap + 1) * gap
            while True:
                yield ticks
                ticks += gap
        yield self.bid
        ticks = (self.bid - 1) // gap * gap
        while ticks > 0:
            yield ticks
            ticks -= gap

    def _quantity(self, ticks: int) -> int:
        factor = int(self._table[(ticks // self._gap + self._offset) % TABLE_SIZE])
        steps = int(self._base_steps * factor * self._depth) // 1000
        return max(1, steps) * self._grid.step_units

    def ladder(self, side: str, now_ms: int, limit: int) -> list[tuple[int, int]]:
        """Return up to `limit` levels of a maker's side, best first."""
        if self._taken[side]:
            self._forget_refilled(side, now_ms)
        found = []
        for level in self.levels(side, now_ms):
            found.append(level)
            if len(found) >= limit:
                break
        return found

    def _is_level(self, side: str, ticks: int) -> bool:
        if side == SELL:
            return ticks == self.ask or (ticks > self.ask and ticks % self._gap == 0)
        return ticks == self.bid or (ticks < self.bid and ticks % self._gap == 0)

    def units_at(self, side: str, ticks: int, now_ms: int) -> int:
        """Return what a maker's side shows at one price, zero where it has no level."""
        if not self._is_level(side, ticks):
            return 0
        units = self._quantity(ticks)
        if ticks in self._taken[side]:
            units -= self._still_taken(side, ticks, now_ms)
            units -= units % self._grid.step_units
        return max(0, units)

    def take(self, side: str, ticks: int, units: int, now_ms: int) -> None:
        """Take a quantity out of a maker's side at a price; off the ladder nothing happens."""
        if not self._is_level(side, ticks):
            return
        missing = self._still_taken(side, ticks, now_ms) if ticks in self._taken[side] else 0
        missing = min(self._quantity(ticks), missing + units)
        self._taken[side][ticks] = (float(missing), now_ms)
        self.update_id += 1

    def _still_taken(self, side: str, ticks: int, now_ms: int) -> int:
        missing, at_ms = self._taken[side][ticks]
        return int(missing * 0.5 ** (max(0, now_ms - at_ms) / REFILL_HALF_LIFE_MS))

    def _forget_refilled(self, side: str, now_ms: int) -> None:
        step = self._grid.step_units
        for ticks in [t for t in self._taken[side] if self._still_taken(side, t, now_ms) < step]:
            del self._taken[side][ticks]

    def is_refilling(self) -> bool:
        """Say whether some level has less than its usual quantity."""
        return bool(self._taken[BUY] or self._taken[SELL])

    def refresh(self, now_ms: int) -> int:
        """Return the id of the ladder as it is now; refilling counts as an update."""
        if self._taken[BUY] or self._taken[SELL]:
            self._forget_refilled(BUY, now_ms)
            self._forget_refilled(SELL, now_ms)
            self.update_id += 1
        return self.update_id

"""What every public book has: an update id, users' resting orders, and depth that comes back."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple, Protocol
from weakref import WeakSet

from simexchange.market.api import Side
from simexchange.market.grid import Grid

MOST_LEVELS = 5000
"""So many levels of a side are shown at most, by REST and by the depth streams."""
REFILL_HALF_LIFE_MS = 5_000
REFILL_STEP_MS = 250
"""Taken depth comes back in steps, so that a book stands still between two update ids."""
BUY, SELL = "BUY", "SELL"

Level = tuple[int, int]
"""(ticks, units)."""


class Taken(NamedTuple):
    """What is missing at a level: how much since which step, and the step when it is all back."""

    units: int
    since: int
    until: int


class Watcher(Protocol):
    """Somebody who publishes changes of a book and must know what was shown in between."""

    def note(self, side: str, shown: list[Level], *, is_cut: bool) -> None:
        """Take notice of levels that a snapshot showed, perhaps cut at its limit."""


class PublicBook(ABC):
    """One symbol's book in ticks and volume units: the market's makers, and users beside them.

    The state changes only together with `update_id`. Each call names the present, because taken
    depth comes back as time passes; times must not go back.

    Args:
        grid: the symbol's grid.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.update_id = 1
        self._taken: dict[str, dict[int, Taken]] = {BUY: {}, SELL: {}}
        self._users: dict[str, dict[int, int]] = {BUY: {}, SELL: {}}
        self._step = 0
        self.watchers: WeakSet[Watcher] = WeakSet()

    # What the kinds of books differ in

    @abstractmethod
    def _walk(self, side: str) -> Iterator[Level]:
        """Yield the makers' levels of a side as if nothing were taken, best first."""

    @abstractmethod
    def _top(self, side: str, limit: int) -> list[Level]:
        """Return the first `limit` of `_walk`, in one go."""

    @abstractmethod
    def _whole(self, side: str, ticks: int) -> int:
        """Return the makers' quantity at a level as if nothing were taken, 0 off the book."""

    @abstractmethod
    def move(self, ticks: int, *, is_buyer_maker: bool) -> None:
        """Follow a print of the tape."""

    def set_shape(self, *, spread_ticks: int, depth: float) -> None:
        """Take over the spread and depth factor of a new candle, where the book has such."""
        del spread_ticks, depth

    # Reading

    def levels(self, side: str, now_ms: int) -> Iterator[Level]:
        """Yield the makers' levels of a side, best first: what a taker would meet of them."""
        self.refresh(now_ms)
        for ticks, whole in self._walk(side):
            units = self._left(side, ticks, whole)
            if units > 0:
                yield ticks, units

    def units_at(self, side: str, ticks: int, now_ms: int) -> int:
        """Return the makers' quantity at one price, 0 where they have none."""
        self.refresh(now_ms)
        return max(0, self._left(side, ticks, self._whole(side, ticks)))

    def ladder(self, side: str, now_ms: int, limit: int) -> list[Level]:
        """Return up to `limit` public levels of a side, best first, users' orders included."""
        self.refresh(now_ms)
        limit = min(limit, MOST_LEVELS)
        found = self._top(side, limit)
        taken, users = self._taken[side], self._users[side]
        if not taken and not users:
            return found
        wanted = limit + len(taken)
        merged = {
            ticks: left
            for ticks, whole in (self._top(side, wanted) if taken else found)
            if (left := self._left(side, ticks, whole)) > 0
        }
        for ticks, units in users.items():
            merged[ticks] = merged.get(ticks, 0) + units
        return sorted(merged.items(), reverse=side == BUY)[:limit]

    def best(self, now_ms: int) -> tuple[Level, Level]:
        """Return (ticks, units) of the public best bid and ask; units are 0 on an empty side."""
        return self._best(BUY, now_ms), self._best(SELL, now_ms)

    def snapshot(self, now_ms: int, limit: int) -> tuple[int, list[Level], list[Level]]:
        """Return (update id, bids, asks) for somebody who goes on from there by the diff stream."""
        update_id = self.refresh(now_ms)
        sides = {side: self.ladder(side, now_ms, limit) for side in (BUY, SELL)}
        for watcher in self.watchers:
            for side, shown in sides.items():
                watcher.note(side, shown, is_cut=len(shown) >= limit)
        return update_id, sides[BUY], sides[SELL]

    def _best(self, side: str, now_ms: int) -> Level:
        if self._users[side]:
            first = self.ladder(side, now_ms, 1)
        else:
            first = list(islice(self.levels(side, now_ms), 1))
        return first[0] if first else (0, 0)

    def _left(self, side: str, ticks: int, whole: int) -> int:
        missing = self._missing(side, ticks)
        if not missing:
            return whole
        units = whole - missing
        return units - units % self.grid.step_units

    def _missing(self, side: str, ticks: int) -> int:
        taken = self._taken[side].get(ticks)
        if taken is None:
            return 0
        passed_ms = max(0, self._step - taken.since) * REFILL_STEP_MS
        return int(taken.units * 0.5 ** (passed_ms / REFILL_HALF_LIFE_MS))

    @property
    def has_users(self) -> bool:
        """Whether users' orders rest in it."""
        return bool(self._users[BUY] or self._users[SELL])

    def met_by_users(self, now_ms: int) -> tuple[Side, Level] | None:
        """Return a side of the makers and its best level when a user's order lies at or beyond it.

        So it is when the spread has narrowed over the order, or taken depth has come back to it.
        """
        sides: tuple[tuple[Side, Side], ...] = (("SELL", "BUY"), ("BUY", "SELL"))
        for side, users_side in sides:
            users = self._users[users_side]
            first = next(self.levels(side, now_ms), None) if users else None
            if first is None:
                continue
            if (max(users) >= first[0]) if side == SELL else (min(users) <= first[0]):
                return side, first
        return None

    # Changing

    def refresh(self, now_ms: int) -> int:
        """Let depth come back up to the present and return the update id of what stands then."""
        step = now_ms // REFILL_STEP_MS
        if step <= self._step:
            return self.update_id
        ends = [taken.until for side in (BUY, SELL) for taken in self._taken[side].values()]
        if ends:
            self.update_id += max(0, min(step, max(ends)) - self._step)
            for side in (BUY, SELL):
                kept = {ticks: t for ticks, t in self._taken[side].items() if t.until > step}
                self._taken[side] = kept
        self._step = step
        return self.update_id

    def take(self, side: str, ticks: int, units: int, now_ms: int) -> None:
        """Take a quantity out of the makers' side at a price; off the book nothing happens."""
        self.refresh(now_ms)
        whole = self._whole(side, ticks)
        if not whole or units <= 0:
            return
        missing = min(whole, self._missing(side, ticks) + units)
        halvings = math.log2(max(2.0, missing / self.grid.step_units))
        until = self._step + math.ceil(halvings * REFILL_HALF_LIFE_MS / REFILL_STEP_MS) + 1
        self._taken[side][ticks] = Taken(missing, self._step, until)
        self.update_id += 1

    def show(self, side: str, ticks: int, units: int) -> None:
        """Set what users' resting orders hold at a price, 0 to take it off the book."""
        users = self._users[side]
        if users.get(ticks, 0) == units:
            return
        if units:
            users[ticks] = units
        else:
            del users[ticks]
        self.update_id += 1

    def shown(self) -> dict[str, dict[int, int]]:
        """Return users' quantities by side and ticks, for a book that takes this one's place."""
        return {side: dict(levels) for side, levels in self._users.items()}

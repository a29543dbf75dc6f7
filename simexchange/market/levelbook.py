"""A real exchange's book, level by level, as its snapshots and diffs tell it."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator

from simexchange.market.grid import Grid
from simexchange.market.publicbook import BUY, SELL, Level, PublicBook


class LevelBook(PublicBook):
    """Levels as told; what users take comes back unless the venue says something else.

    Update ids are the venue's as long as no user changed anything, and go up always.

    Args:
        grid: the symbol's grid.
    """

    def __init__(self, grid: Grid) -> None:
        super().__init__(grid)
        self._levels: dict[str, dict[int, int]] = {BUY: {}, SELL: {}}
        self._order: dict[str, list[int]] = {BUY: [], SELL: []}
        """Ticks of each side from the best on; bids are kept negative."""

    def load(self, update_id: int, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Take a snapshot in the place of everything known."""
        for side, levels in ((BUY, bids), (SELL, asks)):
            self._levels[side] = {ticks: units for ticks, units in levels if units}
            sign = -1 if side == BUY else 1
            self._order[side] = sorted(sign * ticks for ticks in self._levels[side])
            self._taken[side].clear()
        self._follow(update_id, changed=True)

    def apply(self, update_id: int, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Take changed levels in; no quantity takes a level away."""
        changed = False
        for side, levels in ((BUY, bids), (SELL, asks)):
            for ticks, units in levels:
                changed |= self._set(side, ticks, units)
        self._follow(update_id, changed=changed)

    def touch(self, update_id: int, bid: Level, ask: Level) -> None:
        """Take the best prices in: nothing better than they is left."""
        changed = False
        for side, (ticks, units) in ((BUY, bid), (SELL, ask)):
            sign = -1 if side == BUY else 1
            better = self._order[side][: bisect_left(self._order[side], sign * ticks)]
            for place in better:
                changed |= self._set(side, sign * place, 0)
            changed |= self._set(side, ticks, units)
        self._follow(update_id, changed=changed)

    def _set(self, side: str, ticks: int, units: int) -> bool:
        """Set a level and say whether it differed."""
        levels, place = self._levels[side], -ticks if side == BUY else ticks
        known = levels.get(ticks)
        if (known or 0) == units:
            return False
        self._taken[side].pop(ticks, None)
        if units:
            levels[ticks] = units
            if known is None:
                insort(self._order[side], place)
        else:
            del levels[ticks]
            del self._order[side][bisect_left(self._order[side], place)]
        return True

    def _follow(self, update_id: int, *, changed: bool) -> None:
        """Take over the venue's id, or the next one where users' doings have gone beyond it."""
        if update_id > self.update_id:
            self.update_id = update_id
        elif changed:
            self.update_id += 1

    def move(self, ticks: int, *, is_buyer_maker: bool) -> None:
        """Do nothing: this book moves when the venue says so."""

    def _walk(self, side: str) -> Iterator[Level]:
        sign, levels = (-1 if side == BUY else 1), self._levels[side]
        for place in self._order[side]:
            yield sign * place, levels[sign * place]

    def _top(self, side: str, limit: int) -> list[Level]:
        sign, levels = (-1 if side == BUY else 1), self._levels[side]
        return [(sign * place, levels[sign * place]) for place in self._order[side][:limit]]

    def _whole(self, side: str, ticks: int) -> int:
        return self._levels[side].get(ticks, 0)

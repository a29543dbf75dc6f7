"""Streams of the book: best prices, the top of it, and its changes."""

from simexchange.faces.rest_market import level_texts
from simexchange.faces.topic import Beat, Payload, Topic
from simexchange.market.floor import Floor
from simexchange.market.publicbook import BUY, MOST_LEVELS, SELL


class BookTickerTopic(Topic):
    """``@bookTicker``."""

    beat = Beat.TOUCH

    def __init__(self, name: str, market: Floor, symbol: str) -> None:
        super().__init__(name, market, symbol)
        self._seen_id = -1
        self._seen: object = None

    def news(self, now_ms: int) -> Payload | None:
        """Return the best prices when they or their quantities moved."""
        book, grid = self.state.book, self.state.grid
        update_id = book.refresh(now_ms)
        if update_id == self._seen_id:
            return None
        best, self._seen_id = book.best(now_ms), update_id
        if best == self._seen:
            return None
        self._seen = best
        (bid, bid_units), (ask, ask_units) = best
        return {
            "u": self._seen_id,
            "s": grid.symbol,
            "b": grid.price_text(bid),
            "B": grid.volume_text(bid_units),
            "a": grid.price_text(ask),
            "A": grid.volume_text(ask_units),
        }


class PartialDepthTopic(Topic):
    """``@depth<levels>``: the top of the book."""

    def __init__(self, name: str, market: Floor, symbol: str, levels: int, beat: Beat) -> None:
        super().__init__(name, market, symbol)
        self.beat = beat
        self._levels = levels
        self._seen_id = -1

    def news(self, now_ms: int) -> Payload | None:
        """Return the top levels when the book changed."""
        state = self.state
        update_id = state.book.refresh(now_ms)
        if update_id == self._seen_id:
            return None
        self._seen_id = update_id
        return {
            "lastUpdateId": update_id,
            "bids": level_texts(state.grid, state.book.ladder(BUY, now_ms, self._levels)),
            "asks": level_texts(state.grid, state.book.ladder(SELL, now_ms, self._levels)),
        }


class DiffDepthTopic(Topic):
    """``@depth``: levels that changed since the last event; U is always the last u plus one."""

    def __init__(self, name: str, market: Floor, symbol: str, beat: Beat) -> None:
        super().__init__(name, market, symbol)
        self.beat = beat
        now_ms = market.clock.now_ms()
        book = self.state.book
        self._last_id = book.refresh(now_ms)
        self._known = self._levels(now_ms)
        self._noted: dict[str, set[int]] = {BUY: set(), SELL: set()}
        book.watchers.add(self)

    def note(self, side: str, shown: list[tuple[int, int]], *, is_cut: bool) -> None:
        """Remember levels that a snapshot showed otherwise: the next event has to name them."""
        known, levels = self._known[side], dict(shown)
        noted = {ticks for ticks, units in shown if known.get(ticks) != units}
        hidden = known.keys() - levels.keys()
        if is_cut and shown:  # a short snapshot says nothing of what lies behind it
            worst = shown[-1][0]
            hidden = {t for t in hidden if (t > worst if side == BUY else t < worst)}
        self._noted[side] |= noted | hidden

    def _levels(self, now_ms: int) -> dict[str, dict[int, int]]:
        book = self.state.book
        return {side: dict(book.ladder(side, now_ms, MOST_LEVELS)) for side in (BUY, SELL)}

    def news(self, now_ms: int) -> Payload | None:
        """Return the changed levels, quantity zero where a level is gone."""
        state = self.state
        update_id = state.book.refresh(now_ms)
        if update_id == self._last_id:
            return None
        current = self._levels(now_ms)
        changes = {
            side: _changed(self._known[side], current[side], self._noted[side])
            for side in (BUY, SELL)
        }
        first_id, self._last_id, self._known = self._last_id + 1, update_id, current
        self._noted = {BUY: set(), SELL: set()}
        return {
            "e": "depthUpdate",
            "E": now_ms,
            "s": self.symbol,
            "U": first_id,
            "u": update_id,
            "b": level_texts(state.grid, changes[BUY]),
            "a": level_texts(state.grid, changes[SELL]),
        }


def _changed(
    before: dict[int, int], after: dict[int, int], noted: set[int]
) -> list[tuple[int, int]]:
    """Return the levels that differ or were shown in between, quantity zero where one is gone."""
    changes = [
        (ticks, units)
        for ticks, units in after.items()
        if before.get(ticks) != units or ticks in noted
    ]
    gone = (before.keys() | noted) - after.keys()
    return changes + [(ticks, 0) for ticks in sorted(gone)]

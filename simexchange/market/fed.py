"""The market that is told: a recording or a real exchange's streams, event by event."""

import asyncio
from collections.abc import Iterator
from typing import Any, Protocol

from simexchange.clock import SimClock
from simexchange.market.feedevents import (
    Fed,
    FedCandle,
    FedDiff,
    FedSnapshot,
    FedTouch,
    FedTrade,
)
from simexchange.market.floor import NAP_WALL_MS, Floor
from simexchange.market.intervals import INTERVAL_MS, floor_time
from simexchange.market.levelbook import LevelBook
from simexchange.market.saving import check_signature
from simexchange.market.symbolstate import SymbolState

GRACE_MS = 500
"""A candle waits so long for trades that come late, unless all symbols are known to be done."""


class Feed(Protocol):
    """Where events come from."""

    symbols: tuple[str, ...]
    interval: str
    start_ms: int
    is_live: bool
    """Whether events come when they happen, rather than being due at a time of their own."""
    filters: dict[str, list[dict[str, Any]]]
    """The venue's own filters by symbol, where they are known."""

    def states(self) -> Iterator[SymbolState]:
        """Yield the symbols' states at the start, in order."""

    def due(self, until_ms: int) -> Iterator[tuple[int, Fed]]:
        """Yield (exchange time, event) of what is due by `until_ms`, in order."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing up to the present, so that candles may be closed."""

    async def wait(self, clock: SimClock, until_ms: int) -> None:
        """Return when there may be something due, at `until_ms` at the latest."""

    async def run(self) -> None:
        """Fetch events until cancelled."""

    def describe(self, symbol: str) -> dict[str, Any]:
        """Return the provenance of a symbol's prices."""

    def signature(self) -> dict[str, Any]:
        """Return what a snapshot must agree with."""


class FedMarket(Floor):
    """See `simexchange.market.api.Market`. Users' trades leave the venue's prices alone.

    Args:
        feed: tells what happens.
        clock: exchange time, at or after ``feed.start_ms``.
        saved: a snapshot to go on from.

    Raises:
        ValueError: when the snapshot is of another feed.
    """

    def __init__(self, feed: Feed, clock: SimClock, saved: dict[str, Any] | None = None) -> None:
        super().__init__(clock, own_trades_move_range=False)
        self.interval = feed.interval
        self.length_ms = INTERVAL_MS[feed.interval]
        self.feed = feed
        if saved is not None:
            check_signature(feed, saved)
        self._take_states(feed.states())
        self._places = {symbol: place for place, symbol in enumerate(self.symbols)}
        self._open_ms = floor_time(feed.start_ms, feed.interval)
        self._begun: set[int] = set()
        self._finals: dict[int, FedCandle] = {}
        self._held: list[FedTrade] = []
        self._open_bar()
        self.catch_up()
        for symbol, kept in (saved or {}).get("symbols", {}).items():
            state = self.states[symbol]
            state.next_id = max(state.next_id, int(kept["next_id"]))

    def describe(self) -> dict[str, dict[str, Any]]:
        """Return per symbol where its prices come from."""
        return {symbol: self.feed.describe(symbol) for symbol in self.symbols}

    def filters(self, symbol: str) -> list[dict[str, Any]]:
        """Return the filters of the venue that is followed."""
        return self.feed.filters.get(symbol, [])

    def snapshot(self) -> dict[str, Any]:
        """Return what an opening needs to go on from here."""
        return {
            "source": self.feed.signature(),
            "now_ms": self.clock.now_ms(),
            "symbols": {s: {"next_id": state.next_id} for s, state in self.states.items()},
        }

    def set_path(self, symbol: str, path: Any) -> None:
        """Refuse: these prices are somebody else's.

        Raises:
            ValueError: always.
        """
        del path
        raise ValueError(f"{symbol} follows {self.feed.describe(symbol)['source']}: no own prices")

    # Playing

    async def run(self) -> None:
        """Follow the feed until cancelled."""
        fetching = asyncio.create_task(self.feed.run())
        try:
            while True:
                self.catch_up()
                nap_ms = max(1, int(NAP_WALL_MS * self.clock.speed))
                until_ms = self.clock.now_ms() + nap_ms
                await self.feed.wait(self.clock, until_ms)
                if fetching.done():
                    fetching.result()
        finally:
            fetching.cancel()

    def catch_up(self) -> None:
        """Play everything due by the clock's present; a listener's own call does nothing."""
        if self._busy:
            return
        self._busy = True
        try:
            now_ms, played = self.clock.now_ms(), False
            for at_ms, event in self.feed.due(now_ms):
                if not self.feed.is_live:
                    self._close_until(at_ms)
                self._play(event, at_ms)
                played = True
            self._close_until(now_ms)
            self._meet_all_users(now_ms)
            if played:
                self._tell_batch()
        finally:
            self._busy = False

    def _play(self, event: Fed, at_ms: int) -> None:
        if isinstance(event, FedTrade):
            self._play_trade(event)
        elif isinstance(event, FedCandle):
            self._play_candle(event)
        else:
            self._play_book(event, at_ms)

    def _play_book(self, event: FedSnapshot | FedDiff | FedTouch, at_ms: int) -> None:
        state = self.states[event.symbol]
        book = state.book
        if not isinstance(book, LevelBook):
            return
        if isinstance(event, FedSnapshot):
            book.load(event.update_id, event.bids, event.asks)
        elif isinstance(event, FedDiff):
            book.apply(event.update_id, event.bids, event.asks)
        else:
            book.touch(event.update_id, event.bid, event.ask)
        self._meet_users(state, at_ms)

    def _play_trade(self, event: FedTrade) -> None:
        place = self._places[event.symbol]
        if event.time_ms >= self._open_ms + self.length_ms:
            self._held.append(event)
            return
        if place not in self._begun:
            self._begun.add(place)
            if event.time_ms >= self._open_ms:
                self.states[event.symbol].store.reprice_running(event.ticks)
        self._print(
            place,
            event.ticks,
            event.units,
            event.time_ms,
            is_buyer_maker=event.is_buyer_maker,
            trades=event.trades,
        )

    # Candles

    def _play_candle(self, event: FedCandle) -> None:
        """Take the venue's candle: the running one replaces ours, a closed one is kept for it."""
        place, store = self._places[event.symbol], self.states[event.symbol].store
        if event.open_ms == self._open_ms:
            self._begun.add(place)
            store.take_running(event.row, first_id=self.states[event.symbol].next_id)
            if event.is_closed:
                self._finals[place] = event
        elif event.open_ms > self._open_ms and self._finals.keys() >= set(self._open_places()):
            self._close_bar()
            self._play_candle(event)

    def _open_places(self) -> range:
        return range(len(self.symbols))

    def _close_until(self, now_ms: int) -> None:
        while True:
            border = self._open_ms + self.length_ms
            done = {self._places[event.symbol] for event in self._held} | self._finals.keys()
            all_done = len(done) == len(self.symbols)
            waited = self.feed.is_whole and now_ms >= border + GRACE_MS
            if now_ms < border or not (all_done or waited):
                return
            self._close_bar()

    def _close_bar(self) -> None:
        for state in self._by_index:
            state.store.close_as_played()
        self._open_ms += self.length_ms
        self._finals.clear()
        self._begun.clear()
        self._tell_closed(self._open_ms, self._open_places())
        self._open_bar()
        held, self._held = self._held, []
        for event in held:
            self._play_trade(event)

    def _open_bar(self) -> None:
        for state in self._by_index:
            state.store.open_candle(self._open_ms, state.last_ticks)

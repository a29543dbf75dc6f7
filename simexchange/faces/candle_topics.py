"""``@kline_…``: running candles, finals at their border, and single seconds."""

from collections.abc import Iterator

from simexchange.faces import stream_views as views
from simexchange.faces.topic import Beat, Payload, Topic
from simexchange.market.floor import Floor
from simexchange.market.intervals import SECOND_MS, floor_time
from simexchange.market.rows import NO_ID
from simexchange.market.seconds import second_candle


class KlineTopic(Topic):
    """``@kline_<interval>``, with the running candle between closes."""

    beat = Beat.CANDLE

    def __init__(self, name: str, market: Floor, symbol: str, interval: str, shift_ms: int) -> None:
        super().__init__(name, market, symbol)
        self.interval = interval
        self.shift_ms = shift_ms
        self._seen_id = 0

    def news(self, now_ms: int) -> Payload | None:
        """Return the running candle when it has had a print since."""
        state = self.state
        if state.next_id == self._seen_id:
            return None
        self._seen_id = state.next_id
        running_ms = state.store.running_open_ms
        if running_ms is None:
            return None
        return self._event(
            floor_time(running_ms, self.interval, self.shift_ms), now_ms, is_closed=False
        )

    def final(self, border_ms: int, now_ms: int) -> Payload | None:
        """Return the candle that closed at `border_ms`, None when it is not its border."""
        if floor_time(border_ms, self.interval, self.shift_ms) != border_ms:
            return None
        open_ms = floor_time(border_ms - 1, self.interval, self.shift_ms)
        return self._event(open_ms, now_ms, is_closed=True)

    def _event(self, open_ms: int, now_ms: int, *, is_closed: bool) -> Payload | None:
        state = self.state
        candle = state.store.candle_at(self.interval, open_ms, self.shift_ms)
        if candle is None:
            return None
        return views.kline_event(
            state.grid,
            candle,
            self.interval,
            now_ms=now_ms,
            last_id=state.next_id - 1,
            is_closed=is_closed,
        )


class SecondTopic(Topic):
    """``@kline_1s``: each second once, when it is over."""

    beat = Beat.BORDER

    def __init__(self, name: str, market: Floor, symbol: str) -> None:
        super().__init__(name, market, symbol)
        self._next_ms = market.clock.now_ms() // SECOND_MS * SECOND_MS

    def news(self, now_ms: int) -> Payload | None:
        """Return nothing; seconds come by `finals`."""
        del now_ms
        return None

    def finals(self, now_ms: int) -> Iterator[Payload]:
        """Yield the seconds that ended since it was asked last, as far as the tape reaches back."""
        state = self.state
        while self._next_ms + SECOND_MS <= now_ms:
            candle = second_candle(state, self._next_ms)
            self._next_ms += SECOND_MS
            if candle is not None:
                last_id = candle.first_id + candle.trades - 1 if candle.trades else NO_ID
                yield views.kline_event(
                    state.grid, candle, "1s", now_ms=now_ms, last_id=last_id, is_closed=True
                )

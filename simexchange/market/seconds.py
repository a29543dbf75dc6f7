"""One-second candles, folded from the tape when somebody asks: as many as it remembers."""

from simexchange.market.bars import CLOSE, COUNT, HIGH, LOW, QUOTE, TAKER, TAKER_QUOTE, VOLUME
from simexchange.market.candles import Candle
from simexchange.market.intervals import SECOND_MS
from simexchange.market.rows import NO_ID
from simexchange.market.symbolstate import SymbolState


def second_candles(
    state: SymbolState,
    *,
    now_ms: int,
    start_ms: int | None = None,
    end_ms: int | None = None,
    limit: int,
) -> list[Candle]:
    """Return the candles of whole seconds, ascending; a second without a trade is flat.

    Args:
        state: the symbol's.
        now_ms: the present; its second is the last candle.
        start_ms: oldest open time wanted; then the oldest `limit` candles are returned.
        end_ms: newest open time wanted.
        limit: most candles returned; without `start_ms` the newest.
    """
    if not state.tape:
        return []
    oldest = _second(state.tape[0].time_ms)
    newest = max(oldest, _second(now_ms))
    low = oldest if start_ms is None else max(oldest, -(-start_ms // SECOND_MS) * SECOND_MS)
    high = newest if end_ms is None else min(newest, _second(end_ms))
    if start_ms is None:
        low = max(low, high - (limit - 1) * SECOND_MS)
    else:
        high = min(high, low + (limit - 1) * SECOND_MS)
    return _fold(state, low, high)


def second_candle(state: SymbolState, open_ms: int) -> Candle | None:
    """Return the candle of one second, None before the tape's memory."""
    if not state.tape or open_ms < _second(state.tape[0].time_ms):
        return None
    return _fold(state, open_ms, open_ms)[0]


def _second(time_ms: int) -> int:
    return time_ms // SECOND_MS * SECOND_MS


def _fold(state: SymbolState, low: int, high: int) -> list[Candle]:
    """Return the candles that open at low..high; the tape reaches back to `low` at least."""
    if high < low:
        return []
    rows: dict[int, list[int]] = {}
    before = state.tape[0].ticks
    for entry in reversed(state.tape):
        opens = _second(entry.time_ms)
        if opens < low:
            before = entry.ticks
            break
        if opens > high:
            continue
        quote = state.grid.quote_units(entry.ticks, entry.units)
        bought = 0 if entry.is_buyer_maker else 1
        row = rows.get(opens)
        if row is None:
            row = rows[opens] = [entry.ticks] * 4 + [0] * 5 + [entry.trade_id]
        row[0], row[9] = entry.ticks, entry.trade_id
        row[HIGH], row[LOW] = max(row[HIGH], entry.ticks), min(row[LOW], entry.ticks)
        row[VOLUME] += entry.units
        row[QUOTE] += quote
        row[COUNT] += 1
        row[TAKER] += entry.units * bought
        row[TAKER_QUOTE] += quote * bought
    candles = []
    for opens in range(low, high + 1, SECOND_MS):
        row = rows.get(opens) or [before] * 4 + [0] * 5 + [NO_ID]
        before = row[CLOSE]
        candles.append(Candle(opens, opens + SECOND_MS - 1, *row))
    return candles

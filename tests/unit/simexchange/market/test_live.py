import json
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from simexchange.clock import SimClock
from simexchange.market.live import SimMarket
from simexchange.market.opening import MarketOptions, open_market

if TYPE_CHECKING:
    from simexchange.market.api import Trade

MINUTE = 60_000
START = 1_717_200_000_000
SYMBOL = "BTCUSDT"
OPTIONS = MarketOptions(manual=True, start_ms=START, history_days=1)


def opened(options: MarketOptions = OPTIONS) -> tuple[SimClock, SimMarket]:
    return open_market(options)


def advance(clock: SimClock, market: SimMarket, ms: int, step_ms: int) -> None:
    for _ in range(0, ms, step_ms):
        clock.advance(step_ms)
        market.catch_up()


def test_it_prints_the_same_tape_for_the_same_seed_whatever_the_steps() -> None:
    tapes = []
    for step_ms in (500, 7_500):
        clock, market = opened()
        seen: list[Trade] = []
        market.on_trade(seen.append)
        advance(clock, market, 15 * MINUTE, step_ms)
        tapes.append(seen)

    assert tapes[0] == tapes[1]
    assert len(tapes[0]) > 1_000


def test_its_trade_ids_have_no_gap_and_its_times_never_go_back() -> None:
    clock, market = opened()
    seen: list[Trade] = []
    market.on_print(lambda symbol, entry: seen.append(market.states[symbol].trade_of(entry)))

    for _ in range(20):
        advance(clock, market, 3_000, 3_000)
        ask = market.best(SYMBOL)[1]
        market.consume(SYMBOL, "BUY", ask, Decimal("0.01"))

    own = [trade for trade in seen if trade.symbol == SYMBOL]
    ids = [trade.trade_id for trade in own]
    times = [trade.time_ms for trade in own]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert times == sorted(times)


def test_its_book_is_never_crossed() -> None:
    clock, market = opened()

    for _ in range(600):
        advance(clock, market, 1_000, 1_000)
        for symbol in market.symbols:
            bid, ask = market.best(symbol)
            asks = [price for price, _ in islice(market.ladder(symbol, "SELL"), 20)]
            bids = [price for price, _ in islice(market.ladder(symbol, "BUY"), 20)]
            assert bid < ask
            assert asks == sorted(set(asks))
            assert bids == sorted(set(bids), reverse=True)
            assert (bids[0], asks[0]) == (bid, ask)


def test_it_gives_taken_depth_back_by_and_by() -> None:
    clock, market = opened()
    price, whole = next(iter(market.ladder(SYMBOL, "SELL")))

    market.consume(SYMBOL, "BUY", price, whole)
    book = market.states[SYMBOL].book
    after = dict(book.ladder("SELL", clock.now_ms(), 5))
    half_back = dict(book.ladder("SELL", clock.now_ms() + 5_000, 5))
    all_back = dict(book.ladder("SELL", clock.now_ms() + 200_000, 5))

    grid = market.states[SYMBOL].grid
    ticks = grid.ticks(price)
    assert ticks not in after
    assert abs(half_back[ticks] - grid.units(whole) / 2) <= 1
    assert all_back[ticks] == grid.units(whole)


def test_its_average_price_is_the_tapes() -> None:
    clock, market = opened()
    advance(clock, market, 7 * MINUTE, MINUTE)
    state = market.states[SYMBOL]

    recent = [p for p in state.tape if p.time_ms >= clock.now_ms() - 300_000]
    exact = sum(p.ticks * p.units for p in recent) / sum(p.units for p in recent)

    assert abs(float(market.average_price(SYMBOL)) - exact / 100) <= 0.01


def test_a_price_set_by_hand_is_seen_by_engine_book_and_candle() -> None:
    clock, market = opened()
    advance(clock, market, 90_000, 1_000)
    seen: list[Trade] = []
    market.on_trade(seen.append)
    target = Decimal("41234.56")

    market.set_price(SYMBOL, target)

    assert seen[-1].price == target
    assert market.last_price(SYMBOL) == target
    assert target in market.best(SYMBOL)
    assert market.states[SYMBOL].store.candles("1m", limit=1)[0].low == 4_123_456
    advance(clock, market, 5 * MINUTE, 1_000)
    assert abs(market.last_price(SYMBOL) / target - 1) < Decimal("0.05")
    assert "moved_by" in market.describe()[SYMBOL]


def test_a_path_is_walked_point_by_point() -> None:
    clock, market = opened()
    advance(clock, market, 30_000, 1_000)
    low, high = Decimal(50000), Decimal(52000)

    market.set_path(SYMBOL, [(10_000, low), (40_000, high)])
    advance(clock, market, 10_000, 1_000)
    at_low = market.last_price(SYMBOL)
    advance(clock, market, 15_000, 1_000)
    between = market.last_price(SYMBOL)
    advance(clock, market, 15_000, 1_000)

    assert at_low == low
    assert low < between < high
    assert market.last_price(SYMBOL) == high


@pytest.mark.parametrize(
    "path",
    [[], [(0, Decimal(0))], [(5, Decimal(1)), (5, Decimal(2))], [(0, Decimal("NaN"))]],
)
def test_it_refuses_a_path_that_cannot_be_walked(path: list[tuple[int, Decimal]]) -> None:
    _, market = opened()

    with pytest.raises(ValueError, match=r"path|price"):
        market.set_path(SYMBOL, path)


def test_it_closes_each_candle_once_and_in_the_store_first() -> None:
    clock, market = opened()
    borders: list[int] = []

    def check(border_ms: int, symbols: tuple[str, ...]) -> None:
        borders.append(border_ms)
        for symbol in symbols:
            newest = market.states[symbol].store.candles("1m", limit=1)[0]
            assert newest.close_ms == border_ms - 1

    market.on_close(check)
    advance(clock, market, 20 * MINUTE, 17_000)

    assert borders == [START + MINUTE * n for n in range(1, len(borders) + 1)]
    assert len(borders) >= 19


def test_it_comes_back_from_a_snapshot() -> None:
    clock, market = opened()
    touched: dict[str, list[list[int]]] = {}
    market.on_touched(lambda symbol, at, row: touched.setdefault(symbol, []).append([at, *row]))
    advance(clock, market, 5 * MINUTE + 20_000, 10_000)
    market.consume(SYMBOL, "BUY", market.best(SYMBOL)[1], Decimal(2))
    market.set_price("ETHUSDT", Decimal(2500))
    advance(clock, market, 3 * MINUTE, 10_000)
    market.consume(SYMBOL, "SELL", market.best(SYMBOL)[0], Decimal(1))
    saved = json.loads(json.dumps({**market.snapshot(), "candles": touched}))

    clock2, again = open_market(OPTIONS, saved=saved)

    assert clock2.now_ms() == clock.now_ms()
    for symbol in market.symbols:
        before = market.states[symbol].store.candles("1m", limit=2000)
        after = again.states[symbol].store.candles("1m", limit=2000)
        assert [c[:11] for c in after[:-1]] == [c[:11] for c in before[:-1]]
        assert after[-1].volume == before[-1].volume
        assert again.last_price(symbol) == market.last_price(symbol)
        assert again.states[symbol].next_id >= market.states[symbol].next_id
    advance(clock2, again, 2 * MINUTE, 10_000)
    advance(clock, market, 2 * MINUTE, 10_000)
    assert again.last_price("ETHUSDT") == market.last_price("ETHUSDT")


def test_it_refuses_the_snapshot_of_another_market() -> None:
    _, other = opened(MarketOptions(manual=True, start_ms=START, history_days=1, seed=8))

    with pytest.raises(ValueError, match="seed differ"):
        open_market(OPTIONS, saved=other.snapshot())

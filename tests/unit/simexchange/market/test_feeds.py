"""Books and tapes that are told: by diffs, by recordings."""

import csv
import gzip
import json
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from simexchange.market.api import Quote
from simexchange.market.fed import FedMarket
from simexchange.market.feedevents import BookSync, Fed, FedDiff, FedSnapshot
from simexchange.market.grid import Grid
from simexchange.market.levelbook import LevelBook
from simexchange.market.opening import MarketOptions, open_market

START = 1_723_161_240_000
GRID = Grid(
    symbol="BTCUSDT", price_decimals=2, step_decimals=5, volume_decimals=5, quote_decimals=7
)


def diff(first: int, last: int, price: int = 99, units: int = 5) -> FedDiff:
    return FedDiff("BTCUSDT", first, last, ((price, units),), ())


def snapshot(update_id: int) -> FedSnapshot:
    return FedSnapshot("BTCUSDT", update_id, ((100, 3),), ((102, 4),))


def ids(events: list[Fed]) -> list[tuple[str, int]]:
    return [(type(one).__name__[3:], one.update_id) for one in events]  # type: ignore[union-attr]


def test_diffs_wait_for_the_snapshot_and_old_ones_are_dropped() -> None:
    sync, found = BookSync(), []

    for event in (diff(1, 5), diff(6, 9), diff(10, 14), snapshot(9), diff(15, 15)):
        found += list(sync.take(event))

    assert ids(found) == [("Snapshot", 9), ("Diff", 14), ("Diff", 15)]
    assert not sync.needs_snapshot


def test_a_snapshot_older_than_the_first_diff_is_not_taken() -> None:
    sync = BookSync()
    assert list(sync.take(diff(20, 22))) == []

    assert list(sync.take(snapshot(18))) == []
    assert sync.needs_snapshot
    assert ids(list(sync.take(snapshot(21)))) == [("Snapshot", 21), ("Diff", 22)]


def test_a_gap_asks_for_a_new_snapshot() -> None:
    sync = BookSync()
    list(sync.take(snapshot(5)))

    assert list(sync.take(diff(8, 9))) == []
    assert sync.needs_snapshot
    assert ids(list(sync.take(snapshot(8)))) == [("Snapshot", 8), ("Diff", 9)]


def test_a_level_book_follows_what_it_is_told_and_gives_taken_depth_back() -> None:
    book = LevelBook(GRID)
    book.load(7, [(100, 30), (98, 5)], [(102, 4), (103, 9)])

    book.apply(9, [(99, 6), (98, 0)], [])
    book.take("BUY", 100, 30, 1_000)
    after = book.ladder("BUY", 1_000, 9)
    later = book.ladder("BUY", 600_000, 9)
    book.touch(book.update_id + 5, (99, 2), (101, 1))

    assert after == [(99, 6)]
    assert later == [(100, 30), (99, 6)]
    assert book.best(600_000) == ((99, 2), (101, 1))
    assert book.ladder("SELL", 600_000, 9) == [(101, 1), (102, 4), (103, 9)]


def write_raw(folder: Path) -> Path:
    path = folder / "session.raw.gz"
    messages = [
        (0, {"e": "depthUpdate", "E": START + 100, "s": "BTCUSDT", "U": 4, "u": 5,
             "b": [], "a": []}),
        (50, {"e": "trade", "E": START + 150, "s": "BTCUSDT", "t": 70, "p": "100.00",
              "q": "0.50000", "T": START + 149, "m": False, "M": True}),
        (60, {"lastUpdateId": 5, "bids": [["99.00", "1.5"]], "asks": [["101.00", "2.5"]]}),
        (100, {"e": "depthUpdate", "E": START + 200, "s": "BTCUSDT", "U": 6, "u": 8,
               "b": [["99.50", "0.7"]], "a": [["101.00", "0.0"], ["100.25", "1.0"]]}),
        (130, {"u": 9, "s": "BTCUSDT", "b": "99.75", "B": "0.3", "a": "100.25", "A": "1.0"}),
        (70_000, {"e": "trade", "E": START + 70_100, "s": "BTCUSDT", "t": 71, "p": "100.25",
                  "q": "0.20000", "T": START + 70_099, "m": False, "M": True}),
    ]  # fmt: skip
    with gzip.open(path, "wt") as stream:
        for at_ms, data in messages:
            wrapped = data if "lastUpdateId" in data else {"stream": "x", "data": data}
            stream.write(f"{(START + at_ms) * 1_000_000} {json.dumps(wrapped)}\n")
    return path


def test_a_recording_is_played_tick_for_tick(tmp_path: Path) -> None:
    clock, market = open_market(MarketOptions(data=(write_raw(tmp_path),), manual=True))
    state = market.states["BTCUSDT"]
    at_start = state.book.best(clock.now_ms())

    clock.advance(75)
    market.catch_up()
    in_between = state.book.best(clock.now_ms())
    id_then = state.book.update_id
    clock.advance(75_000)
    market.catch_up()

    assert at_start == ((9900, 15), (10100, 25))
    assert in_between == ((9975, 3), (10025, 10))
    assert id_then == 9
    assert [(one.trade_id, one.ticks) for one in state.tape] == [(70, 10000), (71, 10025)]
    first, second = state.store.candles("1m", limit=9)
    assert first[2:] == (10000, 10000, 10000, 10000, 5, 50_000, 1, 5, 50_000, 70)
    assert (second.open, second.volume) == (10025, 2)
    assert market.describe()["BTCUSDT"]["ended"]
    with pytest.raises(ValueError, match="no own prices"):
        market.set_price("BTCUSDT", Decimal(5))


def test_a_quote_beyond_a_users_order_is_told_to_the_engine(tmp_path: Path) -> None:
    clock, market = open_market(MarketOptions(data=(write_raw(tmp_path),), manual=True))
    told: list[Quote] = []

    def take_none(quote: Quote) -> Decimal:
        told.append(quote)
        return Decimal(0)

    market.on_quote(take_none)
    market.states["BTCUSDT"].book.show("BUY", 10050, 7)
    clock.advance(75)
    market.catch_up()

    assert told[0] == Quote("BTCUSDT", "SELL", Decimal("100.25"), Decimal(1))


def test_a_trade_file_keeps_its_aggregates(tmp_path: Path) -> None:
    path = tmp_path / "PEPEUSDT_aggTrades_x.csv.gz"
    with gzip.open(path, "wt", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["agg_trade_id", "price", "quantity", "first_trade_id", "last_trade_id",
                         "transact_time", "is_buyer_maker", "is_best_match"])  # fmt: skip
        for number in range(30):
            trade = [500 + number, f"0.0000090{number % 3}", f"{1000 + number}.00"]
            trade += [10 * number, 10 * number + 2, START + 3_000 * number, number % 2, 1]
            writer.writerow(trade)
    clock, market = open_market(MarketOptions(data=(path,), manual=True))

    clock.advance(95_000)
    market.catch_up()

    first, second = market.states["PEPEUSDT"].store.candles("1m", limit=9)[:2]
    assert first.trades == 60
    assert first.volume == sum(1000 + number for number in range(20))
    assert second.open_ms - first.open_ms == 60_000
    bid, ask = market.best("PEPEUSDT")
    assert bid < ask


@pytest.mark.parametrize(
    ("text", "match"),
    [("nonsense\n", "no receive time"), ("1723161254206652067 {}\n", "needs stream messages")],
)
def test_it_names_what_is_wrong_with_a_recording(tmp_path: Path, text: str, match: str) -> None:
    path = tmp_path / "odd.raw"
    path.write_text(text)

    with pytest.raises(ValueError, match=match):
        open_market(MarketOptions(data=(path,)))


def test_a_recording_goes_on_after_a_restart_without_using_an_id_twice(tmp_path: Path) -> None:
    options = MarketOptions(data=(write_raw(tmp_path),), manual=True)
    clock, market = open_market(options)
    clock.advance(80_000)
    market.catch_up()
    own = market.consume("BTCUSDT", "BUY", Decimal("100.25"), Decimal("0.1"))
    saved = market.snapshot()

    clock2, again = open_market(options, saved=saved)

    assert isinstance(again, FedMarket)
    assert clock2.now_ms() == clock.now_ms()
    assert again.states["BTCUSDT"].next_id == own.trade_id + 1
    assert all(a.time_ms <= b.time_ms for a, b in pairwise(again.states["BTCUSDT"].tape))

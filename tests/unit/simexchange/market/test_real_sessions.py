"""Real sessions of Binance, played back: the streams agree with the books and the trades."""

import csv
import gzip
import os
from decimal import Decimal
from pathlib import Path

import pytest

from simexchange.market.feedevents import FedDiff, FedSnapshot, FedTouch
from simexchange.market.levelbook import LevelBook
from simexchange.market.opening import MarketOptions
from simexchange.market.recording import RawTrack
from tests.fakes.sim_streams import Connection, LocalBook, StreamedMarket

SHARED = Path(os.environ.get("SHARED_DATA", "../shared/data"))
SESSIONS = SHARED / "ws_recordings"

pytestmark = [
    pytest.mark.skipif(not SESSIONS.exists(), reason="the recorded sessions are not here"),
    pytest.mark.slow,
]


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT"])
def test_the_recorded_best_prices_are_those_of_the_book_of_diffs(symbol: str) -> None:
    track = RawTrack(SESSIONS / f"binance_spot_{symbol.lower()}_20240808.raw.gz")
    book = LevelBook(track.grid)
    touches: list[FedTouch] = []
    agreed = compared = 0

    for _, event in track.events():
        if isinstance(event, FedTouch):
            touches.append(event)
        elif isinstance(event, FedSnapshot):
            book.load(event.update_id, event.bids, event.asks)
        elif isinstance(event, FedDiff):
            book.apply(event.update_id, event.bids, event.asks)
            old = [touch for touch in touches if touch.update_id <= event.update_id]
            touches = touches[len(old) :]
            if old:
                compared += 1
                agreed += book.best(0) == (old[-1].bid, old[-1].ask)

    assert compared > 2_000
    assert agreed == compared


async def test_a_played_session_agrees_with_itself_on_every_face() -> None:
    exchange = StreamedMarket(options=MarketOptions(data=(SESSIONS,), manual=True))
    line = Connection(exchange, "/stream", "streams=btcusdt@depth@100ms/btcusdt@trade")
    await line.settle()
    local = LocalBook(exchange.get("depth", symbol="BTCUSDT", limit="5000"))
    trades: list[tuple[str, str, int]] = []

    for _ in range(150):
        exchange.advance(100)
        exchange.beat()
        for message in await line.messages():
            data = message["data"]
            if data["e"] == "trade":
                trades.append((data["p"], data["q"], data["t"]))
                continue
            local.apply(data)
            rest = exchange.get("depth", symbol="BTCUSDT", limit="5000")
            assert local.shown() == rest
            touch = exchange.get("ticker/bookTicker", symbol="BTCUSDT")
            assert rest["bids"][0] == [touch["bidPrice"], touch["bidQty"]]
            assert rest["asks"][0] == [touch["askPrice"], touch["askQty"]]
    await line.leave()

    with gzip.open(SHARED / "trades" / "BTCUSDT_trades_20240808.csv.gz", "rt", newline="") as file:
        recorded = {int(row["trade_id"]): row for row in csv.DictReader(file)}
    assert len(trades) > 150
    for price, quantity, trade_id in trades:
        assert (price, quantity) == (recorded[trade_id]["price"], recorded[trade_id]["qty"])
    ids = [trade_id for _, _, trade_id in trades]
    assert ids == list(range(ids[0], ids[0] + len(ids)))


def test_minutes_of_a_played_session_are_its_trades() -> None:
    exchange = StreamedMarket(options=MarketOptions(data=(SESSIONS,), manual=True))
    exchange.advance(240_000)
    rows = exchange.get("klines", symbol="ETHUSDT", interval="1m")

    with gzip.open(SHARED / "trades" / "ETHUSDT_trades_20240808.csv.gz", "rt", newline="") as file:
        recorded = [(int(row["trade_time"]), row) for row in csv.DictReader(file)]
    for row in rows[1:-1]:
        within = [trade for at_ms, trade in recorded if row[0] <= at_ms <= row[6]]
        prices = [Decimal(trade["price"]) for trade in within]
        assert [Decimal(text) for text in row[1:5]] == [
            prices[0], max(prices), min(prices), prices[-1],
        ]  # fmt: skip
        assert Decimal(row[5]) == sum(Decimal(trade["qty"]) for trade in within)
        assert row[8] == len(within)

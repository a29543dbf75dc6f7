from decimal import Decimal
from typing import Any

import pytest

from simexchange.clock import SimClock
from simexchange.errors import ApiError
from simexchange.faces.rest_market import market_routes
from simexchange.faces.routing import Call
from simexchange.market.intervals import INTERVAL_MS
from simexchange.market.live import SimMarket
from simexchange.market.opening import MarketOptions, open_market

START = 1_717_200_000_000
DAY = 86_400_000


class Face:
    def __init__(self) -> None:
        self.clock, self.market = open_market(
            MarketOptions(manual=True, start_ms=START, history_days=2)
        )
        self.routes = market_routes(self.market)
        self.clock.advance(400_000)

    def get(self, name: str, **params: Any) -> Any:
        path = f"/api/v3/{name}"
        texts = {key: str(value) for key, value in params.items()}
        call = Call("GET", path, texts, self.clock.now_ms())
        return self.routes[("GET", path)].handler(call)

    def weight(self, name: str, **params: Any) -> int:
        path = f"/api/v3/{name}"
        weight = self.routes[("GET", path)].weight
        if isinstance(weight, int):
            return weight
        texts = {key: str(value) for key, value in params.items()}
        return weight(Call("GET", path, texts, 0))


@pytest.fixture(scope="module")
def face() -> Face:
    return Face()


def refusal(face: Face, name: str, **params: Any) -> int:
    with pytest.raises(ApiError) as caught:
        face.get(name, **params)
    return caught.value.code


def test_it_answers_ping_and_time(face: Face) -> None:
    assert face.get("ping") == {}
    assert face.get("time") == {"serverTime": START + 400_000}


def test_its_klines_have_binances_shape(face: Face) -> None:
    rows = face.get("klines", symbol="BTCUSDT", interval="5m")

    assert len(rows) == 500
    last = rows[-1]
    assert len(last) == 12
    assert last[6] == last[0] + 300_000 - 1
    assert last[0] <= face.clock.now_ms() <= last[6]
    assert all(isinstance(last[place], str) for place in (1, 2, 3, 4, 5, 7, 9, 10, 11))
    assert len(last[1].split(".")[1]) == 8


def test_the_first_kline_is_found_from_time_zero(face: Face) -> None:
    rows = face.get("klines", symbol="BTCUSDT", interval="1m", startTime=0, limit=1)

    assert [row[0] for row in rows] == [START - 2 * DAY]


def test_it_cuts_the_limit_and_understands_microseconds(face: Face) -> None:
    assert len(face.get("klines", symbol="BTCUSDT", interval="1m", limit=5000)) == 1000
    in_us = face.get("klines", symbol="BTCUSDT", interval="1m", startTime=START * 1000, limit=2)
    assert in_us[0][0] == START


def test_klines_ticker_and_price_agree(face: Face) -> None:
    last = face.get("klines", symbol="ETHUSDT", interval="1m", limit=1)[0]
    day = face.get("ticker/24hr", symbol="ETHUSDT")
    rows = face.get(
        "klines", symbol="ETHUSDT", interval="1m", startTime=day["openTime"], limit=1000
    )
    rows += face.get("klines", symbol="ETHUSDT", interval="1m", startTime=rows[-1][0] + 1)

    assert last[4] == face.get("ticker/price", symbol="ETHUSDT")["price"] == day["lastPrice"]
    assert Decimal(day["volume"]) == sum(Decimal(row[5]) for row in rows)
    assert Decimal(day["highPrice"]) == max(Decimal(row[2]) for row in rows)
    assert day["count"] == sum(row[8] for row in rows)
    assert Decimal(day["bidPrice"]) < Decimal(day["askPrice"])


def test_depth_is_best_first_and_agrees_with_the_book_ticker(face: Face) -> None:
    depth = face.get("depth", symbol="BTCUSDT", limit=50)
    ticker = face.get("ticker/bookTicker", symbol="BTCUSDT")

    bids = [Decimal(price) for price, _ in depth["bids"]]
    asks = [Decimal(price) for price, _ in depth["asks"]]
    assert len(bids) == len(asks) == 50
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert depth["bids"][0] == [ticker["bidPrice"], ticker["bidQty"]]
    assert depth["asks"][0] == [ticker["askPrice"], ticker["askQty"]]


def test_trades_come_ascending_and_by_id(face: Face) -> None:
    trades = face.get("trades", symbol="BTCUSDT", limit=20)
    from_id = face.get("historicalTrades", symbol="BTCUSDT", fromId=trades[3]["id"], limit=2)
    aggregates = face.get("aggTrades", symbol="BTCUSDT", fromId=trades[3]["id"], limit=2)

    assert [trade["id"] for trade in trades] == sorted(trade["id"] for trade in trades)
    assert from_id == trades[3:5]
    assert [entry["a"] for entry in aggregates] == [trade["id"] for trade in from_id]


def test_tickers_come_for_one_several_or_all(face: Face) -> None:
    assert len(face.get("ticker/price")) == 3
    assert [t["symbol"] for t in face.get("ticker/24hr", symbols='["SOLUSDT","BTCUSDT"]')] == [
        "SOLUSDT",
        "BTCUSDT",
    ]
    assert "bidPrice" not in face.get("ticker/24hr", symbol="BTCUSDT", type="MINI")
    assert face.get("ticker", symbol="BTCUSDT", windowSize="1h")["openTime"] % 60_000 == 0
    assert face.get("ticker/tradingDay", symbol="BTCUSDT")["openTime"] % DAY == 0


@pytest.mark.parametrize(
    ("name", "params", "code"),
    [
        ("klines", {"interval": "1m"}, -1102),
        ("klines", {"symbol": "BTCUSDT"}, -1102),
        ("klines", {"symbol": "NOPE", "interval": "1m"}, -1121),
        ("klines", {"symbol": "btcusdt", "interval": "1m"}, -1100),
        ("klines", {"symbol": "BTCUSDT", "interval": "7m"}, -1120),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": "x"}, -1100),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": 0}, -1130),
        ("klines", {"symbol": "BTCUSDT", "interval": "1d", "timeZone": "15"}, -1130),
        ("ticker/24hr", {"symbol": "BTCUSDT", "type": "HUGE"}, -1139),
        ("ticker/price", {"symbols": '["BTCUSDT","BTCUSDT"]'}, -1151),
        ("ticker/price", {"symbol": "BTCUSDT", "symbols": '["BTCUSDT"]'}, -1128),
        ("ticker/price", {"symbols": "BTCUSDT"}, -1100),
        ("ticker", {}, -1102),
        ("ticker", {"symbol": "BTCUSDT", "windowSize": "60m"}, -1130),
        ("aggTrades", {"symbol": "BTCUSDT", "fromId": 1, "startTime": 5}, -1128),
        ("depth", {"symbol": "BTCUSDT", "symbolStatus": "OPEN"}, -1122),
        ("depth", {"symbol": "BTCUSDT", "symbolStatus": "BREAK"}, -1220),
        ("ticker/price", {"symbol": "BTCUSDT", "symbolStatus": "HALT"}, -1220),
        ("ticker/tradingDay", {"symbol": "BTCUSDT", "timeZone": "+15:00"}, -1130),
        ("referencePrice", {"symbol": "BTCUSDT"}, -2043),
        ("historicalTrades", {"symbol": "BTCUSDT", "fromId": "-1"}, -1100),
    ],
)
def test_it_refuses_as_binance_does(
    face: Face, name: str, params: dict[str, Any], code: int
) -> None:
    assert refusal(face, name, **params) == code


def test_a_time_zone_moves_the_day(face: Face) -> None:
    rows = face.get("klines", symbol="BTCUSDT", interval="1d", timeZone="+08:00")

    assert all((row[0] + 8 * 3_600_000) % DAY == 0 for row in rows)


def test_the_trading_day_begins_at_midnight_of_the_time_zone(face: Face) -> None:
    day = face.get("ticker/tradingDay", symbol="BTCUSDT", timeZone="-05:00")

    assert (day["openTime"] - 5 * 3_600_000) % DAY == 0
    assert day["openTime"] <= face.clock.now_ms() < day["openTime"] + DAY


def test_a_status_narrows_the_list(face: Face) -> None:
    assert len(face.get("ticker/price", symbolStatus="TRADING")) == 3
    assert face.get("ticker/24hr", symbolStatus="BREAK") == []


def test_every_interval_is_served(face: Face) -> None:
    for interval in INTERVAL_MS:
        rows = face.get("klines", symbol="BTCUSDT", interval=interval, limit=3)
        assert rows, interval
        assert rows[-1][0] <= face.clock.now_ms() <= rows[-1][6]


def test_it_weighs_requests(face: Face) -> None:
    assert face.weight("klines") == 2
    assert [face.weight("depth", limit=n) for n in (5, 500, 1000, 5000)] == [5, 25, 50, 250]
    assert face.weight("ticker/24hr") == 80
    assert face.weight("ticker/24hr", symbol="BTCUSDT") == 2
    assert face.weight("ticker/price") == 4
    assert face.weight("ticker", symbols='["BTCUSDT","ETHUSDT"]') == 8


def test_the_market_it_serves_is_the_engines(face: Face) -> None:
    assert isinstance(face.market, SimMarket)
    assert isinstance(face.clock, SimClock)
    price = face.get("ticker/price", symbol="BTCUSDT")["price"]
    assert Decimal(price) == face.market.last_price("BTCUSDT")

import time
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
import responses
from binance.exceptions import BinanceAPIException

from core.clock import AffineClock
from core.errors import ExchangeError, NeedsOperator, TemporaryExchangeError
from markets.adapters.binance_client import VenueClient, addresses_of, build_client, is_loopback
from markets.adapters.binance_errors import RateLimited
from markets.adapters.binance_market_data import BinanceMarketData, describe
from markets.domain.timeframe import Timeframe

SIM_URL = "http://127.0.0.1:19443"
MARKET_MS = 1_600_000_000_000


def clock() -> AffineClock:
    return AffineClock(origin_wall_ms=time.time_ns() // 1_000_000, origin_market_ms=MARKET_MS)


def client(mode: str = "demo") -> VenueClient:
    return build_client(mode=mode, sim_url=SIM_URL, clock=clock(), api_key="k", api_secret="s")


def market_data(waits: list[float]) -> BinanceMarketData:
    return BinanceMarketData(client(), clock(), is_local=True, sleep=waits.append)


def test_the_mode_decides_the_address() -> None:
    assert addresses_of(mode="demo", sim_url=SIM_URL).rest == f"{SIM_URL}/api"
    assert addresses_of(mode="paper", sim_url=SIM_URL).stream == "ws://127.0.0.1:19443/"
    assert "testnet" in addresses_of(mode="testnet", sim_url=SIM_URL).rest
    assert addresses_of(mode="live", sim_url=SIM_URL).rest == "https://api.binance.com/api"


@pytest.mark.parametrize(
    "url", ["https://api.binance.com", "http://10.0.0.5:9443", "ftp://127.0.0.1", "", "127.0.0.1"]
)
def test_demo_refuses_to_leave_this_machine(url: str) -> None:
    with pytest.raises(NeedsOperator, match="SIM_URL"):
        addresses_of(mode="demo", sim_url=url)


def test_live_refuses_to_stay_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    local = addresses_of(mode="demo", sim_url=SIM_URL)
    monkeypatch.setattr("markets.adapters.binance_client.LIVE", local)

    with pytest.raises(NeedsOperator, match="live mode must not"):
        client("live")


def test_it_knows_this_machine() -> None:
    assert is_loopback("ws://[::1]:9/")
    assert is_loopback("http://localhost:1")
    assert not is_loopback("http://localhost.example.com")


@responses.activate
def test_it_signs_by_the_market_clock_unless_told_a_moment() -> None:
    responses.get(f"{SIM_URL}/api/v3/account", json={"balances": []})
    venue = client()

    venue.get_account()
    pinned_ms = MARKET_MS - 5_000_000
    with venue.signing_at(pinned_ms):
        time.sleep(0.01)  # a busy machine takes its time; the stamp stays what it was
        venue.get_account()

    sent = [parse_qs(call.request.url.split("?")[1]) for call in responses.calls]
    assert abs(int(sent[0]["timestamp"][0]) - MARKET_MS) < 5000
    assert int(sent[1]["timestamp"][0]) == pinned_ms
    assert sent[0]["recvWindow"] == ["5000"]


@responses.activate
def test_it_neither_retries_nor_follows_and_counts_its_weight() -> None:
    responses.post(
        f"{SIM_URL}/api/v3/order",
        status=307,
        headers={"Location": f"{SIM_URL}/elsewhere", "x-mbx-used-weight-1m": "42"},
    )
    venue = client()

    with pytest.raises(BinanceAPIException):
        venue.create_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity="1")

    assert len(responses.calls) == 1
    assert responses.calls[0].request.req_kwargs["timeout"] == (2, 12)
    assert venue.used_weight == 42


@responses.activate
def test_a_read_is_repeated_after_the_time_the_exchange_asks_for() -> None:
    url = f"{SIM_URL}/api/v3/time"
    responses.get(url, status=429, json={"code": -1003, "msg": "x"}, headers={"Retry-After": "7"})
    responses.get(url, status=503, body="<html>")
    responses.get(url, json={"serverTime": MARKET_MS})
    waits: list[float] = []

    moment = market_data(waits).server_time()

    assert moment == datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)
    assert waits[0] == 7
    assert 0 < waits[1] <= 2


@responses.activate
def test_a_read_gives_up_in_the_end_and_at_once_when_refused() -> None:
    responses.get(f"{SIM_URL}/api/v3/time", status=503, body="")
    responses.get(
        f"{SIM_URL}/api/v3/ticker/price", status=400, json={"code": -1121, "msg": "Invalid symbol."}
    )
    waits: list[float] = []

    with pytest.raises(TemporaryExchangeError):
        market_data(waits).server_time()
    with pytest.raises(ExchangeError, match="Invalid symbol"):
        market_data(waits).ticker("NOSUCH")

    assert len(waits) == 4


@responses.activate
def test_a_ban_is_not_waited_out() -> None:
    responses.get(
        f"{SIM_URL}/api/v3/time",
        status=418,
        json={"code": -1003, "msg": "banned"},
        headers={"Retry-After": "259200"},
    )
    waits: list[float] = []

    with pytest.raises(RateLimited) as raised:
        market_data(waits).server_time()

    assert waits == []
    assert timedelta(seconds=raised.value.context["retry_after_s"]) == timedelta(days=3)


@responses.activate
def test_it_returns_klines_as_rows_without_an_instrument() -> None:
    kline = [
        MARKET_MS, "1.10", "2", "1", "1.5", "10", MARKET_MS + 59_999, "15", 3, "4", "6", "0",
    ]  # fmt: skip
    answer = responses.get(f"{SIM_URL}/api/v3/klines", json=[kline])

    rows = market_data([]).klines(
        symbol="BTCUSDT", timeframe=Timeframe.M1, start_ms=0, end_ms=60_000, limit=5
    )

    assert rows == [[MARKET_MS, "1.10", "2", "1", "1.5", "10", "15", 3, "4", "6"]]
    assert "endTime=59999" in answer.calls[0].request.url


@responses.activate
def test_it_tells_where_the_local_exchange_has_its_prices_from() -> None:
    about = {"source": "generated", "seed": 7, "signal": "planted", "ic": 0.3}
    responses.get(f"{SIM_URL}/_sim/market", json={"BTCUSDT": {**about, "horizon_minutes": 60}})

    assert market_data([]).provenance() == {
        "BTCUSDT": "generated: planted signal, IC 0.30 over 60 minutes, seed 7"
    }
    assert describe({"source": "replay", "file": "a.csv"}) == "replay: file a.csv"

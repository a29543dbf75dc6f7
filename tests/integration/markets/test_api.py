from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.urls import include, path
from rest_framework.test import APIClient

from core.errors import TemporaryExchangeError
from markets.domain.ticker import Ticker
from markets.domain.timeframe import Timeframe
from markets.models import Instrument, Subscription
from markets.selectors import list_subscriptions
from markets.services.ingestion import store_candles
from markets.services.tickers import record_tickers

urlpatterns = [path("", include("markets.urls"))]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]
NOW = datetime(2024, 1, 1, tzinfo=UTC)
START = 1_700_000_000_000 // 60_000 * 60_000


@pytest.fixture
def client() -> APIClient:
    api = APIClient()
    api.force_authenticate(get_user_model().objects.create_user("desk"))
    return api


@pytest.fixture
def exchange_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Any:
        raise TemporaryExchangeError("The exchange cannot be reached")

    monkeypatch.setattr("markets.api.get_market_data", refuse)


def test_it_asks_who_is_calling() -> None:
    assert APIClient().get("/data/BTCUSDT/klines").status_code in (401, 403)


def test_subscribing_takes_effect_once(
    client: APIClient, make_instrument: Callable[..., Instrument]
) -> None:
    make_instrument()

    first = client.post("/data/subscribe", {"symbol": "BTCUSDT", "timeframe": "5m"}, format="json")
    again = client.post("/data/subscribe", {"symbol": "BTCUSDT", "timeframe": "5m"}, format="json")

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == {"symbol": "BTCUSDT", "timeframe": "5m", "is_new": True}
    assert [item.timeframe for item in list_subscriptions()] == [Timeframe.M5]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"symbol": "BTCUSDT", "timeframe": "7m"},
        {"symbol": "BTC/USDT"},
        {"symbol": ["BTCUSDT"]},
        {"symbol": "BTCUSDT", "speed": 3},
    ],
)
def test_a_bad_subscription_is_a_400(client: APIClient, body: dict[str, Any]) -> None:
    answer = client.post("/data/subscribe", body, format="json")

    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "message", "context"}
    assert not Subscription.objects.exists()


@pytest.mark.usefixtures("exchange_is_down")
def test_an_unknown_symbol_is_asked_of_the_exchange(client: APIClient) -> None:
    assert client.post("/data/subscribe", {"symbol": "NEWUSDT"}, format="json").status_code == 503
    assert client.get("/data/NEWUSDT/ticker").status_code == 404


@pytest.mark.usefixtures("exchange_is_down")
def test_the_ticker_is_the_streamed_one(
    client: APIClient, make_instrument: Callable[..., Instrument]
) -> None:
    make_instrument()

    missing = client.get("/data/BTCUSDT/ticker")
    record_tickers(tickers=[Ticker(symbol="BTCUSDT", price=Decimal("64000.10"), at=NOW)])
    answer = client.get("/data/btcusdt/ticker")

    assert missing.status_code == 503
    assert answer.json() == {
        "symbol": "BTCUSDT",
        "price": "64000.10",
        "at": "2024-01-01T00:00:00Z",
    }


def test_klines_are_the_newest_exact_and_ascending(
    client: APIClient, make_instrument: Callable[..., Instrument]
) -> None:
    key = make_instrument().pk
    rows = [
        [key, START + n * 60_000, "10.10", "11", "10", f"10.{n}", "3", None, None, None, None]
        for n in range(5)
    ]
    store_candles(timeframe=Timeframe.M1, rows=rows, now=NOW)

    two = client.get("/data/BTCUSDT/klines", {"limit": 2}).json()
    early = client.get("/data/BTCUSDT/klines", {"end": START + 60_000}).json()

    assert [item["close"] for item in two] == ["10.3", "10.4"]
    assert two[0]["open"] == "10.1"
    assert two[0]["quote_volume"] is None
    assert [item["open_time"] for item in early] == ["2023-11-14T22:13:00Z"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("limit", "0"), ("limit", "1001"), ("limit", "ten"), ("end", "-1"), ("interval", "7m")],
)
def test_a_bad_question_is_a_400(
    client: APIClient, make_instrument: Callable[..., Instrument], name: str, text: str
) -> None:
    make_instrument()

    answer = client.get("/data/BTCUSDT/klines", {name: text})

    assert answer.status_code == 400
    assert name in answer.json()["message"]

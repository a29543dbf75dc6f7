from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from core.clock import from_ms
from core.errors import InvalidInput, NotFound
from markets.adapters.binance_market_data import listing_of
from markets.domain.filters import Listing
from markets.domain.ticker import Ticker
from markets.domain.timeframe import Timeframe
from markets.models import Instrument
from markets.selectors import (
    get_rules_by_symbol,
    list_marks,
    list_rules,
    list_subscriptions,
    list_tickers,
)
from markets.services.ingestion import store_candles
from markets.services.instruments import (
    refresh_instrument,
    subscribe,
    sync_instruments,
    unsubscribe,
)
from markets.services.tickers import record_tickers

NOW = datetime(2024, 1, 1, tzinfo=UTC)
FILTERS: list[dict[str, Any]] = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.0100"},
    {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001000"},
    {"filterType": "MARKET_LOT_SIZE", "minQty": "0", "maxQty": "81.5", "stepSize": "0"},
    {"filterType": "NOTIONAL", "minNotional": "5.00", "maxNotional": "9000000"},
    {
        "filterType": "PERCENT_PRICE_BY_SIDE",
        "bidMultiplierUp": "5",
        "bidMultiplierDown": "0.2",
        "askMultiplierUp": "4",
        "askMultiplierDown": "0.3",
        "avgPriceMins": 5,
    },
    {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
    {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
]


class FakeMarketData:
    """Lists what it is given."""

    def __init__(self, *symbols: str, filters: list[dict[str, Any]] = FILTERS) -> None:
        self.symbols = symbols
        self.filters = filters

    def listings(self) -> list[Listing]:
        return [
            Listing(
                symbol=symbol,
                base_asset=symbol.removesuffix("USDT"),
                quote_asset="USDT",
                status="TRADING",
                filters=self.filters,
            )
            for symbol in self.symbols
        ]

    def provenance(self) -> dict[str, str]:
        return {"BTCUSDT": "generated: planted signal, IC 0.30"}


def sync(*listed: str, symbols: list[str] | None = None, **more: Any) -> list[int]:
    source: Any = FakeMarketData(*listed, **more)
    return sync_instruments(market_data=source, symbols=symbols, now=NOW)


@pytest.mark.parametrize(
    ("permits", "is_allowed"),
    [
        ({"otoAllowed": True, "ocoAllowed": True}, True),
        ({"otoAllowed": True, "ocoAllowed": False}, False),
        ({"otoAllowed": False, "ocoAllowed": True}, False),
        ({"ocoAllowed": True}, False),
    ],
    ids=str,
)
@pytest.mark.django_db
def test_it_keeps_whether_an_entry_and_its_pair_may_go_in_one_list(
    permits: dict[str, bool], *, is_allowed: bool
) -> None:
    item = {"symbol": "BTCUSDT", "baseAsset": "BTC", "quoteAsset": "USDT", "status": "TRADING"}
    sync("BTCUSDT")

    refresh_instrument(listing=listing_of({**item, "filters": FILTERS, **permits}), now=NOW)

    assert Instrument.objects.get().otoco_allowed is is_allowed


@pytest.mark.django_db
def test_it_reads_every_filter_and_keeps_them_word_for_word() -> None:
    sync("BTCUSDT")

    rules = get_rules_by_symbol("btcusdt")

    assert (rules.tick_size, rules.step_size) == (Decimal("0.01"), Decimal("0.00001"))
    assert (rules.min_quantity, rules.max_quantity) == (Decimal("0.00001"), Decimal(9000))
    assert rules.market_max_quantity == Decimal("81.5")
    assert (rules.min_notional, rules.max_notional) == (Decimal(5), Decimal(9_000_000))
    assert (rules.bid_multiplier_up, rules.ask_multiplier_down) == (Decimal(5), Decimal("0.3"))
    assert (rules.max_open_orders, rules.max_algo_orders) == (200, 5)
    row = Instrument.objects.get()
    assert row.filters == FILTERS
    assert row.provenance == "generated: planted signal, IC 0.30"


@pytest.mark.django_db
def test_a_second_sync_changes_rows_in_place_and_marks_what_is_gone() -> None:
    first = sync("BTCUSDT", "ETHUSDT")
    new_filters = [{**FILTERS[0], "tickSize": "0.1"}, *FILTERS[1:]]

    second = sync("BTCUSDT", "NEWUSDT", filters=new_filters)

    assert second == first[:1]
    assert get_rules_by_symbol("BTCUSDT").tick_size == Decimal("0.1")
    assert get_rules_by_symbol("ETHUSDT").status == "DELISTED"
    assert set(list_rules()) == set(first)


@pytest.mark.django_db
def test_an_unknown_symbol_and_an_unusable_filter_are_refused() -> None:
    with pytest.raises(NotFound, match="does not list NOSUCH"):
        sync("BTCUSDT", symbols=["BTCUSDT", "nosuch"])
    with pytest.raises(InvalidInput, match=r"BTCUSDT LOT_SIZE.stepSize must be above 0"):
        sync("BTCUSDT", filters=FILTERS[:1])

    assert not Instrument.objects.exists()


def test_subscriptions_are_switched_not_doubled(
    make_instrument: Callable[..., Instrument],
) -> None:
    key = make_instrument().pk

    changes = [
        subscribe(instrument_id=key, timeframe=Timeframe.M5),
        subscribe(instrument_id=key, timeframe=Timeframe.M5),
        unsubscribe(instrument_id=key, timeframe=Timeframe.M5),
        unsubscribe(instrument_id=key, timeframe=Timeframe.M5),
    ]
    while_off = list_subscriptions()
    subscribe(instrument_id=key, timeframe=Timeframe.M5)

    assert changes == [True, False, True, False]
    assert while_off == []
    assert [(item.symbol, item.timeframe) for item in list_subscriptions()] == [("BTCUSDT", "5m")]


def test_the_mark_is_the_ticker_else_the_last_close(
    make_instrument: Callable[..., Instrument],
) -> None:
    live, quiet, unknown = (make_instrument(name).pk for name in ("AUSDT", "BUSDT", "CUSDT"))
    opened = 1_700_006_400_000 // 3_600_000 * 3_600_000
    for timeframe, close in ((Timeframe.H1, "10.5"), (Timeframe.M5, "10.25")):
        rows = [
            [key, opened, "10", "11", "9", close, "1", "1", 1, "1", "1"] for key in (live, quiet)
        ]
        store_candles(timeframe=timeframe, rows=rows, now=NOW)

    record_tickers(tickers=[Ticker(symbol="AUSDT", price=Decimal("12.5"), at=NOW)])
    marks = list_marks([live, quiet, unknown])

    assert (marks[live].price, marks[live].at) == (Decimal("12.5"), NOW)
    assert (marks[quiet].price, marks[quiet].at) == (Decimal("10.5"), from_ms(opened + 3_600_000))
    assert unknown not in marks


@pytest.mark.faults
def test_without_redis_there_are_no_tickers_but_marks(
    make_instrument: Callable[..., Instrument], settings: Any
) -> None:
    key = make_instrument("AUSDT").pk
    rows = [[key, 1_700_006_400_000, "10", "11", "9", "10", "1", "1", 1, "1", "1"]]
    store_candles(timeframe=Timeframe.M5, rows=rows, now=NOW)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    record_tickers(tickers=[Ticker(symbol="AUSDT", price=Decimal("12.5"), at=NOW)])

    assert list_tickers(["AUSDT"]) == {}
    assert list_marks([key])[key].price == Decimal(10)

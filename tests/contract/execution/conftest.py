"""Every broker at its desk."""

from decimal import Decimal

import pytest

from execution.adapters.binance_broker import BinanceBroker
from markets.adapters.binance_client import build_client
from markets.domain.filters import Listing
from tests.fakes.broker import FakeBroker
from tests.fakes.broker_desk import SYMBOL, Desk, sim_clock
from tests.fakes.clock import HandClock

D = Decimal


@pytest.fixture(params=["memory", "binance"])
def desk(request):
    if request.param == "memory":
        clock = HandClock()
        broker = FakeBroker(
            clock=clock,
            prices={SYMBOL: D("50000"), "ETHUSDT": D("2500")},
            assets={SYMBOL: ("BTC", "USDT"), "ETHUSDT": ("ETH", "USDT")},
        )
        broker.held["USDT"], broker.held["BTC"] = D("100000"), D("1")
        grids = [
            {"filterType": "PRICE_FILTER", "tickSize": "0.01"},
            {"filterType": "LOT_SIZE", "stepSize": "0.00001"},
        ]
        broker.listings[SYMBOL] = Listing(
            symbol=SYMBOL, base_asset="BTC", quote_asset="USDT", status="TRADING", filters=grids
        )
        yield Desk(broker, clock, D("50000"))
        return
    sim = request.getfixturevalue("sim_exchange")
    clock = sim_clock(sim.url)
    client = build_client(
        mode="demo", sim_url=sim.url, clock=clock, api_key=sim.key, api_secret=sim.secret
    )
    price = D(client.get_symbol_ticker(symbol=SYMBOL)["price"])
    desk = Desk(BinanceBroker(client, clock), clock, price, sim.url)
    yield desk
    desk.broker.cancel_all(SYMBOL)

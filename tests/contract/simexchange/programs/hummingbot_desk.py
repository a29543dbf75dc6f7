"""hummingbot's Binance connector, its addresses set as its source has them: URL PORT KEY SECRET."""

import asyncio
import logging
import sys
from decimal import Decimal

from hummingbot.connector.exchange.binance import binance_constants
from hummingbot.connector.exchange.binance.binance_exchange import BinanceExchange
from hummingbot.core.clock import Clock, ClockMode
from hummingbot.core.data_type.common import OrderType
from hummingbot.core.event.event_listener import EventListener
from hummingbot.core.event.events import MarketEvent
from loop import gathered, serve

PAIR = "BTC-USDT"
HEARD = (
    *(MarketEvent.BuyOrderCreated, MarketEvent.SellOrderCreated, MarketEvent.OrderFilled),
    *(MarketEvent.BuyOrderCompleted, MarketEvent.SellOrderCompleted, MarketEvent.OrderCancelled),
    MarketEvent.OrderFailure,
)


class Notes(EventListener):
    """What the connector tells a strategy of, in its order."""

    def __init__(self, kind, told):
        super().__init__()
        self.kind, self.told = kind, told

    def __call__(self, event):
        name = getattr(event, "order_id", "")
        quantity = getattr(event, "amount", None) or getattr(event, "base_asset_amount", None)
        self.told.append({"kind": self.kind.name, "order": name, "quantity": quantity})


class Hummingbot:
    """What the tests ask for; the connector is run by hummingbot's own clock."""

    def __init__(self, url, port, key, secret):
        socket = f"ws://127.0.0.1:{port}"
        binance_constants.REST_URL = f"{url}/api/"
        binance_constants.WSS_URL = f"{socket}/ws"
        binance_constants.WSS_API_URL = f"{socket}/ws-api/v3"
        self.keys = (key, secret)
        self.told, self.notes = [], []

    async def start(self):
        self.connector = BinanceExchange(*self.keys, trading_pairs=[PAIR])
        for kind in HEARD:
            self.notes.append(Notes(kind, self.told))
            self.connector.add_listener(kind, self.notes[-1])
        self.clock = Clock(ClockMode.REALTIME, 1.0)
        self.clock.add_iterator(self.connector)
        self.clock.__enter__()
        self.running = asyncio.ensure_future(self.clock.run())
        async with asyncio.timeout(60):
            while not self.connector.ready:
                await asyncio.sleep(0.05)
        return self.connector.status_dict

    async def close(self):
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)
        self.clock.__exit__(None, None, None)
        await self.connector.stop_network()

    async def place(self, side, kind, quantity, price=None):
        """Place an order; return the connector's name for it."""
        order = getattr(self.connector, side)
        price = Decimal(price) if price else Decimal("NaN")
        return order(PAIR, Decimal(quantity), OrderType[kind], price)

    async def cancel(self, name):
        self.connector.cancel(PAIR, name)

    async def events(self, count):
        """Return the first events, once there are so many."""
        return await gathered(self.told, count)

    async def open_orders(self):
        return {
            name: {"status": one.current_state.name, "exchange_id": one.exchange_order_id}
            for name, one in self.connector.in_flight_orders.items()
        }

    async def balances(self):
        """Return (available, total) by asset."""
        return {
            asset: [self.connector.get_available_balance(asset), total]
            for asset, total in self.connector.get_all_balances().items()
        }

    async def book(self):
        """Return the best prices of the book that it keeps from the diff stream, and its id."""
        book = self.connector.get_order_book(PAIR)
        bid, ask = next(book.bid_entries()), next(book.ask_entries())
        return {
            "bid": bid.price,
            "ask": ask.price,
            "id": max(book.snapshot_uid, book.last_diff_uid),
        }

    async def rules(self):
        rule = self.connector.trading_rules[PAIR]
        return {
            "step": rule.min_base_amount_increment,
            "tick": rule.min_price_increment,
            "min_notional": rule.min_notional_size,
        }


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    asyncio.run(serve(Hummingbot(*sys.argv[1:])))

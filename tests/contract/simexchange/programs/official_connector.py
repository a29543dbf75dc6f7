"""binance-connector, the older official client, as python-binance: URL PORT KEY SECRET."""

import asyncio
import json
import logging
import sys

from binance.error import ClientError
from binance.spot import Spot
from binance.websocket.spot.websocket_api import SpotWebsocketAPIClient
from binance.websocket.spot.websocket_stream import SpotWebsocketStreamClient
from loop import Refused, gathered, serve

NAMES = {
    "get_symbol_ticker": "ticker_price",
    "create_order": "new_order",
    "get_my_trades": "my_trades",
}


class Connector:
    """What the tests ask for."""

    def __init__(self, url, port, key, secret):
        self.client = Spot(key, secret, base_url=url)
        self.socket, self.keys = f"ws://127.0.0.1:{port}", (key, secret)

    async def start(self):
        return await self.ask("exchange_info")

    async def close(self):
        self.client.session.close()

    async def ask(self, name, **params):
        try:
            return await asyncio.to_thread(getattr(self.client, NAMES.get(name, name)), **params)
        except ClientError as error:
            raise Refused(error.error_message) from error

    async def get_asset_balance(self, asset):
        held = (await self.ask("account"))["balances"]
        return next(one for one in held if one["asset"] == asset)

    async def socket_calls(self):
        """Ask the WebSocket API for the account and place an order; return both answers."""
        heard = []
        client = SpotWebsocketAPIClient(
            stream_url=f"{self.socket}/ws-api/v3",
            api_key=self.keys[0],
            api_secret=self.keys[1],
            on_message=lambda _, message: heard.append(json.loads(message)),
        )
        client.account(id="account")
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
        client.new_order(**order, id="order")
        answers = {one["id"]: one for one in await gathered(heard, 2)}
        client.stop()
        return answers

    async def market_events(self):
        """Subscribe to some streams on one raw line; return the first message of each kind."""
        heard = {}

        def note(_, message):
            told = json.loads(message)
            if kind := told.get("e") or ("u" in told and "bookTicker"):
                heard.setdefault(kind, told)

        client = SpotWebsocketStreamClient(stream_url=self.socket, on_message=note)
        client.agg_trade(symbol="btcusdt")
        client.kline(symbol="btcusdt", interval="1m")
        client.diff_book_depth(symbol="btcusdt", speed=100)
        client.book_ticker(symbol="btcusdt")
        await gathered(heard, 4)
        client.stop()
        return heard

    def __getattr__(self, name):
        """Pass everything else on to the connector under its name there."""

        async def call(**params):
            return await self.ask(name, **params)

        return call


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)  # it logs the close frame of a line that it closed itself
    asyncio.run(serve(Connector(*sys.argv[1:])))

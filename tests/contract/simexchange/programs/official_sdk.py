"""binance-sdk-spot behind python-binance's names: URL PORT KEY SECRET, and rest or socket.

Its answers are parsed into its own typed models before they are told, so every type counts.
"""

import asyncio
import logging
import re
import sys
from decimal import Decimal

from binance_common.configuration import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_common.errors import BadRequestError, TooManyRequestsError, UnauthorizedError
from binance_sdk_spot.spot import Spot
from loop import Refused, gathered, serve
from pydantic import BaseModel

REST = {
    "get_symbol_ticker": "ticker_price",
    "create_order": "new_order",
    "cancel_order": "delete_order",
    "get_my_trades": "my_trades",
}
SOCKET = {
    "exchange_info": "exchange_info",
    "get_symbol_ticker": "ticker_price",
    "create_order": "order_place",
    "get_order": "order_status",
    "get_open_orders": "open_orders_status",
    "cancel_order": "order_cancel",
    "get_my_trades": "my_trades",
    "get_account": "account_status",
    "order_list_oco": "order_list_place_oco",
    "order_list_oto": "order_list_place_oto",
    "order_list_otoco": "order_list_place_otoco",
    "order_list_opo": "order_list_place_opo",
    "order_list_opoco": "order_list_place_opoco",
    "order_oco": "order_list_place",
    "get_order_list": "order_list_status",
    "delete_order_list": "order_list_cancel",
    "delete_open_orders": "open_orders_cancel_all",
}
NUMBERS = ("quantity", "price", "qty")
STREAMS = {
    "agg_trade": {"symbol": "btcusdt"},
    "all_market_rolling_window_ticker": {"window_size": "1h"},
    "all_mini_ticker": {},
    "avg_price": {"symbol": "btcusdt"},
    "book_ticker": {"symbol": "btcusdt"},
    "diff_book_depth": {"symbol": "btcusdt", "update_speed": "100ms"},
    "kline": {"symbol": "btcusdt", "interval": "1m"},
    "kline_offset": {"symbol": "btcusdt", "interval": "1m"},
    "mini_ticker": {"symbol": "btcusdt"},
    "partial_book_depth": {"symbol": "btcusdt", "levels": "5"},
    "rolling_window_ticker": {"symbol": "btcusdt", "window_size": "1h"},
    "ticker": {"symbol": "btcusdt"},
    "trade": {"symbol": "btcusdt"},
}


def plain(model):
    """Return a typed answer as the JSON it was read from."""
    model = getattr(model, "actual_instance", None) or model
    if isinstance(model, BaseModel):
        # Its answer with candles can be read by it and not written.
        return model.model_dump(by_alias=True) if "Klines" in str(type(model)) else model.to_dict()
    return [plain(one) for one in model] if isinstance(model, list) else model


def unknown(model, path=""):
    """Return the paths of what the SDK was told and has no field for."""
    model = getattr(model, "actual_instance", None) or model
    if isinstance(model, list):
        return [found for one in model for found in unknown(one, f"{path}[]")]
    if not isinstance(model, BaseModel):
        return []
    own = [f"{path}.{name}" for name in getattr(model, "additional_properties", None) or {}]
    fields = set(type(model).model_fields) - {"additional_properties", "actual_instance"}
    return own + [
        found for name in fields for found in unknown(getattr(model, name), f"{path}.{name}")
    ]


def typed(params):
    """Return parameters in the SDK's names. Decimals: it writes a small float as 5e-05."""
    names = {name: re.sub("([A-Z])", r"_\1", name).lower() for name in params}
    return {
        names[name]: Decimal(value) if names[name].endswith(NUMBERS) else value
        for name, value in params.items()
    }


class Sdk:
    """What the tests ask for."""

    def __init__(self, url, port, key, secret, face):
        socket = f"ws://127.0.0.1:{port}"
        keys = {"api_key": key, "api_secret": secret}
        self.spot = Spot(
            config_rest_api=ConfigurationRestAPI(**keys, base_path=url, timeout=10_000),
            config_ws_api=ConfigurationWebSocketAPI(**keys, stream_url=f"{socket}/ws-api/v3"),
            config_ws_streams=ConfigurationWebSocketStreams(stream_url=socket),
        )
        self.is_socket = face == "socket"
        self.unknown = {}

    async def start(self):
        if self.is_socket:
            await self.spot.websocket_api.create_connection()
        return await self.ask("exchange_info")

    async def close(self):
        if self.is_socket:
            await self.spot.websocket_api.close_connection()

    async def ask(self, name, **params):
        """Make a call of the SDK's own; remember what of its answer the SDK did not know."""
        call = self._socket if self.is_socket else self._rest
        model = await call(name, typed(params))
        if found := unknown(model):
            self.unknown[name] = sorted(set(found))
        told = plain(model)
        return told.get("result", told) if self.is_socket else told

    async def _rest(self, name, params):
        call = getattr(self.spot.rest_api, REST.get(name, name))
        try:
            return (await asyncio.to_thread(call, **params)).data()
        except (BadRequestError, TooManyRequestsError, UnauthorizedError) as error:
            raise Refused(error.error_message) from error

    async def _socket(self, name, params):
        model = (await getattr(self.spot.websocket_api, SOCKET.get(name, name))(**params)).data()
        if isinstance(model, dict):
            raise Refused(model["error"]["msg"])
        return model

    async def get_asset_balance(self, asset):
        held = (await self.ask("get_account"))["balances"]
        return next(one for one in held if one["asset"] == asset)

    async def unknown_fields(self):
        return self.unknown

    async def user_events(self, quantity):
        """Subscribe, buy at the market; return the first three events as their types and texts."""
        heard = []
        await self.spot.websocket_api.create_connection()
        line = await self.spot.websocket_api.user_data_stream_subscribe_signature()
        line.stream.on("message", heard.append)
        await self.ask(
            "create_order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity=quantity
        )
        events = [
            {
                "kind": type(one.actual_instance).__name__,
                "unknown": unknown(one),
                **plain(one),
            }
            for one in (await gathered(heard, 3))[:3]
        ]
        await self.spot.websocket_api.user_data_stream_unsubscribe()
        if not self.is_socket:
            await self.spot.websocket_api.close_connection()
        return events

    async def market_events(self):
        """Subscribe to every kind of stream; return the first message of each."""
        streams, heard = self.spot.websocket_streams, {}
        await streams.create_connection()
        for name, params in STREAMS.items():
            stream = await getattr(streams, name)(**params)
            stream.on("message", lambda message, name=name: heard.setdefault(name, message))
            await asyncio.sleep(0.21)  # five messages a second are allowed
        await gathered(heard, len(STREAMS))
        listed = (await streams.list_subscribe())["result"]
        await streams.close_connection()
        kinds = {name: [plain(one), unknown(one)] for name, one in heard.items()}
        return {"heard": kinds, "listed": listed}

    def __getattr__(self, name):
        """Pass everything else on to the SDK under its name there."""

        async def call(**params):
            return await self.ask(name, **params)

        return call


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)  # it logs each refusal; here a refusal is an answer
    asyncio.run(serve(Sdk(*sys.argv[1:])))

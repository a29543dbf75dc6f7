"""Clients that nobody here wrote behind one face, each made the way its own users make it."""

import asyncio
from decimal import Decimal
from typing import Any, Protocol

import ccxt
import ccxt.pro
from binance.async_client import AsyncClient
from binance.client import Client
from binance.exceptions import BinanceAPIException
from binance.ws.streams import BinanceSocketManager

from tests.fakes.sim_clients import control
from tests.processes import SimExchange

SYMBOL, UNIFIED = "BTCUSDT", "BTC/USDT"


class Refused(Exception):
    """What the exchange said no to, in the client's words."""


class Desk(Protocol):
    """What a trading program does with its client."""

    async def start(self) -> None: ...
    async def close(self) -> None: ...
    async def price(self) -> Decimal: ...
    async def free(self, asset: str) -> Decimal: ...
    async def market(self, side: str, quantity: str) -> dict[str, Any]: ...
    async def limit(self, side: str, quantity: str, price: str, name: str) -> dict[str, Any]: ...
    async def find(self, name: str) -> dict[str, Any]: ...
    async def open_names(self) -> list[str]: ...
    async def cancel(self, name: str) -> dict[str, Any]: ...
    async def trades(self) -> list[dict[str, Any]]: ...


def local_urls(sim: SimExchange) -> dict[str, str]:
    return {
        "API_URL": f"{sim.url}/api",
        "MARGIN_API_URL": f"{sim.url}/sapi",
        "WS_API_URL": f"ws://127.0.0.1:{sim.port}/ws-api/v3",
    }


def raw(order: dict[str, Any]) -> dict[str, Any]:
    """Return what tests compare of an order, from Binance's own fields."""
    return {
        "name": order.get("origClientOrderId") or order["clientOrderId"],
        "status": order["status"],
        "filled": Decimal(order["executedQty"]),
        "paid": Decimal(order["cummulativeQuoteQty"]),
    }


def truth(sim: SimExchange) -> dict[str, tuple[Decimal, Decimal]]:
    """Return the exchange's own (free, locked) by asset."""
    first = control(sim, "GET", "ledger?requests=0")["accounts"][0]
    return {
        one["asset"]: (Decimal(one["free"]), Decimal(one["locked"])) for one in first["balances"]
    }


class SyncDesk:
    """python-binance, synchronous."""

    def __init__(self, sim: SimExchange) -> None:
        self.kind = type("LocalClient", (Client,), local_urls(sim))
        self.keys = (sim.key, sim.secret)

    async def start(self) -> None:
        self.client: Any = await asyncio.to_thread(self.kind, *self.keys)

    async def close(self) -> None:
        self.client.close_connection()

    async def _ask(self, name: str, **params: Any) -> Any:
        try:
            return await asyncio.to_thread(getattr(self.client, name), **params)
        except BinanceAPIException as error:
            raise Refused(error.message) from error

    async def price(self) -> Decimal:
        return Decimal((await self._ask("get_symbol_ticker", symbol=SYMBOL))["price"])

    async def free(self, asset: str) -> Decimal:
        return Decimal((await self._ask("get_asset_balance", asset=asset))["free"])

    async def market(self, side: str, quantity: str) -> dict[str, Any]:
        order = {"symbol": SYMBOL, "side": side, "type": "MARKET", "quantity": quantity}
        return raw(await self._ask("create_order", **order))

    async def limit(self, side: str, quantity: str, price: str, name: str) -> dict[str, Any]:
        order = {"symbol": SYMBOL, "side": side, "type": "LIMIT", "timeInForce": "GTC"}
        more = {"quantity": quantity, "price": price, "newClientOrderId": name}
        return raw(await self._ask("create_order", **order, **more))

    async def find(self, name: str) -> dict[str, Any]:
        return raw(await self._ask("get_order", symbol=SYMBOL, origClientOrderId=name))

    async def open_names(self) -> list[str]:
        return [one["clientOrderId"] for one in await self._ask("get_open_orders", symbol=SYMBOL)]

    async def cancel(self, name: str) -> dict[str, Any]:
        return raw(await self._ask("cancel_order", symbol=SYMBOL, origClientOrderId=name))

    async def trades(self) -> list[dict[str, Any]]:
        rows = await self._ask("get_my_trades", symbol=SYMBOL)
        return [{"quantity": Decimal(one["qty"]), "fee": one["commissionAsset"]} for one in rows]


class AsyncDesk(SyncDesk):
    """python-binance, asynchronous; its user stream over the WebSocket API."""

    def __init__(self, sim: SimExchange) -> None:
        self.kind = type("LocalAsyncClient", (AsyncClient,), local_urls(sim))
        self.keys = (sim.key, sim.secret)

    async def start(self) -> None:
        self.client = await self.kind.create(*self.keys)

    async def close(self) -> None:
        await self.client.session.close()

    async def _ask(self, name: str, **params: Any) -> Any:
        try:
            return await getattr(self.client, name)(**params)
        except BinanceAPIException as error:
            raise Refused(error.message) from error

    def user_socket(self) -> Any:
        return BinanceSocketManager(self.client).user_socket()


def ccxt_options(sim: SimExchange) -> dict[str, Any]:
    """Return the settings of ccxt's users, its defaults kept but for the kinds of market."""
    rest, sapi = f"{sim.url}/api/v3", f"{sim.url}/sapi"
    urls = {"public": rest, "private": rest, "v1": f"{sim.url}/api/v1", "sapi": f"{sapi}/v1"}
    urls |= {f"sapiV{number}": f"{sapi}/v{number}" for number in (2, 3, 4)}
    socket = f"ws://127.0.0.1:{sim.port}"
    ws = {"spot": f"{socket}/ws", "ws-api": {"spot": f"{socket}/ws-api/v3"}}
    return {
        "apiKey": sim.key,
        "secret": sim.secret,
        "urls": {"api": {**urls, "ws": ws}},
        "options": {"fetchMarkets": {"types": ["spot"]}},
    }


def unified(order: dict[str, Any]) -> dict[str, Any]:
    """Return what tests compare of an order, from ccxt's own fields."""
    statuses = {"closed": "FILLED", "open": "NEW", "canceled": "CANCELED"}
    return {
        "name": order["clientOrderId"],
        "status": statuses[order["status"]],
        "filled": Decimal(str(order["filled"])),
        "paid": Decimal(str(order["cost"])),
    }


class CcxtDesk:
    """ccxt, synchronous."""

    def __init__(self, sim: SimExchange) -> None:
        self.client: Any = ccxt.binance(ccxt_options(sim))

    async def start(self) -> None:
        await self._ask("load_markets")

    async def close(self) -> None:
        return

    async def _ask(self, name: str, *rest: Any) -> Any:
        try:
            return await asyncio.to_thread(getattr(self.client, name), *rest)
        except ccxt.ExchangeError as error:
            raise Refused(str(error)) from error

    async def price(self) -> Decimal:
        return Decimal(str((await self._ask("fetch_ticker", UNIFIED))["last"]))

    async def free(self, asset: str) -> Decimal:
        return Decimal(str((await self._ask("fetch_balance"))[asset]["free"]))

    async def market(self, side: str, quantity: str) -> dict[str, Any]:
        order = (UNIFIED, "market", side.lower(), float(quantity))
        return unified(await self._ask("create_order", *order))

    async def limit(self, side: str, quantity: str, price: str, name: str) -> dict[str, Any]:
        order = (UNIFIED, "limit", side.lower(), float(quantity), float(price))
        return unified(await self._ask("create_order", *order, {"clientOrderId": name}))

    async def find(self, name: str) -> dict[str, Any]:
        order = await self._ask("fetch_order", None, UNIFIED, {"origClientOrderId": name})
        return unified(order)

    async def open_names(self) -> list[str]:
        return [one["clientOrderId"] for one in await self._ask("fetch_open_orders", UNIFIED)]

    async def cancel(self, name: str) -> dict[str, Any]:
        order = await self._ask("cancel_order", None, UNIFIED, {"origClientOrderId": name})
        return {**unified(order), "name": order["info"]["origClientOrderId"]}

    async def trades(self) -> list[dict[str, Any]]:
        rows = await self._ask("fetch_my_trades", UNIFIED)
        return [
            {"quantity": Decimal(str(one["amount"])), "fee": one["fee"]["currency"]} for one in rows
        ]


class ProDesk(CcxtDesk):
    """ccxt.pro: the same over asyncio, orders over the WebSocket API."""

    def __init__(self, sim: SimExchange) -> None:
        self.client = ccxt.pro.binance(ccxt_options(sim))

    async def close(self) -> None:
        await self.client.close()

    async def _ask(self, name: str, *rest: Any) -> Any:
        names = {"create_order": "create_order_ws", "cancel_order": "cancel_order_ws"}
        try:
            return await getattr(self.client, names.get(name, name))(*rest)
        except ccxt.ExchangeError as error:
            raise Refused(str(error)) from error

"""python-binance, unmodified, pointed at a local exchange."""

from typing import Any

import requests
from binance.client import Client

from tests.processes import SimExchange


def open_client(sim: SimExchange, *, key: str = "", secret: str = "") -> Client:
    """Return a synchronous client of the exchange."""

    class LocalClient(Client):
        API_URL = f"{sim.url}/api"
        MARGIN_API_URL = f"{sim.url}/sapi"

    return LocalClient(key or sim.key, secret or sim.secret)


def control(sim: SimExchange, method: str, name: str, data: Any = None) -> Any:
    """Make a control call and return its reply."""
    reply = requests.request(method, f"{sim.url}/_sim/{name}", json=data, timeout=10)
    reply.raise_for_status()
    return reply.json()


def price_of(client: Client, symbol: str = "BTCUSDT") -> float:
    """Return the last price."""
    return float(client.get_symbol_ticker(symbol=symbol)["price"])

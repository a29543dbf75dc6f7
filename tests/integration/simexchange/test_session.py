"""The WebSocket API's session, its events, and the end of a connection."""

import asyncio
import base64
import json
import signal
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.fakes.sim_clients import control
from tests.processes import SimExchange

SIM_OPTIONS = (
    *("--generate", "--symbols", "BTCUSDT", "--history-days", "1"),
    *("--balance", "BTC=10,USDT=1000000"),
)
KEY = "SIMed25519"
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


class Line:
    """A WebSocket API connection of an account with an Ed25519 key."""

    def __init__(self, sim: SimExchange, socket: ClientConnection) -> None:
        self.sim = sim
        self.socket = socket
        self.events: list[dict[str, Any]] = []
        self._asked = 0

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._asked += 1
        await self.socket.send(json.dumps({"id": self._asked, "method": method, "params": params}))
        while True:
            told = json.loads(await asyncio.wait_for(self.socket.recv(), 10))
            if "event" in told:
                self.events.append(told)
            elif told["id"] == self._asked:
                return told

    async def ask_signed(self, method: str, **params: Any) -> dict[str, Any]:
        params |= {"apiKey": KEY, "timestamp": control(self.sim, "GET", "clock")["now_ms"]}
        payload = "&".join(f"{name}={params[name]}" for name in sorted(params))
        signature = base64.b64encode(PRIVATE.sign(payload.encode())).decode()
        return await self.ask(method, **params, signature=signature)

    async def now(self, **params: Any) -> dict[str, Any]:
        return params | {"timestamp": control(self.sim, "GET", "clock")["now_ms"]}

    def told(self) -> list[str]:
        return [one["event"]["e"] for one in self.events]


@pytest.fixture
async def line(sim_exchange: SimExchange) -> AsyncIterator[Line]:
    public = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    known = control(sim_exchange, "GET", "ledger")["accounts"]
    if KEY not in {account["key"] for account in known}:
        account = {"key": KEY, "public_key": public.decode(), "balances": {"USDT": "50000"}}
        control(sim_exchange, "POST", "account", account)
    async with connect(f"ws://127.0.0.1:{sim_exchange.port}/ws-api/v3") as socket:
        yield Line(sim_exchange, socket)


async def test_a_session_places_orders_without_signing_each(line: Line) -> None:
    before = await line.ask("session.status")
    refused = await line.ask("userDataStream.subscribe")
    logged_on = await line.ask_signed("session.logon")
    subscribed = await line.ask("userDataStream.subscribe")
    again = await line.ask("userDataStream.subscribe")
    params = await line.now(symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
    placed = await line.ask("order.place", **params)
    status = await line.ask("session.status")
    left = await line.ask("session.logout")
    after = await line.ask("order.place", **params)

    assert before["result"]["apiKey"] is None
    assert refused["error"]["code"] == -1002
    assert logged_on["result"]["apiKey"] == KEY
    assert logged_on["result"]["authorizedSince"] >= logged_on["result"]["connectedSince"]
    assert subscribed["result"] == {"subscriptionId": 0}
    assert again["error"]["code"] == -2035
    assert placed["result"]["status"] == "FILLED"
    kinds = [one["rateLimitType"] for one in placed["rateLimits"]]
    assert kinds == ["ORDERS", "ORDERS", "REQUEST_WEIGHT"]
    assert status["result"]["userDataStream"] is True
    assert left["result"] == {
        **left["result"], "apiKey": None, "authorizedSince": None, "userDataStream": False,
    }  # fmt: skip
    assert after["error"]["code"] == -2014
    assert line.told()[-1] == "eventStreamTerminated"
    assert line.told()[:2] == ["executionReport", "executionReport"]
    assert {one["subscriptionId"] for one in line.events} == {0}


async def test_money_from_outside_is_told_first_and_in_full(line: Line) -> None:
    subscribed = await line.ask_signed("userDataStream.subscribe.signature")
    ledger = control(line.sim, "GET", "ledger")["accounts"]
    number = next(one["account"] for one in ledger if one["key"] == KEY)

    control(line.sim, "POST", "account", {"account": number, "asset": "BNB", "quantity": "2.5"})
    control(line.sim, "POST", "account", {"account": number, "asset": "BNB", "quantity": "-0.5"})
    await line.ask("ping")
    ended = await line.ask("userDataStream.unsubscribe", **subscribed["result"])

    assert line.told() == ["balanceUpdate", "outboundAccountPosition"] * 2 + [
        "eventStreamTerminated"
    ] * (len(line.events) - 4)
    changes = [one["event"] for one in line.events if one["event"]["e"] == "balanceUpdate"]
    assert [(one["a"], one["d"]) for one in changes] == [
        ("BNB", "2.50000000"), ("BNB", "-0.50000000"),
    ]  # fmt: skip
    assert line.events[3]["event"]["B"] == [{"a": "BNB", "f": "2.00000000", "l": "0.00000000"}]
    assert ended["result"] == {}


async def test_only_ed25519_keys_log_on(line: Line, sim_exchange: SimExchange) -> None:
    import hashlib
    import hmac

    params = await line.now(apiKey=sim_exchange.key)
    payload = "&".join(f"{name}={params[name]}" for name in sorted(params))
    secret = sim_exchange.secret.encode()
    params["signature"] = hmac.new(secret, payload.encode(), hashlib.sha256).hexdigest()

    refused = await line.ask("session.logon", **params)

    assert refused["error"]["code"] == -1020


async def test_a_connection_has_a_name_of_its_own(line: Line, sim_exchange: SimExchange) -> None:
    async with connect(f"ws://127.0.0.1:{sim_exchange.port}/ws-api/v3") as other:
        names = {one.response.headers["x-mbx-uuid"] for one in (line.socket, other)}

    assert len(names) == 2
    assert all(uuid.UUID(name).version == 4 for name in names)


async def test_a_break_can_be_announced(line: Line, sim_exchange: SimExchange) -> None:
    url = f"ws://127.0.0.1:{sim_exchange.port}/stream?streams=btcusdt@trade"
    async with connect(url) as streams:
        control(sim_exchange, "POST", "faults", [{"fault": "cut_streams", "announce": True}])
        market, api = await rest_of(streams), await rest_of(line.socket)

    assert market[-1]["stream"] == "!serverShutdown"
    assert market[-1]["data"]["e"] == "serverShutdown"
    assert api[-1]["event"]["e"] == "serverShutdown"
    assert line.socket.close_code == 1001


async def test_the_end_of_the_server_is_told(line: Line, sim_exchange: SimExchange) -> None:
    """The last test of the module: the exchange ends."""
    sim_exchange.child.process.send_signal(signal.SIGTERM)

    told = await rest_of(line.socket)

    assert told[-1]["event"]["e"] == "serverShutdown"
    assert sim_exchange.child.process.wait(20) == 0


async def rest_of(socket: ClientConnection) -> list[dict[str, Any]]:
    """Return what comes until the connection is closed."""
    told = []
    while True:
        try:
            told.append(json.loads(await asyncio.wait_for(socket.recv(), 10)))
        except ConnectionClosed:
            return told

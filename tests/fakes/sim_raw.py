"""Signed requests to a local exchange, made by hand: what no well-behaved client would send too."""

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

import requests
from websockets.sync.client import ClientConnection, connect

from tests.fakes.sim_clients import control
from tests.processes import SimExchange

Reply = tuple[int, Any]


def sign(secret: str, payload: str) -> str:
    """Return the HMAC signature of a payload."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def events_of(socket: ClientConnection) -> list[dict[str, Any]]:
    """Return the list where a connection's events are kept."""
    held: list[dict[str, Any]] = socket.__dict__.setdefault("kept_events", [])
    return held


class RawClient:
    """One account's requests over one kept connection.

    Args:
        sim: the exchange.
        key: API key; the exchange's first when left out.
        secret: the key's HMAC secret.
    """

    def __init__(self, sim: SimExchange, key: str = "", secret: str = "") -> None:
        self.sim = sim
        self.key, self.secret = key or sim.key, secret or sim.secret
        self.session = requests.Session()

    def now_ms(self) -> int:
        return int(control(self.sim, "GET", "clock")["now_ms"])

    def call(
        self, method: str, path: str, *, signed: bool = True, key: str | None = None, **params: Any
    ) -> Reply:
        """Return (status, body) of a request with these parameters, signed unless told not to."""
        headers = {"X-MBX-APIKEY": self.key if key is None else key} if signed else {}
        if signed:
            params.setdefault("timestamp", self.now_ms())
        query = urlencode({name: held for name, held in params.items() if held is not None})
        if signed and "signature" not in params:
            query += f"&signature={sign(self.secret, query)}"
        return self.send(method, f"{path}?{query}", headers)

    def send(self, method: str, path: str, headers: dict[str, str]) -> Reply:
        """Return (status, body) of a request sent as it is."""
        url = self.sim.url + (path if path.startswith("/") else f"/api/v3/{path}")
        self.reply = self.session.request(method, url, headers=headers, timeout=10)
        kind = self.reply.headers.get("content-type", "")
        body = self.reply.json() if kind.startswith("application/json") else self.reply.text
        return self.reply.status_code, body

    def order(self, **params: Any) -> Reply:
        """Place an order: by default buy a little bitcoin at market."""
        kind = params.get("type", "MARKET")
        defaults: dict[str, Any] = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET"}
        if "quoteOrderQty" not in params:
            defaults["quantity"] = "0.01"
        if kind in {"LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"}:
            defaults["timeInForce"] = "GTC"
        if kind in {"LIMIT", "LIMIT_MAKER", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"}:
            defaults["price"] = self.price("0.8")
        return self.call("POST", "order", **{**defaults, **params})

    def price(self, factor: str) -> str:
        """Return the last price times a factor, on the tick."""
        _, reply = self.call("GET", "ticker/price", signed=False, symbol="BTCUSDT")
        return f"{float(reply['price']) * float(factor):.2f}"

    def ledger(self) -> dict[str, Any]:
        """Return the exchange's truth without its request log."""
        whole = control(self.sim, "GET", "ledger?requests=0")
        return {name: held for name, held in whole.items() if name != "requests"}

    def over_socket(self, *requests_: dict[str, Any] | str) -> list[dict[str, Any]]:
        """Send frames over one WebSocket API connection and return the replies."""
        with self.open_socket() as socket:
            return [self.ask(socket, one) for one in requests_]

    def open_socket(self) -> ClientConnection:
        return connect(f"ws://127.0.0.1:{self.sim.port}/ws-api/v3")

    @staticmethod
    def ask(socket: ClientConnection, request: dict[str, Any] | str) -> dict[str, Any]:
        """Send one frame and return its reply; events that come before it are kept."""
        socket.send(request if isinstance(request, str) else json.dumps(request))
        while "status" not in (message := json.loads(socket.recv(timeout=5))):
            events_of(socket).append(message)
        reply: dict[str, Any] = message
        return reply

    @staticmethod
    def heard_before(socket: ClientConnection, last: str) -> list[dict[str, Any]]:
        """Return the events so far and on, up to the first of the kind `last`."""
        events = events_of(socket)
        while not events or events[-1]["event"]["e"] != last:
            events.append(json.loads(socket.recv(timeout=5)))
        return events

    def socket_params(self, **params: Any) -> dict[str, Any]:
        """Return the parameters signed the way the WebSocket API wants it."""
        held = {**params, "apiKey": self.key, "timestamp": self.now_ms()}
        payload = "&".join(f"{name}={held[name]}" for name in sorted(held))
        return {**held, "signature": sign(self.secret, payload)}

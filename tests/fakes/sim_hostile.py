"""Requests as nobody should send them: sane ones bent here and there, and pure noise."""

import random
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import orjson

from simexchange.faces.routing import Route, Routes
from simexchange.faces.ws_api import METHODS
from tests.fakes.sim_raw import sign

CHOICES = {
    "side": ("BUY", "SELL"),
    "resptype": ("ACK", "RESULT", "FULL"),
    "cancelreplacemode": ("STOP_ON_FAILURE", "ALLOW_FAILURE"),
    "type": ("LIMIT", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "LIMIT_MAKER", "STOP_LOSS"),
    "timeinforce": ("GTC", "IOC", "FOK"),
    "mode": ("NONE", "EXPIRE_BOTH", "DECREMENT", "TRANSFER", "EXPIRE_MAKER"),
    "restrictions": ("ONLY_NEW", "ONLY_PARTIALLY_FILLED"),
    "symbols": ('["BTCUSDT","ETHUSDT"]', '["BTCUSDT"]', "BTCUSDT"),
    "symbol": ("BTCUSDT", "BTCUSDT", "ETHUSDT"),
    "quantity": ("0.01", "0.1", "1"),
    "qty": ("0.01", "0.001", "50"),
    "price": ("60000", "59000.01", "61000", "30000"),
    "delta": ("100", "10", "2000"),
    "id": ("1", "2", "7", "mine", "yours"),
    "timezone": ("0", "-1:00", "05:45", "+14:00"),
    "time": ("1700000000000", "0", "9999999999999", "1700000000000000"),
    "limit": ("1", "1000", "5", "5000"),
    "interval": ("1m", "1s", "1M", "1w", "3d"),
    "windowsize": ("1d", "59m", "23h", "7d"),
    "status": ("TRADING", "HALT"),
    "permissions": ("SPOT", '["SPOT","MARGIN"]'),
    "asset": ("BTC", "USDT"),
}
HOSTILE = (
    *("", " ", "0", "-1", "1e309", "NaN", "Infinity", "-0.0", "0.00000000", "1.", ".5", "+1"),
    *("9" * 20, "9" * 40, "0." + "0" * 19 + "1", "9223372036854775807", "9223372036854775808"),
    *("null", "true", "[]", "{}", "'; DROP TABLE orders;--", "<script>", "\x00", "%", "%%3", "&"),
    *("٣", "\uff11", "Ω" * 30, "BTC USDT", "btcusdt", "BTCUSDT\n", "a" * 5000, "../../etc/passwd"),
    *("9" * 5000, "²", "\uff11m", "1_000"),
    *("[[[[", '["BTCUSDT","BTCUSDT"]', "[1,null]", "1e-9", "-99999999999999999999", "24:00"),
)
HOSTILE_JSON: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**53, 2**63 - 1, -(2**63), 1.5, 1e308, 1e-300, "", "x", "NaN"),
    *("Infinity", "-1", "1e999", "0.000000001", [], {}, [[]], {"a": {"b": []}}, ["x"] * 20),
    *("Ω", "\x00", "BTCUSDT", "9" * 400),
)
ANY_NAMES = frozenset({"symbol", "symbols", "asset", "permissions", "showPermissionSets", "limit"})
STRAY_NAMES = ("colour", "constructor", "timestamp", "symbol", "", "apiKey", "returnRateLimits")
ROUTES_LOVED = ("/api/v3/order", "/api/v3/orderList", "/api/v3/openOrders")
"""These come more often: they change something."""

Params = dict[str, str]
SANE_ORDERS: tuple[dict[str, Any], ...] = (
    {"type": "MARKET", "quantity": "0.01"},
    {"type": "MARKET", "quoteOrderQty": "50"},
    {"type": "LIMIT", "quantity": "0.02", "price": 0.95, "timeInForce": "GTC"},
    {"type": "LIMIT", "quantity": "0.02", "price": 1.02, "timeInForce": "IOC"},
    {"type": "LIMIT_MAKER", "quantity": "0.02", "price": 0.9, "icebergQty": "0.01"},
    {"type": "STOP_LOSS", "quantity": "0.02", "stopPrice": 0.97},
    {"type": "STOP_LOSS", "quantity": "0.02", "trailingDelta": "100"},
    {
        "type": "TAKE_PROFIT_LIMIT",
        "quantity": "0.02",
        "stopPrice": 1.03,
        "price": 1.02,
        "timeInForce": "GTC",
    },
)
SANE: dict[str, tuple[dict[str, Any], ...]] = {
    "order": SANE_ORDERS,
    "order/test": SANE_ORDERS,
    "order/cancelReplace": (
        {"cancelReplaceMode": "ALLOW_FAILURE", "cancelOrderId": "ANY", **SANE_ORDERS[2]},
        {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": "ANY", **SANE_ORDERS[2]},
    ),
    "order/amend/keepPriority": ({"orderId": "ANY", "newQty": "0.01"},),
    "orderList/oco": (
        {
            "quantity": "0.02",
            "aboveType": "LIMIT_MAKER",
            "abovePrice": 1.05,
            "belowType": "STOP_LOSS",
            "belowStopPrice": 0.95,
        },
    ),
    "order/oco": ({"quantity": "0.02", "price": 1.05, "stopPrice": 0.97},),
    "orderList/oto": (
        {
            "workingType": "LIMIT",
            "workingSide": "BUY",
            "workingPrice": 0.98,
            "workingQuantity": "0.02",
            "workingTimeInForce": "GTC",
            "pendingType": "MARKET",
            "pendingSide": "SELL",
            "pendingQuantity": "0.02",
        },
    ),
    "orderList/otoco": (
        {
            "workingType": "LIMIT",
            "workingSide": "BUY",
            "workingPrice": 1.02,
            "workingQuantity": "0.02",
            "workingTimeInForce": "GTC",
            "pendingSide": "SELL",
            "pendingQuantity": "0.02",
            "pendingAboveType": "LIMIT_MAKER",
            "pendingAbovePrice": 1.05,
            "pendingBelowType": "STOP_LOSS",
            "pendingBelowStopPrice": 0.95,
        },
    ),
}
for _pays, _like in (("opo", "oto"), ("opoco", "otoco")):
    SANE[f"orderList/{_pays}"] = tuple(
        {name: held for name, held in one.items() if name != "pendingQuantity"}
        for one in SANE[f"orderList/{_like}"]
    )
CONTROLS: tuple[tuple[str, str, Any], ...] = (
    ("POST", "advance", {"ms": 250}),
    ("POST", "advance", {"ms": 61_000}),
    ("POST", "price", {"symbol": "BTCUSDT", "price": "60000"}),
    ("POST", "price", {"symbol": "BTCUSDT", "path": [[0, "60000"], [500, "61000.5"]]}),
    ("POST", "symbol", {"symbol": "ETHUSDT", "status": "HALT"}),
    ("POST", "symbol", {"symbol": "ETHUSDT", "status": "TRADING", "ocoAllowed": True}),
    (
        *("POST", "symbol"),
        {"symbol": "ETHUSDT", "filters": [{"filterType": "LOT_SIZE", "minQty": "0.001"}]},
    ),
    (
        *("POST", "symbol"),
        {"exchangeFilters": [{"filterType": "EXCHANGE_MAX_NUM_ORDERS", "maxNumOrders": 9000}]},
    ),
    ("POST", "symbol", {"assetFilters": {"BTC": [{"filterType": "MAX_ASSET", "limit": "42"}]}}),
    ("POST", "account", {"key": "SIMnew", "secret": "s", "balances": {"BTC": "1"}}),
    ("POST", "account", {"account": "1", "asset": "USDT", "quantity": "100"}),
    ("POST", "account", {"account": "1", "asset": "USDT", "quantity": "-1"}),
    ("POST", "account", {"account": "1", "can_trade": True, "trade_group": 3}),
    (
        *("POST", "account"),
        {"account": "1", "commission": {"standard": {"maker": "0.001", "taker": "0.001"}}},
    ),
    ("POST", "account", {"account": "1", "revoke": "SIMother"}),
    ("GET", "ledger", {"requests": 3}),
    ("GET", "faults", {}),
    ("GET", "clock", {}),
    ("GET", "market", {}),
    ("DELETE", "faults", {}),
)
FAULTS: tuple[dict[str, Any], ...] = (
    {"fault": "accept_then_drop_reply"},
    {"fault": "drop_before_accept", "match": {"method": "POST"}},
    {"fault": "delay", "ms": 1, "when": "engine"},
    {"fault": "http", "status": 503, "accepted": True},
    {"fault": "http", "status": 429, "code": -1015, "msg": "no", "retry_after": 3},
    {"fault": "truncate_reply", "with": [{"fault": "delay", "ms": 1}]},
    {"fault": "not_found_for", "ms": 50},
    {"fault": "dup_event", "match": {"event": "executionReport"}, "times": 0},
    {"fault": "reorder_events", "probability": 0.5, "seed": 3},
    {"fault": "drop_event", "skip": 1, "after_ms": 0, "for_ms": 100},
    {"fault": "mute_stream", "ms": 20},
    {"fault": "cut_streams", "announce": True},
    {"fault": "ban", "seconds": 2},
    {"fault": "clock_offset", "ms": -50},
    {
        "fault": "filters",
        "symbol": "ETHUSDT",
        "filters": [{"filterType": "LOT_SIZE", "stepSize": "0.001"}],
    },
)


class Attacker:
    """Makes hostile requests, the same ones for the same seed.

    Args:
        seed: of everything drawn.
        routes: what there is to attack.
        key: a key that is right, most of the time.
        secret: its secret.
    """

    def __init__(self, seed: int, routes: Routes, key: str, secret: str) -> None:
        self.chance = random.Random(seed)
        self._key, self._secret = key, secret
        self._routes = list(routes.items())
        self._loved = [row for row in self._routes if row[0][1].startswith(ROUTES_LOVED)]
        self._methods = {twin: method for method, twin in METHODS.items()}

    def route(self) -> tuple[str, str, Route]:
        """Return one of the endpoints."""
        rows = self._loved if self.chance.random() < 0.6 else self._routes
        (method, path), route = self.chance.choice(rows)
        return method, path, route

    # Parameters

    def _value(self, name: str) -> str:
        if self.chance.random() < 0.12:
            return self.chance.choice(HOSTILE)
        if name.endswith("rderId"):
            return str(self.chance.randrange(1, 60))
        for part, held in CHOICES.items():
            if name.lower().endswith(part):
                return self.chance.choice(held)
        return self.chance.choice(("1", "0.01", "GTC", "true"))

    def params(self, path: str, names: Iterable[str], last: float) -> Params:
        """Return parameters: nearly sane where the endpoint has a pattern, else drawn by name."""
        patterns = SANE.get(path.removeprefix("/api/v3/"))
        listed = sorted(names)
        if patterns and self.chance.random() < 0.7:
            side = "SELL" if "oco" in path else self.chance.choice(("BUY", "SELL"))
            held = {"symbol": "BTCUSDT", "side": side}
            held = {name: text for name, text in held.items() if name in listed}
            for name, text in self.chance.choice(patterns).items():
                held[name] = text if isinstance(text, str) else f"{last * text:.2f}"
                if text == "ANY":
                    held[name] = str(self.chance.randrange(1, 60))
            if self.chance.random() < 0.4:
                name = self.chance.choice(listed)
                held[name] = self._value(name)
            return held
        share = self.chance.choice((0.3, 0.6, 1.0))
        chosen = [one for one in listed if one == "symbol" or self.chance.random() < share]
        if self.chance.random() < 0.05:
            chosen.append(self.chance.choice(STRAY_NAMES))
        return {name: self._value(name) for name in chosen}

    def _proof(self, now_ms: int) -> Params:
        held = {}
        if self.chance.random() < 0.99:
            stamp = self.chance.choice(HOSTILE) if self.chance.random() < 0.02 else str(now_ms)
            held["timestamp"] = stamp
        if self.chance.random() < 0.03:
            held["recvWindow"] = self.chance.choice((*HOSTILE, "5000", "60000", "1.5"))
        return held

    def _key_and_secret(self) -> tuple[str, str]:
        key = self._key if self.chance.random() < 0.98 else self.chance.choice(("", "x", "k" * 400))
        return key, self._secret if self.chance.random() < 0.98 else "wrong"

    # Requests

    def request(
        self, method: str, path: str, params: Params, *, signed: bool, now_ms: int
    ) -> tuple[str, dict[str, str], bytes]:
        """Return target, headers and body of a REST request."""
        pairs = list(params.items())
        if signed:
            pairs += self._proof(now_ms).items()
        if self.chance.random() < 0.01:
            pairs.append(self.chance.choice(pairs or [("symbol", "BTCUSDT")]))
        texts = [f"{quote(name)}={quote(held)}" for name, held in pairs]
        cut = len(texts)
        if method != "GET" and self.chance.random() < 0.4:
            cut = self.chance.randrange(len(texts) + 1)
        query, body = "&".join(texts[:cut]), "&".join(texts[cut:])
        headers = {}
        if signed:
            key, secret = self._key_and_secret()
            proof = f"signature={sign(secret, query + body)}"
            headers["x-mbx-apikey"] = key
            if body:
                body += f"&{proof}"
            else:
                query += f"&{proof}" if query else proof
        if self.chance.random() < 0.05:
            headers["x-mbx-time-unit"] = self.chance.choice(("MICROSECOND", "millisecond", "x"))
        return f"{path}?{query}" if query else path, headers, body.encode()

    def frame(self, method: str, path: str, params: Params, *, now_ms: int) -> str:
        """Return a WebSocket API frame that asks for what the REST request would."""
        told: dict[str, Any] = {**params, **self._proof(now_ms)}
        if self.chance.random() < 0.15:
            told[self.chance.choice((*told, "symbol"))] = self.chance.choice(HOSTILE_JSON)
        key, secret = self._key_and_secret()
        told["apiKey"] = key
        payload = "&".join(f"{name}={told[name]}" for name in sorted(told))
        told["signature"] = sign(secret, payload.encode("utf-8", "surrogatepass").decode())
        name: Any = self._methods.get((method, path), path)
        if self.chance.random() < 0.08:
            name = self.chance.choice(
                (
                    *("userDataStream.subscribe.signature", "userDataStream.subscribe"),
                    *("userDataStream.unsubscribe", "session.logon", "session.status"),
                    *("session.logout", "session.subscriptions", "v3/order.place", "", 7, None),
                )
            )
        request: dict[str, Any] = {"id": self._frame_id(), "method": name, "params": told}
        if self.chance.random() < 0.02:
            request[self.chance.choice(("id", "method", "params"))] = self.chance.choice(
                HOSTILE_JSON
            )
        text = orjson.dumps(request).decode()
        return text[: self.chance.randrange(len(text))] if self.chance.random() < 0.01 else text

    def _frame_id(self) -> Any:
        return self.chance.choice((1, "a", None, 2**53)) if self.chance.random() < 0.1 else 1

    def control(self) -> tuple[str, str, bytes]:
        """Return method, path and body of a control call, now and then a fault's."""
        if self.chance.random() < 0.4:
            method, name, data = "POST", "faults", self._faults()
        else:
            method, name, data = self.chance.choice(CONTROLS)
        if self.chance.random() < 0.5:
            data = self._bent(data)
        if self.chance.random() < 0.03:
            method = self.chance.choice(("GET", "POST", "DELETE", "PUT"))
        body = orjson.dumps(data) if method != "GET" or data else b""
        if self.chance.random() < 0.02:
            body = self.chance.choice((b"{", b"\xff\xfe", b"[" * 3_000, b"null", b"1", b'"x"'))
        return method, f"/_sim/{name}", body

    def _faults(self) -> Any:
        chosen = [dict(self.chance.choice(FAULTS)) for _ in range(self.chance.choice((1, 1, 2)))]
        return chosen if self.chance.random() < 0.5 else chosen[0]

    def _bent(self, data: Any) -> Any:
        """Return the JSON value with something in it replaced, left out or added."""
        if isinstance(data, dict) and data and self.chance.random() < 0.9:
            name = self.chance.choice(list(data))
            if self.chance.random() < 0.1:
                return {one: held for one, held in data.items() if one != name}
            if self.chance.random() < 0.1:
                return {**data, "colour": self.chance.choice(HOSTILE_JSON)}
            return {**data, name: self._bent(data[name])}
        if isinstance(data, list) and data and self.chance.random() < 0.9:
            place = self.chance.randrange(len(data))
            return [*data[:place], self._bent(data[place]), *data[place + 1 :]]
        return self.chance.choice(HOSTILE_JSON)

"""Hostile input over every signed endpoint: never a 500, never a change by a refused request.

``SIM_REQUESTS`` sets how many requests are made: some hundreds here, 100,000 by night. The seed is
fixed, so that what fails once fails again.
"""

import os
import random
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from simexchange.faces.read_lists import OCO_NAMES, OLD_OCO_NAMES, OTO_NAMES, OTOCO_NAMES
from simexchange.faces.read_orders import ORDER_NAMES
from simexchange.faces.rest_replace import AMEND_NAMES, REPLACE_NAMES
from simexchange.faces.rest_trade import CANCEL_NAMES
from tests.fakes.sim_raw import RawClient, sign
from tests.processes import sim_exchange

SIM_OPTIONS = (
    *("--generate", "--speed", "manual", "--symbols", "BTCUSDT,ETHUSDT", "--history-days", "1"),
    *("--balance", "BTC=10,USDT=1000000", "--orders-limit", "900000"),
    *("--weight-limit", "90000000"),
)
REQUESTS = int(os.environ.get("SIM_REQUESTS", "900"))
PER_EXCHANGE = min(2_000, REQUESTS // 3)
"""Each exchange is young, so that comparing its whole ledger stays cheap."""

KEY = ("symbol", "orderId", "origClientOrderId")
HISTORY = ("symbol", "orderId", "startTime", "endTime", "limit", "fromId")
ENDPOINTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("POST", "order", tuple(sorted(ORDER_NAMES))),
    ("POST", "order", tuple(sorted(ORDER_NAMES))),
    ("POST", "order/test", (*sorted(ORDER_NAMES), "computeCommissionRates")),
    ("POST", "order/cancelReplace", tuple(sorted(REPLACE_NAMES))),
    ("PUT", "order/amend/keepPriority", tuple(sorted(AMEND_NAMES))),
    ("POST", "order/oco", tuple(sorted(OLD_OCO_NAMES))),
    ("POST", "orderList/oco", tuple(sorted(OCO_NAMES))),
    ("POST", "orderList/oto", tuple(sorted(OTO_NAMES))),
    ("POST", "orderList/otoco", tuple(sorted(OTOCO_NAMES))),
    ("POST", "orderList/opo", tuple(sorted(OTO_NAMES))),
    ("POST", "orderList/opoco", tuple(sorted(OTOCO_NAMES))),
    ("POST", "sor/order", tuple(sorted(ORDER_NAMES))),
    ("DELETE", "order", tuple(sorted(CANCEL_NAMES))),
    ("DELETE", "openOrders", ("symbol",)),
    ("DELETE", "orderList", ("symbol", "orderListId", "listClientOrderId", "newClientOrderId")),
    ("GET", "order", KEY),
    ("GET", "openOrders", ("symbol",)),
    ("GET", "allOrders", HISTORY),
    ("GET", "myTrades", HISTORY),
    ("GET", "orderList", ("orderListId", "origClientOrderId")),
    ("GET", "allOrderList", ("fromId", "startTime", "endTime", "limit")),
    ("GET", "openOrderList", ()),
    ("GET", "order/amendments", ("symbol", "orderId", "fromExecutionId", "limit")),
    ("GET", "myPreventedMatches", ("symbol", "orderId", "preventedMatchId", "limit")),
    ("GET", "myAllocations", HISTORY),
    ("GET", "myFilters", ("symbol",)),
    ("GET", "account", ("omitZeroBalances",)),
    ("GET", "account/commission", ("symbol",)),
    ("GET", "rateLimit/order", ()),
    ("GET", "/sapi/v1/account/apiRestrictions", ()),
    ("GET", "/sapi/v1/asset/tradeFee", ("symbol",)),
    ("POST", "/sapi/v3/asset/getUserAsset", ("asset",)),
)
CHOICES = {
    "side": ("BUY", "SELL"),
    "type": ("LIMIT", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "LIMIT_MAKER", "STOP_LOSS"),
    "timeinforce": ("GTC", "IOC", "FOK"),
    "mode": ("NONE", "EXPIRE_BOTH", "DECREMENT", "TRANSFER", "EXPIRE_MAKER"),
    "cancelreplacemode": ("STOP_ON_FAILURE", "ALLOW_FAILURE"),
    "resptype": ("ACK", "RESULT", "FULL"),
    "restrictions": ("ONLY_NEW", "ONLY_PARTIALLY_FILLED"),
    "symbol": ("BTCUSDT", "BTCUSDT", "ETHUSDT"),
    "quantity": ("0.01", "0.1", "1"),
    "qty": ("0.01", "0.001", "50"),
    "price": ("60000", "59000.01", "61000", "30000"),
    "delta": ("100", "10", "2000"),
    "id": ("1", "2", "7", "mine", "yours"),
    "time": ("1700000000000", "0", "9999999999999"),
    "limit": ("1", "1000", "5"),
}
HOSTILE = (
    *("", " ", "0", "-1", "1e309", "NaN", "Infinity", "-0.0", "0.00000000", "1.", ".5", "+1"),
    *("9" * 20, "9" * 40, "0." + "0" * 19 + "1", "9223372036854775807", "9223372036854775808"),
    *("null", "true", "[]", "{}", "'; DROP TABLE orders;--", "<script>", "\x00", "%", "%%3", "&"),
    *("٣", "\uff11", "Ω" * 30, "BTC USDT", "btcusdt", "BTCUSDT\n", "a" * 5000, "../../etc/passwd"),
)


def value_of(name: str, chance: random.Random) -> str:
    """Return what suits the parameter most of the time, something hostile else."""
    if chance.random() < 0.12:
        return chance.choice(HOSTILE)
    for part, held in CHOICES.items():
        if name.lower().endswith(part):
            return chance.choice(held)
    return chance.choice(("1", "0.01", "GTC", "true"))


def query_of(names: tuple[str, ...], chance: random.Random, now_ms: int) -> str:
    """Return a query of some of the endpoint's parameters, now and then of others too."""
    share = chance.choice((0.3, 0.6, 1.0))
    chosen = [name for name in names if chance.random() < share or name == "symbol"]
    if chance.random() < 0.05:
        chosen.append(chance.choice(("colour", "constructor", "timestamp", "symbol", "")))
    pairs = [f"{quote(name)}={quote(value_of(name, chance))}" for name in chosen]
    stamp = chance.choice(HOSTILE) if chance.random() < 0.03 else str(now_ms)
    pairs.append(f"timestamp={quote(stamp)}")
    if chance.random() < 0.05:
        pairs.append(f"recvWindow={quote(chance.choice(HOSTILE))}")
    return "&".join(pairs)


def check(sent: str, status: int, body: Any) -> None:
    assert status < 500, (sent, body)
    if status != 200:
        assert set(body) <= {"code", "msg", "data"}, (sent, body)
        assert body["code"] < 0, sent
        assert body["msg"], sent


@pytest.mark.parametrize("seed", range(REQUESTS // PER_EXCHANGE))
def test_it_neither_breaks_nor_changes_anything_for_a_refused_request(
    tmp_path: Path, seed: int
) -> None:
    with sim_exchange(*SIM_OPTIONS, folder=tmp_path, environment=os.environ) as sim:
        attack(RawClient(sim), random.Random(seed))


def attack(raw: RawClient, chance: random.Random) -> None:
    """Make requests and hold the ledger against what they may have changed."""
    now_ms, before = raw.now_ms(), raw.ledger()
    for _ in range(PER_EXCHANGE):
        method, path, names = chance.choice(ENDPOINTS)
        query = query_of(names, chance, now_ms)
        secret = raw.secret if chance.random() < 0.97 else "wrong"
        query += f"&signature={sign(secret, query)}"
        key = raw.key if chance.random() < 0.97 else chance.choice(("", "x", "a b", "k" * 400))

        status, body = raw.send(method, f"{path}?{query}", {"X-MBX-APIKEY": key})

        check(f"{method} {path}?{query}", status, body)
        is_read = method == "GET" or path.endswith("test")
        if is_read or (status != 200 and not body.get("data")):
            after = raw.ledger()
            assert after == before, f"{method} {path}?{query}"
        else:
            before = raw.ledger()


def test_it_answers_broken_frames(tmp_path: Path) -> None:
    with sim_exchange(*SIM_OPTIONS, folder=tmp_path, environment=os.environ) as sim:
        send_broken_frames(RawClient(sim))


def send_broken_frames(raw: RawClient) -> None:
    """Send what is no request over the WebSocket API."""
    before = raw.ledger()
    frames: list[Any] = [
        *("", "null", "[]", "1", '"x"', "{", "{}", '{"id":1}', '{"method":1}', "\x00"),
        *('{"id":{},"method":"order.place"}', '{"id":1,"method":"order.place","params":[]}'),
        *('{"id":1,"method":"order.place","params":{"symbol":null}}',),
        {"id": 1, "method": "order.place", "params": raw.socket_params(symbol=["BTCUSDT"])},
        {"id": 1, "method": "order.place", "params": raw.socket_params(quantity={"a": 1})},
        {"id": 2**70, "method": "order.cancel", "params": raw.socket_params(orderId=-1)},
        {"id": 1, "method": "openOrders.cancelAll", "params": raw.socket_params(symbol=7)},
    ]

    replies = raw.over_socket(*frames)

    assert all(400 <= one["status"] < 500 for one in replies), replies
    assert raw.ledger() == before

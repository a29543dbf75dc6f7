"""Several accounts and keys, their commission, and the limits each request meets."""

import base64
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.fakes.sim_clients import control
from tests.fakes.sim_raw import RawClient
from tests.processes import SimExchange, sim_exchange

SIM_OPTIONS = (
    *("--generate", "--speed", "manual", "--symbols", "BTCUSDT,BNBUSDT", "--history-days", "1"),
    *("--balance", "BTC=10,USDT=1000000,BNB=10"),
)


@pytest.fixture(scope="module")
def raw(sim_exchange: SimExchange) -> RawClient:
    return RawClient(sim_exchange)


def test_a_market_order_sent_again_is_a_second_order(raw: RawClient) -> None:
    first = raw.order(newClientOrderId="same")
    second = raw.order(newClientOrderId="same")
    shown = raw.call("GET", "order", symbol="BTCUSDT", origClientOrderId="same")[1]

    assert (first[0], second[0]) == (200, 200)
    assert shown["orderId"] == second[1]["orderId"] != first[1]["orderId"]


def test_two_accounts_trade_with_each_other(raw: RawClient) -> None:
    funds = {"BTC": "1", "USDT": "100000"}
    control(raw.sim, "POST", "account", {"key": "SECOND", "secret": "s", "balances": funds})
    other = RawClient(raw.sim, "SECOND", "s")
    book = raw.call("GET", "depth", signed=False, symbol="BTCUSDT", limit=5)[1]
    ask, shown = (Decimal(held) for held in book["asks"][0])

    # Behind what the ladder shows at the best ask: the taker has to eat that first.
    maker = raw.order(side="SELL", type="LIMIT", price=f"{ask:.2f}", quantity="0.01")[1]
    taker = other.order(quantity=f"{shown + Decimal('0.004'):.5f}")[1]
    sold = raw.call("GET", "myTrades", symbol="BTCUSDT", orderId=maker["orderId"])[1]
    hidden = other.call("GET", "order", symbol="BTCUSDT", orderId=maker["orderId"])[1]
    raw.call("DELETE", "openOrders", symbol="BTCUSDT")

    assert [(one["qty"], one["isMaker"]) for one in sold] == [("0.00400000", True)]
    assert sold[0]["id"] in {one["tradeId"] for one in taker["fills"]}
    assert hidden["code"] == -2013
    assert raw.call("GET", "account")[1]["uid"] != other.call("GET", "account")[1]["uid"]


def sign_rsa(key: rsa.RSAPrivateKey, payload: bytes) -> bytes:
    return key.sign(payload, padding.PKCS1v15(), SHA256())


def sign_ed25519(key: ed25519.Ed25519PrivateKey, payload: bytes) -> bytes:
    return key.sign(payload)


@pytest.mark.parametrize(
    ("name", "private", "sign"),
    [
        ("RSA", rsa.generate_private_key(public_exponent=65537, key_size=2048), sign_rsa),
        ("ED", ed25519.Ed25519PrivateKey.generate(), sign_ed25519),
    ],
    ids=["rsa", "ed25519"],
)
def test_an_account_has_keys_of_each_kind(
    raw: RawClient, name: str, private: Any, sign: Callable[[Any, bytes], bytes]
) -> None:
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    key = {"account": "1", "key": f"KEY{name}", "public_key": pem.decode()}
    control(raw.sim, "POST", "account", key)
    query = f"symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001&timestamp={raw.now_ms()}"
    signature = quote(base64.b64encode(sign(private, query.encode())), safe="")
    headers = {"X-MBX-APIKEY": f"KEY{name}"}

    placed = raw.send("POST", f"order?{query}&signature={signature}", headers)
    forged = raw.send("POST", f"order?{query}0&signature={signature}", headers)
    control(raw.sim, "POST", "account", {"account": "1", "revoke": f"KEY{name}"})
    revoked = raw.send("POST", f"order?{query}&signature={signature}", headers)

    assert placed[0] == 200
    assert forged[1]["code"] == -1022
    assert (revoked[0], revoked[1]["code"]) == (401, -2015)


def test_it_pays_in_bnb_when_the_account_wants_that(raw: RawClient) -> None:
    change = {"account": "1", "commission": {"has_discount": True, "tax": {"buyer": "0.0001"}}}
    control(raw.sim, "POST", "account", change)
    try:
        (fill, *_) = raw.order(quantity="0.01")[1]["fills"]
        rates = raw.call("GET", "account/commission", symbol="BTCUSDT")[1]
        tested = raw.call(
            "POST",
            "order/test",
            symbol="BTCUSDT",
            side="BUY",
            type="MARKET",
            quantity="0.01",
            computeCommissionRates="true",
        )[1]
    finally:
        back = {"has_discount": False, "tax": {"buyer": "0"}}
        control(raw.sim, "POST", "account", {"account": "1", "commission": back})
    bnb = Decimal(raw.call("GET", "ticker/price", signed=False, symbol="BNBUSDT")[1]["price"])
    worth = Decimal(fill["price"]) * Decimal(fill["qty"])

    assert fill["commissionAsset"] == "BNB"
    expected = worth * (Decimal("0.001") * Decimal("0.75") + Decimal("0.0001")) / bnb
    assert abs(Decimal(fill["commission"]) - expected) <= Decimal("0.00000001")
    assert rates["discount"] == {
        "enabledForAccount": True,
        "enabledForSymbol": True,
        "discountAsset": "BNB",
        "discount": "0.75000000",
    }
    assert tested["taxCommissionForOrder"] == {"maker": "0.00010000", "taker": "0.00010000"}


def test_first_fills_relieve_the_order_count(raw: RawClient) -> None:
    def count() -> int:
        return int(raw.call("GET", "rateLimit/order")[1][1]["count"])

    for _ in range(6):
        raw.order(type="LIMIT")
    waiting = count()
    raw.order()
    after_taker = count()
    control(raw.sim, "POST", "price", {"symbol": "BTCUSDT", "price": raw.price("0.79")})
    after_makers = count()

    assert waiting >= 6
    assert after_taker == waiting
    assert after_makers == 0


def test_it_says_when_to_come_back_and_bans_who_does_not_listen(tmp_path: Path) -> None:
    options = ("--generate", "--symbols", "BTCUSDT", "--weight-limit", "50")
    with sim_exchange(*options, folder=tmp_path, environment=os.environ) as sim:
        raw, seen = RawClient(sim), []
        for _ in range(80):
            status, body = raw.send("GET", "exchangeInfo", {})
            seen.append((status, body.get("code"), raw.reply.headers.get("retry-after")))
            if status == 418:
                break

    statuses = [one[0] for one in seen]
    assert statuses[-1] == 418
    assert 429 in statuses
    refused = [one for one in seen if one[0] != 200]
    assert all(one[1] == -1003 for one in refused)
    assert all(1 <= int(one[2]) <= (120 if one[0] == 418 else 60) for one in refused)


def test_a_session_has_the_rights_of_its_key(raw: RawClient) -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    key = {"account": "1", "key": "READS", "public_key": pem.decode(), "can_trade_key": False}
    control(raw.sim, "POST", "account", key)
    logon = {"apiKey": "READS", "timestamp": raw.now_ms()}
    payload = f"apiKey=READS&timestamp={logon['timestamp']}"
    signature = base64.b64encode(private.sign(payload.encode())).decode()
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"}
    stamp = {"timestamp": raw.now_ms()}

    with raw.open_socket() as socket:
        raw.ask(
            socket,
            {"id": 1, "method": "session.logon", "params": {**logon, "signature": signature}},
        )
        read = raw.ask(socket, {"id": 2, "method": "account.status", "params": stamp})
        trade = raw.ask(socket, {"id": 3, "method": "order.place", "params": {**order, **stamp}})
        control(raw.sim, "POST", "account", {"account": "1", "revoke": "READS"})
        revoked = raw.ask(socket, {"id": 4, "method": "account.status", "params": stamp})

    assert read["status"] == 200
    assert (trade["status"], trade["error"]["code"]) == (401, -2015)
    assert (revoked["status"], revoked["error"]["code"]) == (401, -2015)

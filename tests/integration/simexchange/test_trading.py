"""What python-binance sees of orders, balances and refusals."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests
from binance.client import Client
from binance.exceptions import BinanceAPIException

from tests.fakes.sim_clients import control, open_client, price_of
from tests.processes import SimExchange

SIM_OPTIONS = (
    "--generate",
    "--speed",
    "manual",
    "--symbols",
    "BTCUSDT,ETHUSDT",
    "--history-days",
    "1",
    "--balance",
    "BTC=10,USDT=1000000",
)


@pytest.fixture
def client(sim_exchange: SimExchange) -> Iterator[Client]:
    opened = open_client(sim_exchange)
    opened.timestamp_offset = 0
    sync_time(opened)
    yield opened
    opened.close_connection()


def sync_time(client: Client) -> None:
    """Follow the exchange's clock, as a client of an accelerated exchange must."""
    import time

    server_ms = client.get_server_time()["serverTime"]
    client.timestamp_offset = server_ms - int(time.time() * 1000)


def balance(client: Client, asset: str) -> tuple[Decimal, Decimal]:
    held = client.get_asset_balance(asset=asset)
    return Decimal(held["free"]), Decimal(held["locked"])


def test_it_buys_and_sells_at_market(client: Client) -> None:
    before = balance(client, "BTC")[0]

    bought = client.order_market_buy(symbol="BTCUSDT", quantity="0.01", newClientOrderId="buy-1")
    sold = client.order_market_sell(symbol="BTCUSDT", quantity="0.005")

    assert (bought["status"], bought["executedQty"]) == ("FILLED", "0.01000000")
    assert bought["clientOrderId"] == "buy-1"
    assert sum(Decimal(fill["qty"]) for fill in bought["fills"]) == Decimal("0.01")
    assert {fill["commissionAsset"] for fill in bought["fills"]} == {"BTC"}
    assert {fill["commissionAsset"] for fill in sold["fills"]} == {"USDT"}
    paid = sum(Decimal(fill["price"]) * Decimal(fill["qty"]) for fill in bought["fills"])
    assert Decimal(bought["cummulativeQuoteQty"]) == paid
    fees = sum(Decimal(fill["commission"]) for fill in bought["fills"])
    assert fees == Decimal("0.00001")
    assert balance(client, "BTC")[0] == before + Decimal("0.005") - fees


def test_it_buys_for_a_quote_amount(client: Client) -> None:
    bought = client.order_market_buy(symbol="BTCUSDT", quoteOrderQty="500")

    assert bought["status"] == "FILLED"
    assert bought["origQuoteOrderQty"] == "500.00000000"
    assert Decimal(499) < Decimal(bought["cummulativeQuoteQty"]) <= Decimal(500)


def test_it_shows_places_and_cancels_a_limit_order(client: Client) -> None:
    limit = f"{price_of(client) * 0.8:.2f}"

    placed = client.order_limit_buy(symbol="BTCUSDT", quantity="0.01", price=limit)
    shown = client.get_order(symbol="BTCUSDT", origClientOrderId=placed["clientOrderId"])
    locked = balance(client, "USDT")[1]
    listed = client.get_open_orders(symbol="BTCUSDT")
    canceled = client.cancel_order(symbol="BTCUSDT", orderId=placed["orderId"])

    assert placed["status"] == "NEW"
    assert placed["fills"] == []
    assert (shown["isWorking"], shown["price"]) == (True, f"{limit}000000")
    assert locked == Decimal(limit) * Decimal("0.01")
    assert [one["orderId"] for one in listed] == [placed["orderId"]]
    assert canceled["origClientOrderId"] == placed["clientOrderId"]
    assert canceled["clientOrderId"] != placed["clientOrderId"]
    assert canceled["status"] == "CANCELED"
    assert balance(client, "USDT")[1] == 0


def test_it_fills_a_resting_order_when_the_price_comes(
    client: Client, sim_exchange: SimExchange
) -> None:
    last = price_of(client)
    placed = client.order_limit_buy(symbol="BTCUSDT", quantity="0.01", price=f"{last * 0.99:.2f}")

    price = f"{last * 0.985:.2f}"
    control(sim_exchange, "POST", "price", {"symbol": "BTCUSDT", "price": price})
    shown = client.get_order(symbol="BTCUSDT", orderId=placed["orderId"])
    trades = client.get_my_trades(symbol="BTCUSDT", orderId=placed["orderId"])

    assert shown["status"] == "FILLED"
    assert [trade["isMaker"] for trade in trades] == [True]
    assert trades[0]["price"] == placed["price"]


def test_it_expires_an_immediate_order(client: Client) -> None:
    price = f"{price_of(client) * 0.9:.2f}"

    expired = client.create_order(
        symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="IOC", quantity="0.01", price=price
    )

    assert expired["status"] == "EXPIRED"
    assert expired["expiryReason"] == "UNFILLED_IOC_QUANTITY_EXPIRED"


def test_it_runs_an_oco_to_its_stop(client: Client, sim_exchange: SimExchange) -> None:
    last = price_of(client)

    placed = client.create_oco_order(
        symbol="BTCUSDT",
        side="SELL",
        quantity="0.01",
        aboveType="LIMIT_MAKER",
        abovePrice=f"{last * 1.05:.2f}",
        belowType="STOP_LOSS_LIMIT",
        belowStopPrice=f"{last * 0.97:.2f}",
        belowPrice=f"{last * 0.9:.2f}",
        belowTimeInForce="GTC",
    )
    locked = balance(client, "BTC")[1]
    below = f"{last * 0.96:.2f}"
    control(sim_exchange, "POST", "price", {"symbol": "BTCUSDT", "price": below})
    by_type = {
        one["type"]: client.get_order(symbol="BTCUSDT", orderId=one["orderId"])
        for one in placed["orderReports"]
    }

    assert (placed["contingencyType"], placed["listOrderStatus"]) == ("OCO", "EXECUTING")
    assert locked == Decimal("0.01")
    assert by_type["STOP_LOSS_LIMIT"]["status"] == "FILLED"
    assert by_type["LIMIT_MAKER"]["status"] == "EXPIRED"
    assert client._get("openOrderList", True, data={}) == []


def test_it_takes_the_deprecated_oco_and_cancels_it_whole(client: Client) -> None:
    last = price_of(client)
    placed = client._post(
        "order/oco",
        True,
        data={
            "symbol": "BTCUSDT",
            "side": "SELL",
            "quantity": "0.01",
            "price": f"{last * 1.05:.2f}",
            "stopPrice": f"{last * 0.95:.2f}",
        },
    )

    canceled = client._delete(
        "orderList", True, data={"symbol": "BTCUSDT", "orderListId": placed["orderListId"]}
    )

    assert {one["type"] for one in placed["orderReports"]} == {"LIMIT_MAKER", "STOP_LOSS"}
    assert canceled["listOrderStatus"] == "ALL_DONE"
    assert {one["status"] for one in canceled["orderReports"]} == {"CANCELED"}


def test_it_replaces_an_order(client: Client) -> None:
    last = price_of(client)
    placed = client.order_limit_buy(symbol="BTCUSDT", quantity="0.01", price=f"{last * 0.8:.2f}")

    replaced = client.cancel_replace_order(
        symbol="BTCUSDT",
        side="BUY",
        type="LIMIT",
        timeInForce="GTC",
        quantity="0.01",
        price=f"{last * 0.81:.2f}",
        cancelReplaceMode="STOP_ON_FAILURE",
        cancelOrderId=placed["orderId"],
    )
    with pytest.raises(BinanceAPIException) as refusal:
        client.cancel_replace_order(
            symbol="BTCUSDT",
            side="BUY",
            type="LIMIT",
            timeInForce="GTC",
            quantity="0.01",
            price=f"{last * 0.81:.2f}",
            cancelReplaceMode="STOP_ON_FAILURE",
            cancelOrderId=placed["orderId"],
        )

    assert (replaced["cancelResult"], replaced["newOrderResult"]) == ("SUCCESS", "SUCCESS")
    assert refusal.value.code == -2022
    assert refusal.value.response.json()["data"]["newOrderResult"] == "NOT_ATTEMPTED"
    assert len(client._delete("openOrders", True, data={"symbol": "BTCUSDT"})) == 1


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        ({"quantity": "0.000001"}, -1013, "Filter failure: LOT_SIZE"),
        ({"quantity": "0.00001"}, -1013, "Filter failure: NOTIONAL"),
        ({"quantity": "0.123456789"}, -1111, "Parameter 'quantity' has too much precision."),
        ({"quantity": "1_5"}, -1100, "Illegal characters found in parameter 'quantity'"),
        ({}, -1102, "Param 'quantity' or 'quoteOrderQty' must be sent"),
        ({"quantity": "0.01", "price": "9"}, -1106, "Parameter 'price' sent when not required."),
        ({"quantity": "100"}, -2010, "Account has insufficient balance for requested action."),
        ({"quantity": "0.01", "symbol": "NOPE"}, -1121, "Invalid symbol."),
        ({"quantity": "0.01", "side": "HOLD"}, -1117, "Invalid side."),
        ({"quantity": "0.01", "type": "FANCY"}, -1116, "Invalid orderType."),
        ({"quantity": "0.01", "type": "LIMIT", "timeInForce": "GTC"}, -1102, "Mandatory parameter"),
        ({"quantity": "0.01", "newClientOrderId": "a~b"}, -1100, "Illegal characters"),
    ],
)
def test_it_refuses_in_the_exchanges_words(
    client: Client, params: dict[str, Any], code: int, message: str
) -> None:
    with pytest.raises(BinanceAPIException) as refusal:
        client.create_order(**{"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", **params})

    assert (refusal.value.status_code, refusal.value.code) == (400, code)
    assert refusal.value.message.startswith(message)


def test_it_refuses_strangers_forgers_and_latecomers(
    client: Client, sim_exchange: SimExchange
) -> None:
    attempts = {
        -2015: open_client(sim_exchange, key="unknown"),
        -1022: open_client(sim_exchange, secret="wrong"),
        -1021: open_client(sim_exchange),
    }
    codes = []
    for code, attempt in attempts.items():
        attempt.timestamp_offset = client.timestamp_offset - (60_000 if code == -1021 else 0)
        with pytest.raises(BinanceAPIException) as refusal:
            attempt.get_account()
        codes.append(refusal.value.code)
        attempt.close_connection()
    anonymous = requests.get(f"{sim_exchange.url}/api/v3/account", timeout=5)

    assert codes == list(attempts)
    assert (anonymous.status_code, anonymous.json()["code"]) == (401, -2014)


def test_it_answers_unknown_orders_and_retired_paths(
    client: Client, sim_exchange: SimExchange
) -> None:
    with pytest.raises(BinanceAPIException) as query:
        client.get_order(symbol="BTCUSDT", orderId=999_999)
    with pytest.raises(BinanceAPIException) as cancel:
        client.cancel_order(symbol="BTCUSDT", orderId=999_999)
    retired = requests.post(f"{sim_exchange.url}/api/v3/userDataStream", timeout=5)
    unknown = requests.get(f"{sim_exchange.url}/api/v3/nothing", timeout=5)

    assert (query.value.code, query.value.message) == (-2013, "Order does not exist.")
    assert (cancel.value.code, cancel.value.message) == (-2011, "Unknown order sent.")
    assert (retired.status_code, unknown.status_code) == (410, 404)
    assert "text/html" in retired.headers["content-type"]


def test_it_counts_weight_and_orders(client: Client) -> None:
    client.get_account()
    before = int(client.response.headers["x-mbx-used-weight-1m"])
    client.order_market_buy(symbol="BTCUSDT", quantity="0.001")
    after = int(client.response.headers["X-MBX-USED-WEIGHT-1M"])

    assert before >= 20
    assert after <= before
    assert int(client.response.headers["x-mbx-order-count-10s"]) >= 0
    assert client.get_account_api_permissions()["enableWithdrawals"] is False


def test_it_tests_an_order_without_placing_it(client: Client, sim_exchange: SimExchange) -> None:
    before = len(control(sim_exchange, "GET", "ledger?requests=0")["orders"])

    reply = client.create_test_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")

    assert reply == {}
    assert len(control(sim_exchange, "GET", "ledger?requests=0")["orders"]) == before


def test_its_ledger_tells_what_reached_it(client: Client, sim_exchange: SimExchange) -> None:
    client.order_market_buy(symbol="BTCUSDT", quantity="0.001", newClientOrderId="told-1")

    truth = control(sim_exchange, "GET", "ledger")

    seen = [one for one in truth["requests"] if one["client_order_id"] == "told-1"]
    assert [(one["method"], one["path"], one["outcome"]) for one in seen] == [
        ("POST", "/api/v3/order", "ok")
    ]
    order = next(one for one in truth["orders"] if one["clientOrderId"] == "told-1")
    traded = [one for one in truth["trades"] if one["orderId"] == order["orderId"]]
    assert sum(Decimal(one["qty"]) for one in traded) == Decimal("0.001")
    assert control(sim_exchange, "GET", "market")["BTCUSDT"]["source"] == "generated"

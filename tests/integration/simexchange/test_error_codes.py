"""Every documented error: provoked over the wire, or listed with why it cannot come."""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.sim_clients import control
from tests.fakes.sim_provoke import after_oco, opo, pair, replace, symbol
from tests.fakes.sim_raw import RawClient, Reply
from tests.processes import SimExchange

SIM_OPTIONS = (
    *("--generate", "--speed", "manual", "--symbols", "BTCUSDT,ETHUSDT", "--history-days", "1"),
    *("--balance", "BTC=10,USDT=1000000", "--orders-limit", "150", "--weight-limit", "900000"),
)


@pytest.fixture(scope="module")
def raw(sim_exchange: SimExchange) -> RawClient:
    return RawClient(sim_exchange)


def fault(raw: RawClient, **fields: Any) -> Reply:
    control(raw.sim, "POST", "faults", fields)
    try:
        return raw.order()
    finally:
        control(raw.sim, "DELETE", "faults")


def internal(code: int, msg: str, status: int) -> Callable[[RawClient], Reply]:
    """Return a provocation by the fault that answers in the exchange's own words."""
    return lambda raw: fault(raw, fault="http", status=status, code=code, msg=msg)


def socket_error(raw: RawClient, *frames: dict[str, Any] | str) -> Reply:
    reply = raw.over_socket(*frames)[-1]
    return reply["status"], reply["error"]


def subscribe(raw: RawClient) -> dict[str, Any]:
    method = "userDataStream.subscribe.signature"
    return {"id": 1, "method": method, "params": raw.socket_params()}


def over_orders(raw: RawClient) -> Reply:
    """Use up the order count of a fresh account."""
    control(
        raw.sim, "POST", "account", {"key": "COUNTED", "secret": "s", "balances": {"USDT": 9e6}}
    )
    fresh = RawClient(raw.sim, "COUNTED", "s")
    with symbol(raw, filters=[{"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 9000}]):
        limit = fresh.price("0.8")
        for _ in range(400):
            status, body = fresh.order(type="LIMIT", price=limit, quantity="0.001")
            if status != 200:
                break
    return status, body


DAY = 86_400_000
TIME = 1_700_000_000_000
READ_ONLY = {"account": "1", "key": "READER", "secret": "s", "can_trade_key": False}


def read_only_key(raw: RawClient) -> Reply:
    control(raw.sim, "POST", "account", READ_ONLY)
    try:
        return RawClient(raw.sim, "READER", "s").order()
    finally:
        control(raw.sim, "POST", "account", {"account": "1", "revoke": "READER"})


Provocation = Callable[[RawClient], Reply]
# (code, a part of the message) -> how it comes about.
PROVOKED: dict[tuple[int, str], Provocation] = {
    (-1000, "An unknown error"): internal(
        -1000, "An unknown error occurred while processing the request.", 500
    ),
    (-1001, "Internal error"): internal(
        -1001, "Internal error; unable to process your request. Please try again.", 500
    ),
    (-1002, "not authorized"): lambda raw: socket_error(
        raw, {"id": 1, "method": "userDataStream.subscribe"}
    ),
    (-1003, "Too many requests"): internal(-1003, "Too many requests queued.", 429),
    (-1003, "Too much request weight"): internal(
        -1003,
        "Too much request weight used; current limit is 6000 request weight per 1 MINUTE.",
        429,
    ),
    (-1003, "Way too much"): lambda raw: fault(
        raw, fault="ban", seconds=60, match={"path": "/api/v3/order"}
    ),
    (-1006, "unexpected response"): internal(
        -1006,
        "An unexpected response was received from the message bus. Execution status unknown.",
        500,
    ),
    (-1007, "Timeout waiting"): internal(
        -1007,
        "Timeout waiting for response from backend server. Send status unknown; execution status "
        "unknown.",
        504,
    ),
    (-1008, "overloaded"): internal(
        -1008,
        "Server is currently overloaded with other requests. Please try again in a few minutes.",
        503,
    ),
    (-1013, "Filter failure"): lambda raw: raw.order(quantity="0.000001"),
    (-1014, "Unsupported order combination"): lambda raw: raw.order(
        type="LIMIT", timeInForce="IOC", icebergQty="0.005"
    ),
    (-1015, "Too many new orders"): over_orders,
    (-1020, "not supported"): lambda raw: socket_error(raw, {"id": 1, "method": "order.frame"}),
    (-1021, "outside of the recvWindow"): lambda raw: raw.order(timestamp=TIME),
    (-1021, "1000ms ahead"): lambda raw: raw.order(timestamp=raw.now_ms() + 5_000),
    (-1022, "Signature"): lambda raw: raw.order(signature="0" * 64),
    (-1100, "Illegal characters"): lambda raw: raw.order(quantity="1e5"),
    (-1101, "Duplicate values"): lambda raw: raw.send(
        "GET", "order?symbol=BTCUSDT&symbol=ETHUSDT", {"X-MBX-APIKEY": raw.key}
    ),
    (-1101, "Too many parameters; expected"): lambda raw: raw.send("GET", "time?colour=blue", {}),
    (-1102, "Mandatory parameter"): lambda raw: raw.order(symbol=None),
    (-1102, "must be sent, but both"): lambda raw: raw.call("GET", "order", symbol="BTCUSDT"),
    (-1102, "contains unexpected value"): lambda raw: raw.order(recvWindow=60_001),
    (-1104, "Not all sent parameters"): lambda raw: raw.order(colour="blue"),
    (-1105, "was empty"): lambda raw: raw.order(type="LIMIT", icebergQty=""),
    (-1106, "sent when not required"): lambda raw: raw.order(price="9"),
    (-1108, "overflowed"): lambda raw: raw.order(quantity="99999999999999"),
    (-1111, "too much precision"): lambda raw: raw.order(quantity="0.123456789"),
    (-1115, "Invalid timeInForce"): lambda raw: raw.order(type="LIMIT", timeInForce="GTD"),
    (-1116, "Invalid orderType"): lambda raw: raw.order(type="FANCY"),
    (-1117, "Invalid side"): lambda raw: raw.order(side="HOLD"),
    (-1118, "New client order ID was empty"): lambda raw: raw.order(newClientOrderId=""),
    (-1119, "Original client order ID was empty"): lambda raw: raw.call(
        "GET", "order", symbol="BTCUSDT", orderId=1, origClientOrderId=""
    ),
    (-1120, "Invalid interval"): lambda raw: raw.call(
        "GET", "klines", signed=False, symbol="BTCUSDT", interval="7m"
    ),
    (-1121, "Invalid symbol"): lambda raw: raw.order(symbol="NOPE"),
    (-1122, "Invalid symbolStatus"): lambda raw: raw.call(
        "GET", "exchangeInfo", signed=False, symbolStatus="OPEN"
    ),
    (-1127, "More than"): lambda raw: raw.call(
        "GET", "allOrders", symbol="BTCUSDT", startTime=TIME, endTime=TIME + 2 * DAY
    ),
    (-1128, "Combination of optional parameters"): lambda raw: raw.call(
        "GET", "myTrades", symbol="BTCUSDT", fromId=1, startTime=TIME
    ),
    (-1130, "is not valid"): lambda raw: raw.order(newOrderRespType="SOME"),
    (-1134, "strategyType"): lambda raw: raw.order(strategyType=999_999),
    (-1135, "Invalid JSON"): lambda raw: socket_error(raw, "{not json"),
    (-1139, "Invalid ticker type"): lambda raw: raw.call(
        "GET", "ticker/24hr", signed=False, symbol="BTCUSDT", type="HUGE"
    ),
    (-1145, "ancelRestrictions"): lambda raw: raw.call(
        "DELETE", "order", symbol="BTCUSDT", orderId=1, cancelRestrictions="ONLY_OLD"
    ),
    (-1151, "multiple times"): lambda raw: raw.call(
        "GET", "ticker/price", signed=False, symbols='["BTCUSDT","BTCUSDT"]'
    ),
    (-1158, "not supported in OCO"): lambda raw: after_oco(
        raw, side="SELL", aboveType="MARKET", belowType="STOP_LOSS"
    ),
    (-1160, "is not supported if"): lambda raw: after_oco(
        raw,
        side="SELL",
        aboveType="TAKE_PROFIT_LIMIT",
        aboveStopPrice=raw.price("1.05"),
        abovePrice=raw.price("1.05"),
        aboveTimeInForce="IOC",
        aboveIcebergQty="0.005",
        belowType="STOP_LOSS",
    ),
    (-1165, "limit order in a buy OCO"): lambda raw: pair(raw, "BUY", "LIMIT_MAKER", "STOP_LOSS"),
    (-1166, "limit order in a sell OCO"): lambda raw: pair(raw, "SELL", "STOP_LOSS", "LIMIT_MAKER"),
    (-1168, "must be contingent"): lambda raw: pair(raw, "SELL", "LIMIT_MAKER", "LIMIT_MAKER"),
    (-1196, "stop loss order in a buy OCO"): lambda raw: pair(
        raw, "BUY", "TAKE_PROFIT", "STOP_LOSS"
    ),
    (-1197, "stop loss order in a sell OCO"): lambda raw: pair(
        raw, "SELL", "STOP_LOSS", "TAKE_PROFIT"
    ),
    (-1198, "take profit order in a buy OCO"): lambda raw: pair(
        raw, "BUY", "TAKE_PROFIT", "TAKE_PROFIT"
    ),
    (-1199, "take profit order in a sell OCO"): lambda raw: pair(
        raw, "SELL", "TAKE_PROFIT", "TAKE_PROFIT"
    ),
    (-1210, "Invalid pegPriceType"): lambda raw: raw.order(type="LIMIT", pegPriceType="SOME"),
    (-1211, "Invalid pegOffsetType"): lambda raw: raw.order(type="LIMIT", pegOffsetType="SOME"),
    (-1222, "must be a bid"): lambda raw: opo(
        raw, workingSide="SELL", workingPrice=raw.price("1.2")
    ),
    (-1223, "must be asks"): lambda raw: opo(raw, pendingSide="BUY"),
    (-1225, "should not include"): lambda raw: opo(raw, pendingQuantity="0.01"),
    (-2010, ""): lambda raw: raw.order(quantity="90"),
    (-2011, ""): lambda raw: raw.call("DELETE", "order", symbol="BTCUSDT", orderId=999_999),
    (-2013, "does not exist"): lambda raw: raw.call(
        "GET", "order", symbol="BTCUSDT", orderId=999_999
    ),
    (-2014, "API-key format invalid"): lambda raw: raw.call("GET", "account", key=""),
    (-2015, "Invalid API-key"): read_only_key,
    (-2035, "already active"): lambda raw: socket_error(raw, subscribe(raw), subscribe(raw)),
    (-2036, "not active"): lambda raw: socket_error(
        raw, {"id": 1, "method": "userDataStream.unsubscribe", "params": {"subscriptionId": 7}}
    ),
    (-2039, "is not correct"): lambda raw: raw.call(
        "GET",
        "order",
        symbol="BTCUSDT",
        orderId=raw.order()[1]["orderId"],
        origClientOrderId="another",
    ),
    (-2021, ""): lambda raw: replace(raw, is_open=True),
    (-2022, ""): lambda raw: replace(raw, is_open=False),
}

FIX = "of the FIX protocol, which this exchange does not speak"
SBE = "of the binary encoding (SBE), which this exchange does not speak"
GENERAL = "the general form of a message that is always sent with the parameter's name"
# (first code, last code, a part of the message) -> why no test provokes it.
NOT_PROVOKED: tuple[tuple[int, int, str, str], ...] = (
    (-1013, -1013, "", "a heading: the filters have a test of their own below"),
    (-1015, -1015, "Too many new orders.", GENERAL),
    (-1016, -1016, "", "the exchange ends by closing its port, not by an answer"),
    (-1033, -1033, "", FIX),
    (-1034, -1034, "", "a connection too many is closed at the handshake: test_stream_lines.py"),
    (-1035, -1035, "", FIX),
    (-1100, -1108, " a parameter", GENERAL),
    (-1100, -1108, "A parameter was", GENERAL),
    (-1100, -1108, "A mandatory parameter was", GENERAL),
    (-1101, -1101, "Too many parameters sent", GENERAL),
    (-1102, -1106, "ag '%s'", FIX),
    (-1102, -1102, "Field value", FIX),
    (-1103, -1103, "An unknown parameter", "unknown parameters are answered by -1104"),
    (-1103, -1103, "Undefined Tag", FIX),
    (-1104, -1104, "Not all sent parameters were read.", GENERAL),
    (-1112, -1112, "", "the ladder is never empty on both sides"),
    (-1114, -1114, "", "REST and WebSocket API answer with -1106 and the parameter's name"),
    (-1125, -1125, "", "listen keys are retired: their calls are answered by 410"),
    (-1127, -1127, "Lookup interval", GENERAL),
    (-1128, -1128, "", FIX + ", or recommended combinations of it"),
    (-1130, -1130, "Invalid data sent", GENERAL),
    (-1134, -1134, "TargetStrategy", FIX),
    (-1135, -1135, "JSON sent for parameter", "a list in a bad form is answered by -1100"),
    (-1152, -1155, "", SBE),
    (-1158, -1158, "If the order type", "a comment on the message before it"),
    (-1160, -1160, "If the order type", "a comment on the message before it"),
    (-1160, -1160, "TimeInForce (59)", FIX),
    (-1161, -1161, "", SBE),
    (-1169, -1191, "", FIX),
    (-1194, -1194, "", "provoked in test_time_unit.py"),
    (-1220, -1220, "", "provoked in test_rest_market.py"),
    (-1221, -1221, "", SBE),
    (-1224, -1224, "", FIX),
    (-2016, -2016, "", "every symbol trades all day"),
    (-2026, -2026, "", "needs 90 days: shown on the engine in test_archive.py"),
    (-2042, -2042, "", "needs 65,535 subscriptions: provoked in test_session.py of the faces"),
    (-2043, -2043, "", "provoked in test_rest_market.py"),
)


@pytest.mark.parametrize("expected", PROVOKED, ids=str)
def test_it_comes_with_its_code_and_words(raw: RawClient, expected: tuple[int, str]) -> None:
    control(raw.sim, "DELETE", "faults")

    status, body = PROVOKED[expected](raw)

    assert (body["code"], status != 200) == (expected[0], True), body
    assert expected[1] in body["msg"]


def test_every_documented_error_is_provoked_or_listed(shared_data: Path) -> None:
    path = shared_data / "payloads" / "binance_docs" / "error_codes.csv"
    left = []
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            code, message = int(row["code"]), re.sub("`", "", row["message"])
            is_provoked = any(code == held and part in message for held, part in PROVOKED)
            is_listed = any(
                last <= code <= first and part in message for first, last, part, _ in NOT_PROVOKED
            )
            if not is_provoked and not is_listed:
                left.append((code, message))

    assert left == []

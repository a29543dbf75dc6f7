"""What leaves is what was approved."""

import hashlib
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.domain.order import OrderType, Side, TimeInForce
from execution.domain.request import (
    CancelRequest,
    OcoRequest,
    OrderRequest,
    Terms,
    digest,
    plain,
)


def market(quantity):
    return OrderRequest(
        symbol="BTCUSDT",
        side=Side.BUY,
        type=OrderType.MARKET,
        quantity=Decimal(quantity),
        client_order_id="ts-A",
    )


def test_it_does_not_depend_on_order_or_on_what_the_signer_adds():
    parameters = market("0.5").parameters()
    on_the_wire = dict(reversed(parameters.items())) | {
        "timestamp": "1",
        "recvWindow": "5000",
        "signature": "ab",
    }

    assert digest(on_the_wire) == digest(parameters)


@pytest.mark.parametrize("name", ["symbol", "side", "type", "quantity", "newClientOrderId"])
def test_it_changes_with_every_parameter(name):
    parameters = market("0.5").parameters()

    assert digest(parameters | {name: "other"}) != digest(parameters)
    assert digest({k: v for k, v in parameters.items() if k != name}) != digest(parameters)


def test_it_cannot_be_fooled_by_separators_inside_values():
    assert digest({"a": "1&b=2"}) != digest({"a": "1", "b": "2"})


@given(st.decimals("0.00000001", "9000000", places=8))
def test_it_writes_decimals_plainly_and_exactly(number):
    text = plain(number)

    assert Decimal(text) == number
    assert "E" not in text
    assert not ("." in text and text.endswith("0"))


def test_it_digests_sorted_pairs_of_quoted_values():
    expected = hashlib.sha256(b"a=1%2F2%26b&b=x").hexdigest()

    assert digest({"b": "x", "a": "1/2&b"}) == expected


@pytest.mark.parametrize(
    ("number", "text"),
    [("1E+3", "1000"), ("0.10", "0.1"), ("100", "100"), ("2.000", "2"), ("1E-8", "0.00000001")],
)
def test_it_writes_no_exponent_and_no_padding(number, text):
    assert plain(Decimal(number)) == text


def test_it_asks_for_a_market_order_in_the_words_of_the_exchange():
    request = market("0.50")

    assert request.kind == "POST order"
    assert request.parameters() == {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "MARKET",
        "quantity": "0.5",
        "newClientOrderId": "ts-A",
        "newOrderRespType": "FULL",
    }


def test_it_asks_for_a_limit_order_with_price_and_time():
    request = replace(
        market("0.5"),
        side=Side.SELL,
        type=OrderType.LIMIT,
        price=Decimal("100.10"),
        time_in_force=TimeInForce.IOC,
    )

    assert request.parameters() == {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "LIMIT",
        "quantity": "0.5",
        "newClientOrderId": "ts-A",
        "newOrderRespType": "FULL",
        "price": "100.1",
        "timeInForce": "IOC",
    }


def test_it_asks_for_a_pair_with_the_profit_above_and_the_stop_below():
    request = OcoRequest(
        symbol="BTCUSDT",
        quantity=Decimal("0.50"),
        list_client_order_id="ts-L",
        take_profit=Terms(
            type=OrderType.LIMIT_MAKER, client_order_id="ts-T", price=Decimal("110.0")
        ),
        stop=Terms(type=OrderType.STOP_LOSS, client_order_id="ts-S", stop_price=Decimal("90.0")),
    )

    assert request.kind == "POST orderList/oco"
    assert request.names == {"ts-T", "ts-S"}
    bought = replace(request, side=Side.BUY).parameters()
    assert (bought["aboveType"], bought["belowType"]) == ("STOP_LOSS", "LIMIT_MAKER")
    assert request.parameters() == {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "quantity": "0.5",
        "listClientOrderId": "ts-L",
        "aboveType": "LIMIT_MAKER",
        "aboveClientOrderId": "ts-T",
        "abovePrice": "110",
        "belowType": "STOP_LOSS",
        "belowClientOrderId": "ts-S",
        "belowStopPrice": "90",
        "newOrderRespType": "FULL",
    }


@pytest.mark.parametrize(
    ("is_list", "kind", "name"),
    [
        (False, "DELETE order", "origClientOrderId"),
        (True, "DELETE orderList", "listClientOrderId"),
    ],
)
def test_it_cancels_an_order_or_a_whole_list(is_list, kind, name):
    request = CancelRequest(symbol="BTCUSDT", client_order_id="ts-A", is_list=is_list)

    assert request.kind == kind
    assert request.parameters() == {"symbol": "BTCUSDT", name: "ts-A"}


def test_it_cancels_one_order_unless_told_otherwise():
    assert CancelRequest(symbol="BTCUSDT", client_order_id="ts-A").kind == "DELETE order"

"""What leaves is what was approved."""

import hashlib
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.domain.order import OrderType, Side, TimeInForce
from execution.domain.request import (
    AmendRequest,
    CancelRequest,
    OcoRequest,
    OrderRequest,
    OtocoRequest,
    ReplaceRequest,
    Restriction,
    Terms,
    digest,
    pair_parameters,
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


def test_it_asks_for_a_stop_with_its_trigger_or_its_distance():
    stop = replace(market("0.5"), side=Side.SELL, type=OrderType.STOP_LOSS)
    at_a_price = replace(stop, stop_price=Decimal("90.0")).parameters()
    trailing = replace(stop, trailing_delta_bps=150).parameters()

    assert at_a_price == stop.parameters() | {"stopPrice": "90"}
    assert trailing == stop.parameters() | {"trailingDelta": "150"}


def test_a_stop_comes_to_life_at_its_stop_price_and_a_limit_at_its_price():
    prices = {"price": Decimal(99), "stop_price": Decimal(90), "client_order_id": "ts-A"}

    assert Terms(type=OrderType.STOP_LOSS_LIMIT, **prices).trigger_price == 90
    assert Terms(type=OrderType.TAKE_PROFIT_LIMIT, **prices).trigger_price == 90
    assert Terms(type=OrderType.LIMIT, **prices).trigger_price == 99
    trailing = Terms(type=OrderType.STOP_LOSS, client_order_id="ts-A", trailing_delta_bps=150)
    assert trailing.trigger_price is None


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


def test_it_names_the_legs_of_a_pair_that_waits_for_another_order():
    target = Terms(type=OrderType.LIMIT_MAKER, client_order_id="ts-T", price=Decimal(110))
    stop = Terms(type=OrderType.STOP_LOSS, client_order_id="ts-S", stop_price=Decimal(90))

    assert pair_parameters(Side.SELL, take_profit=target, stop=stop, prefix="pending") == {
        "pendingAboveType": "LIMIT_MAKER",
        "pendingAboveClientOrderId": "ts-T",
        "pendingAbovePrice": "110",
        "pendingBelowType": "STOP_LOSS",
        "pendingBelowClientOrderId": "ts-S",
        "pendingBelowStopPrice": "90",
    }


def test_it_replaces_an_order_only_if_that_was_cancelled_as_we_know_it():
    request = ReplaceRequest(
        order=market("0.5"),
        canceled_client_order_id="ts-OLD",
        restriction=Restriction.ONLY_NEW,
    )

    assert request.kind == "POST order/cancelReplace"
    assert request.parameters() == market("0.5").parameters() | {
        "cancelReplaceMode": "STOP_ON_FAILURE",
        "cancelOrigClientOrderId": "ts-OLD",
        "cancelRestrictions": "ONLY_NEW",
    }


def test_it_makes_an_order_smaller_under_its_own_name():
    request = AmendRequest(symbol="BTCUSDT", client_order_id="ts-A", quantity=Decimal("0.40"))

    assert request.kind == "PUT order/amend/keepPriority"
    assert request.parameters() == {
        "symbol": "BTCUSDT",
        "origClientOrderId": "ts-A",
        "newClientOrderId": "ts-A",
        "newQty": "0.4",
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


def test_it_asks_for_an_entry_and_the_pair_that_waits_for_it_under_the_pair_s_name():
    entry = OrderRequest(
        symbol="BTCUSDT",
        side=Side.BUY,
        type=OrderType.LIMIT,
        quantity=Decimal("0.02"),
        client_order_id="ts-E",
        price=Decimal(49500),
        time_in_force=TimeInForce.GTC,
    )
    pair = OcoRequest(
        symbol="BTCUSDT",
        quantity=Decimal("0.01998"),
        list_client_order_id="ts-L",
        take_profit=Terms(type=OrderType.LIMIT_MAKER, client_order_id="ts-T", price=Decimal(52000)),
        stop=Terms(type=OrderType.STOP_LOSS, client_order_id="ts-S", stop_price=Decimal(48000)),
    )
    request = OtocoRequest(working=entry, pending=pair)

    assert request.kind == "POST orderList/otoco"
    assert request.list_client_order_id == "ts-L"
    assert request.names == {"ts-E", "ts-T", "ts-S"}
    assert request.parameters() == {
        "symbol": "BTCUSDT",
        "listClientOrderId": "ts-L",
        "workingSide": "BUY",
        "workingQuantity": "0.02",
        "workingType": "LIMIT",
        "workingClientOrderId": "ts-E",
        "workingPrice": "49500",
        "workingTimeInForce": "GTC",
        "pendingSide": "SELL",
        "pendingQuantity": "0.01998",
        "pendingAboveType": "LIMIT_MAKER",
        "pendingAboveClientOrderId": "ts-T",
        "pendingAbovePrice": "52000",
        "pendingBelowType": "STOP_LOSS",
        "pendingBelowClientOrderId": "ts-S",
        "pendingBelowStopPrice": "48000",
        "newOrderRespType": "FULL",
    }

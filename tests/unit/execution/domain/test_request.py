"""What leaves is what was approved."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.domain.order import OrderType, Side
from execution.domain.request import OrderRequest, digest, plain


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

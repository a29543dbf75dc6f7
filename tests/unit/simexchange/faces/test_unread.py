"""How parameters too many are refused; the counts are those that users of the exchange report."""

import pytest

from simexchange.errors import ApiError
from simexchange.faces.gateway import check_unread
from simexchange.faces.routing import Route

OPEN = Route(lambda _call: {}, names=frozenset({"symbol", "limit", "fromId"}))
ORDER = Route(
    lambda _call: {}, signed=True, names=frozenset({"symbol", "orderId", "origClientOrderId"})
)


def refusal(route: Route, *names: str, is_signed: bool = False) -> str:
    with pytest.raises(ApiError) as caught:
        check_unread(route, dict.fromkeys(names, "1"), is_signed=is_signed)
    return str(caught.value)


def test_it_takes_what_it_knows() -> None:
    check_unread(OPEN, {"symbol": "A", "limit": "5"}, is_signed=False)
    check_unread(ORDER, {"symbol": "A", "timestamp": "1", "recvWindow": "9"}, is_signed=True)
    check_unread(Route(lambda _call: {}), {"any": "thing"}, is_signed=True)


def test_it_counts_what_was_not_read() -> None:
    assert refusal(OPEN, "symbol", "colour") == (
        "-1104 Not all sent parameters were read; read '1' parameter(s) but was sent '2'."
    )
    assert refusal(ORDER, "symbol", "timestamp", "colour", is_signed=True) == (
        "-1104 Not all sent parameters were read; read '3' parameter(s) but was sent '4'."
    )


def test_more_than_it_knows_at_all_are_too_many() -> None:
    params = ("symbol", "side", "type", "timeInForce", "quantity", "price", "timestamp")

    assert refusal(ORDER, *params, is_signed=True) == (
        "-1101 Too many parameters; expected '6' and received '8'."
    )


def test_an_open_call_is_not_to_be_signed() -> None:
    assert refusal(OPEN, "symbol", "timestamp", "recvWindow", is_signed=True) == (
        "-1101 Too many parameters; expected '3' and received '4'."
    )

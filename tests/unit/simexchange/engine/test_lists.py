from decimal import Decimal

import pytest

from simexchange.errors import ApiError
from tests.fakes.sim_exchange import Desk, request


def sell_oco(desk: Desk) -> list:
    group = desk.place_list(
        above=request("SELL", "LIMIT_MAKER", quantity="2", price="110"),
        below=request("SELL", "STOP_LOSS_LIMIT", quantity="2", stop_price="95", price="94"),
    )
    return [group, *desk.ledger.list_members(group)]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_it_locks_an_oco_once_and_tells_in_order(desk: Desk) -> None:
    group, stop, limit = sell_oco(desk)

    assert desk.held("BTC") == (998, 2)
    assert (stop.type, limit.type) == ("STOP_LOSS_LIMIT", "LIMIT_MAKER")
    assert desk.told() == ["NEW NEW", "NEW NEW", "outboundAccountPosition", "listStatus"]
    assert desk.events[-1][1]["l"] == "EXEC_STARTED"
    assert group.is_open


def test_it_expires_the_stop_when_the_limit_fills(desk: Desk) -> None:
    group, stop, limit = sell_oco(desk)
    desk.events.clear()

    desk.market.print("111", seller_hits=False)

    assert (limit.status, stop.status, stop.expiry_reason) == ("FILLED", "EXPIRED", "OCO_TRIGGER")
    assert group.order_status == "ALL_DONE"
    assert desk.held("BTC") == (998, 0)
    assert desk.told() == [
        "EXPIRED EXPIRED",
        "TRADE FILLED",
        "outboundAccountPosition",
        "listStatus",
    ]


def test_it_expires_the_limit_when_the_stop_triggers(desk: Desk) -> None:
    group, stop, limit = sell_oco(desk)

    desk.market.print("94.50")

    assert limit.status == "EXPIRED"
    assert stop.status == "FILLED"
    assert not group.is_open
    assert desk.held("BTC") == (998, 0)


def test_it_keeps_the_lock_of_a_leg_that_fills_in_part(desk: Desk) -> None:
    _, stop, limit = sell_oco(desk)

    desk.market.print("110", "0.5", seller_hits=False)

    assert (limit.status, limit.executed) == ("PARTIALLY_FILLED", Decimal("0.5"))
    assert stop.status == "EXPIRED"
    assert desk.held("BTC") == (998, Decimal("1.5"))


def test_it_cancels_the_list_with_a_leg(desk: Desk) -> None:
    group, stop, limit = sell_oco(desk)

    done = desk.exchange.cancel(desk.account, "BTCUSDT", order_id=stop.order_id)

    assert done.group is group
    assert (stop.status, limit.status) == ("CANCELED", "CANCELED")
    assert desk.held("BTC") == (1_000, 0)


@pytest.mark.parametrize(
    ("side", "above", "below", "code"),
    [
        ("SELL", ("LIMIT_MAKER", "99", "0"), ("STOP_LOSS", "0", "95"), -2010),
        ("BUY", ("STOP_LOSS", "0", "99"), ("LIMIT_MAKER", "95", "0"), -2010),
        ("SELL", ("STOP_LOSS", "0", "110"), ("LIMIT_MAKER", "95", "0"), -1166),
        ("BUY", ("LIMIT_MAKER", "110", "0"), ("STOP_LOSS", "0", "95"), -1165),
        ("SELL", ("LIMIT_MAKER", "110", "0"), ("LIMIT_MAKER", "95", "0"), -1168),
    ],
)
def test_it_refuses_an_oco_that_makes_no_sense(
    desk: Desk, side: str, above: tuple[str, str, str], below: tuple[str, str, str], code: int
) -> None:
    legs = [
        request(side, kind, quantity="1", price=price, stop_price=stop)
        for kind, price, stop in (above, below)
    ]

    with pytest.raises(ApiError) as refusal:
        desk.place_list(*legs)

    assert refusal.value.code == code
    assert desk.ledger.orders == {}
    assert desk.held("BTC") == (1_000, 0)

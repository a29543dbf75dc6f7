"""Lists whose legs wait for a working order: OTO, OTOCO, and OPO that pays them."""

from decimal import Decimal

import pytest

from simexchange.errors import ApiError
from tests.fakes.sim_exchange import Desk, request

BUY = request("BUY", "LIMIT", quantity="2", price="99.50")
PAIR = {
    "above": request("SELL", "LIMIT_MAKER", quantity="2", price="110"),
    "below": request("SELL", "STOP_LOSS", quantity="2", stop_price="95"),
}


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_legs_wait_without_a_lock_until_the_working_order_is_filled(desk: Desk) -> None:
    group = desk.place_list(request("SELL", "LIMIT", quantity="2", price="120"), working=BUY)
    working, leg = desk.members(group)
    before = (working.status, leg.status, desk.held("BTC"), desk.held("USDT")[1])

    desk.market.print("99.50", "1")
    half = (working.status, leg.status)
    desk.market.print("99.50", "5")

    assert before == ("NEW", "PENDING_NEW", (1_000, 0), 199)
    assert half == ("PARTIALLY_FILLED", "PENDING_NEW")
    assert (working.status, leg.status, leg.is_working) == ("FILLED", "NEW", True)
    assert desk.held("BTC")[1] == 2
    assert group.is_open
    desk.market.print("121", seller_hits=False)
    assert (leg.status, group.order_status) == ("FILLED", "ALL_DONE")


def test_a_reply_shows_a_filled_working_order_and_legs_still_waiting(desk: Desk) -> None:
    from simexchange.engine.lists import ListRequest

    working = request("BUY", "LIMIT", quantity="2", price="101")
    listed = desk.exchange.place_list(
        desk.account, ListRequest(symbol="BTCUSDT", working=working, **PAIR)
    )

    assert [one.status for one in listed.orders] == ["FILLED", "PENDING_NEW", "PENDING_NEW"]
    assert [one.type for one in listed.orders] == ["LIMIT", "STOP_LOSS", "LIMIT_MAKER"]
    now = desk.members(desk.ledger.lists[0])
    assert [one.status for one in now] == ["FILLED", "NEW", "NEW"]
    assert desk.held("BTC")[1] == 2


def test_an_activated_pair_is_an_oco(desk: Desk) -> None:
    group = desk.place_list(working=request("BUY", "LIMIT", quantity="2", price="101"), **PAIR)
    _, stop, limit = desk.members(group)

    desk.market.print("95")

    assert (stop.status, limit.status, limit.expiry_reason) == ("FILLED", "EXPIRED", "OCO_TRIGGER")
    assert group.order_status == "ALL_DONE"
    assert desk.held("BTC")[1] == 0


@pytest.mark.parametrize("index", [0, 1, 2])
def test_cancelling_one_cancels_all(desk: Desk, index: int) -> None:
    group = desk.place_list(working=BUY, **PAIR)
    members = desk.members(group)

    done = desk.exchange.cancel(desk.account, "BTCUSDT", order_id=members[index].order_id)

    assert len(done.orders) == 3
    assert {one.status for one in members} == {"CANCELED"}
    assert desk.held("USDT") == (1_000_000, 0)


def test_legs_expire_with_a_working_order_that_is_not_filled(desk: Desk) -> None:
    working = request("BUY", "LIMIT", quantity="2", price="99", time_in_force="IOC")
    group = desk.place_list(working=working, **PAIR)

    assert [(one.status, one.expiry_reason) for one in desk.members(group)] == [
        ("EXPIRED", "UNFILLED_IOC_QUANTITY_EXPIRED"),
        ("EXPIRED", "OTO_PHASE_ONE_EXPIRED"),
        ("EXPIRED", "OTO_PHASE_ONE_EXPIRED"),
    ]
    assert group.order_status == "ALL_DONE"


def test_a_leg_that_is_refused_when_its_turn_comes_expires(desk: Desk) -> None:
    group = desk.place_list(
        request("SELL", "LIMIT", quantity="8000", price="120"),
        working=request("BUY", "LIMIT", quantity="1", price="101"),
    )
    _, leg = desk.members(group)

    assert (leg.status, leg.expiry_reason) == ("EXPIRED", "REJECTED")
    assert not group.is_open


def test_a_market_leg_executes_at_once(desk: Desk) -> None:
    group = desk.place_list(
        request("SELL", "MARKET", quantity="1"),
        working=request("BUY", "LIMIT", quantity="1", price="101"),
    )

    assert [one.status for one in desk.members(group)] == ["FILLED", "FILLED"]
    assert not group.is_open


def test_an_opo_sells_what_it_bought(desk: Desk) -> None:
    desk.account.balance("BTC").free = Decimal(0)
    group = desk.place_list(request("SELL", "LIMIT", price="120"), working=BUY, pays=True)
    working, leg = desk.members(group)
    desk.market.print("99.50", "1")
    half = (group.locked, desk.held("BTC"))
    desk.market.print("99.50", "5")

    # The commission comes out of what is received, because nothing else is free.
    assert half == (Decimal("0.999"), (0, Decimal("0.999")))
    assert (working.status, leg.status, leg.quantity) == ("FILLED", "NEW", Decimal("1.998"))
    assert desk.held("BTC") == (0, Decimal("1.998"))


def test_an_opo_takes_the_commission_from_other_funds(desk: Desk) -> None:
    group = desk.place_list(request("SELL", "LIMIT", price="120"), working=BUY, pays=True)
    desk.market.print("99.40", "5")

    assert desk.members(group)[1].quantity == 2
    assert desk.held("BTC") == (Decimal("999.998"), 2)


def test_an_opoco_locks_once_and_gives_back_what_is_left(desk: Desk) -> None:
    desk.exchange.change_symbol(
        "BTCUSDT", {"filters": [{"filterType": "LOT_SIZE", "stepSize": "0.01", "minQty": "0.01"}]}
    )
    desk.account.balance("BTC").free = Decimal(0)
    legs = {
        "above": request("SELL", "LIMIT_MAKER", price="110"),
        "below": request("SELL", "STOP_LOSS", stop_price="95"),
    }
    group = desk.place_list(
        working=request("BUY", "LIMIT", quantity="2", price="101"), pays=True, **legs
    )

    assert [one.quantity for one in desk.members(group)] == [2, Decimal("1.99"), Decimal("1.99")]
    assert desk.held("BTC") == (Decimal("0.008"), Decimal("1.99"))


def test_a_cancelled_opo_unlocks_what_it_bought_so_far(desk: Desk) -> None:
    group = desk.place_list(request("SELL", "LIMIT", price="120"), working=BUY, pays=True)
    desk.market.print("99.50", "1")

    desk.exchange.cancel_list(desk.account, "BTCUSDT", group.list_id, "")

    assert desk.held("BTC") == (Decimal("1000.999"), 0)
    assert desk.held("USDT")[1] == 0


@pytest.mark.parametrize(
    ("working", "leg", "code"),
    [
        (request("SELL", "LIMIT", quantity="1", price="110"), request("SELL", "MARKET"), -1222),
        (BUY, request("BUY", "MARKET"), -1223),
    ],
)
def test_an_opo_buys_and_then_sells(desk: Desk, working: object, leg: object, code: int) -> None:
    with pytest.raises(ApiError) as refusal:
        desk.place_list(leg, working=working, pays=True)  # type: ignore[arg-type]

    assert refusal.value.code == code
    assert desk.ledger.orders == {}


def test_a_list_waiting_for_its_legs_survives_a_kill_between(desk: Desk) -> None:
    group = desk.place_list(working=BUY, **PAIR)
    group.order_ids, members = group.order_ids, desk.members(group)
    members[0].status = "FILLED"

    Desk(ledger=desk.ledger)

    assert [one.status for one in members[1:]] == ["NEW", "NEW"]


def test_a_symbol_without_a_lot_filter_trades_to_the_eighth_decimal(desk: Desk) -> None:
    desk.exchange.change_symbol(
        "BTCUSDT", {"filters": [{"filterType": "LOT_SIZE", "remove": True}]}
    )
    desk.account.balance("BTC").free = Decimal(0)

    group = desk.place_list(
        request("SELL", "LIMIT", price="120"),
        working=request("BUY", "LIMIT", quantity="0.10000001", price="101"),
        pays=True,
    )
    bought = desk.place("BUY", quote_quantity="10")
    stop = desk.place("BUY", "STOP_LOSS", quantity="0.12345678", stop_price="105")
    desk.account.balance("USDT").free = Decimal(0)
    desk.market.books["SELL"] = [[Decimal(110), Decimal(5)]]
    desk.market.print("105", seller_hits=False)

    assert desk.members(group)[1].quantity == Decimal("0.09990001")
    assert bought.executed == Decimal("0.09900990")
    assert stop.executed == Decimal("0.11784510")
    assert (stop.status, stop.locked) == ("EXPIRED", 0)

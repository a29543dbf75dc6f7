"""Whatever becomes of the reply, the order is placed once and found: FI-31 to FI-48, FI-54."""

import pytest

from execution.models import Order
from risk.domain.trading_state import Level
from risk.services.trading_state import read_state
from tests.faults.conftest import wait_until

QUERY = {"method": "GET", "path": "/api/v3/order"}
LOST_AND_ACCEPTED = {
    "fi31 a 503 page": [("http", {"status": 503, "accepted": True})],
    "fi33 a 504 page": [("http", {"status": 504, "accepted": True})],
    "fi34 -1007 and a query that lags": [
        ("http", {"status": 504, "code": -1007, "msg": "Timeout", "accepted": True}),
        ("not_found_for", {**QUERY, "ms": 1500, "times": 0}),
    ],
    "fi35 a query that never finds it": [
        ("accept_then_drop_reply", {}),
        ("http", {**QUERY, "status": 400, "code": -2013, "msg": "No such order.", "times": 0}),
    ],
    "fi36 a reset after the request": [("accept_then_drop_reply", {})],
    "fi37 half a reply": [("truncate_reply", {})],
    "fi38 a reply that comes too late": [("delay", {"ms": 2500})],
    "fi40 a duplicate that is ours": [
        ("http", {"status": 400, "code": -2010, "msg": "Duplicate order sent.", "accepted": True})
    ],
}


@pytest.mark.parametrize("case", LOST_AND_ACCEPTED)
def test_an_accepted_order_is_found_whatever_became_of_the_reply(cell, case):
    for name, options in LOST_AND_ACCEPTED[case]:
        cell.fault(name, **options)
    cell.run("place", [cell.decide("BTCUSDT").pk])

    cell.guard()
    cell.come_to_rest()

    assert cell.entry().state == "FILLED"
    assert len(cell.posts(cell.entry().client_order_id)) == 1
    assert cell.pairs() == ["NEW"]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("http", {"status": 503, "accepted": False}),
        ("drop_before_accept", {}),
    ],
    ids=["fi32 a 503 page", "a reset before the engine"],
)
def test_an_order_that_was_not_accepted_is_proved_absent(cell, name, options):
    cell.fault(name, **options)
    cell.run("place", [cell.decide("BTCUSDT").pk])
    assert cell.entry().state == "UNKNOWN"

    cell.guard()
    cell.come_to_rest()

    assert (cell.entry().state, cell.entry().reserved_quantity) == ("NOT_ACCEPTED", 0)
    assert cell.ledger()["orders"] == []
    assert len(cell.posts(cell.entry().client_order_id)) == 1


REFUSED = {
    "fi41 too many requests": (429, -1003, Level.ACTIVE),
    "fi43 too many orders": (429, -1015, Level.ACTIVE),
    "fi44 a time outside of the window": (400, -1021, Level.ACTIVE),
    "fi46 a key that was revoked": (401, -2015, Level.HALT),
    "fi47 a filter that has changed": (400, -1013, Level.ACTIVE),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_frees_the_money_and_is_not_repeated(cell, case):
    status, code, level = REFUSED[case]
    cell.fault("http", status=status, code=code, msg="refused", retry_after=1)
    first = cell.decide("BTCUSDT")
    cell.run("place", [first.pk, cell.decide("ETHUSDT").pk])

    cell.guard()
    cell.come_to_rest()

    refused = Order.objects.get(decision=first)
    assert (refused.state, refused.reserved_quantity) == ("REJECTED", 0)
    assert len(cell.posts(refused.client_order_id)) == 1
    assert read_state().level is level


def test_fi48_a_symbol_that_takes_no_orders(cell):
    cell.call("POST", "/_sim/symbol", {"symbol": "XRPUSDT", "status": "HALT"})
    try:
        cell.run("place", [cell.decide("XRPUSDT").pk])
        cell.guard()
        cell.come_to_rest()
    finally:
        cell.call("POST", "/_sim/symbol", {"symbol": "XRPUSDT", "status": "TRADING"})

    # The rules are read anew after the refusal, and the second attempt is denied by them.
    entries = Order.objects.filter(leg="ENTRY").order_by("pk")
    assert list(entries.values_list("state", flat=True)) == ["REJECTED", "DENIED"]
    assert cell.ledger()["orders"] == []


def test_fi54_a_stop_that_is_refused_closes_the_position(cell):
    cell.fault(
        "http", path="/api/v3/orderList/oco", status=400, code=-2010, msg="would trigger", times=1
    )
    cell.run("place", [cell.decide("BTCUSDT").pk])

    cell.guard()
    wait_until(lambda: cell.position().status == "closed", what="closed position")

    assert cell.pairs() == ["REJECTED"]
    assert Order.objects.get(leg="EXIT").state == "FILLED"


def test_fi42_a_banned_address_is_silent_and_its_kill_is_done_afterwards(cell):
    order = cell.rest("ETHUSDT")
    cell.ready_guard()
    cell.call("POST", "/_sim/faults", [{"fault": "ban", "seconds": 4}])
    cell.raise_level(Level.CANCEL)
    wait_until(lambda: _refused(cell), what="the first refusal")
    first = _refused(cell)

    wait_until(lambda: Order.objects.get(pk=order.pk).state == "CANCELED", what="cancel")

    # Each of our processes may run into the ban once; then all of them know.
    assert len(_refused(cell)) <= len(first) + 1


def _refused(cell) -> list[dict[str, object]]:
    return [row for row in cell.call("GET", "/_sim/ledger")["requests"] if row["status"] == 418]

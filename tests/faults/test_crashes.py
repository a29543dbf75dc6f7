"""Processes die at every named place between a decision and its protection: FI-02 to FI-15."""

import signal

import pytest

from execution.domain.decision import Action
from execution.models import Fill, Order, SubmitAttempt
from tests.faults.conftest import wait_until

# After it nobody sends again; what was not sent is proved absent.
BEFORE_THE_FIRST_BYTE = ("claim.committed", "send.permitted")
# The exchange has it: found, booked once, protected.
AFTER_THE_REPLY = (
    *("send.replied", "fills.before_commit", "fills.committed", "protect.before_claim"),
)


def test_fi02_a_crash_between_the_approval_of_a_sale_and_its_claim_loses_nothing(cell):
    cell.place(cell.decide("BTCUSDT"))
    decision = cell.decide("BTCUSDT", Action.EXIT)
    cell.run("place", [decision.pk], CRASHPOINT="intent.committed")
    sale = Order.objects.get(leg="EXIT")
    assert sale.state == "APPROVED"
    assert cell.pairs() == ["NEW"]

    cell.guard()
    cell.come_to_rest()

    sale.refresh_from_db()
    assert sale.state == "FILLED"
    assert len(cell.posts(sale.client_order_id)) == 1
    assert cell.position().status == "closed"


def test_fi03_a_crash_before_the_claim_is_committed_loses_nothing(cell):
    decision = cell.decide("BTCUSDT")
    cell.run("place", [decision.pk], CRASHPOINT="claim.before_commit")
    assert not Order.objects.exists()  # approved and claimed together, or neither

    cell.guard()
    wait_until(lambda: cell.pairs() == ["NEW"], what="protected position")
    cell.come_to_rest()

    assert cell.entry().state == "FILLED"
    assert len(cell.posts(cell.entry().client_order_id)) == 1
    assert cell.pairs() == ["NEW"]


@pytest.mark.parametrize("place", BEFORE_THE_FIRST_BYTE)
def test_fi04_a_claim_without_a_send_is_proved_absent_and_never_sent(cell, place):
    decision = cell.decide("BTCUSDT")
    cell.run("place", [decision.pk], CRASHPOINT=place)
    assert cell.entry().state == "SENDING"

    cell.guard()
    cell.come_to_rest()

    assert (cell.entry().state, cell.entry().reserved_quantity) == ("NOT_ACCEPTED", 0)
    assert cell.posts(cell.entry().client_order_id) == []
    proof = SubmitAttempt.objects.get().evidence
    assert len(proof["clean_rounds_ms"]) >= 2


def test_fi05_a_crash_while_the_reply_is_on_its_way(cell):
    cell.fault("delay", ms=1500)
    decision = cell.decide("BTCUSDT")
    gateway = cell.start("place", [decision.pk])
    wait_until(lambda: cell.ledger()["orders"], what="order at the exchange")

    gateway.kill()
    assert cell.entry().state == "SENDING"
    cell.guard()
    cell.come_to_rest()

    assert cell.entry().state == "FILLED"
    assert len(cell.posts(cell.entry().client_order_id)) == 1
    assert cell.pairs() == ["NEW"]


def test_fi06_a_crash_after_a_request_that_the_exchange_never_took(cell):
    cell.fault("drop_before_accept")
    decision = cell.decide("BTCUSDT")
    cell.run("place", [decision.pk], CRASHPOINT="send.replied")
    assert cell.entry().state == "SENDING"

    cell.guard()
    cell.come_to_rest()

    assert (cell.entry().state, cell.entry().reserved_quantity) == ("NOT_ACCEPTED", 0)
    assert cell.ledger()["orders"] == []


@pytest.mark.parametrize("place", AFTER_THE_REPLY)
def test_fi07_to_fi10_a_crash_after_the_reply(cell, place):
    decision = cell.decide("BTCUSDT")
    cell.run("place", [decision.pk], CRASHPOINT=place)
    assert len(cell.ledger()["orders"]) == 1

    cell.guard()
    cell.come_to_rest()

    assert cell.entry().state == "FILLED"
    assert len(cell.posts(cell.entry().client_order_id)) == 1
    assert Fill.objects.filter(order=cell.entry()).count() == len(cell.ledger()["trades"])
    assert cell.pairs() == ["NEW"]
    assert cell.position().status == "open"


@pytest.mark.parametrize("place", ["cancel.committed", "cancel.replied"])
def test_fi11_a_crash_in_the_middle_of_a_cancel(cell, place):
    order = cell.rest()
    cell.run("cancel", [order.pk], CRASHPOINT=place)

    cell.guard()
    wait_until(lambda: Order.objects.get(pk=order.pk).state == "CANCELED", what="canceled order")


def test_fi13_a_crash_in_the_comparison_at_the_start(cell):
    cell.run("guard", "--interval", "0.1", CRASHPOINT="reconcile.before_conclude")
    cell.account.refresh_from_db()
    assert cell.account.ready_at is None
    decision = cell.decide("BTCUSDT")
    cell.run("place", [decision.pk])
    assert cell.ledger()["orders"] == []

    cell.ready_guard()


def test_fi14_a_gateway_that_wakes_up_after_the_proof_can_do_no_harm(cell):
    decision = cell.decide("BTCUSDT")
    gateway = cell.start("place", [decision.pk], CRASHPOINT="stop:send.permitted")
    wait_until(gateway.is_stopped, what="stop")
    cell.guard()
    wait_until(lambda: cell.entry().state == "NOT_ACCEPTED", what="proof")

    gateway.send(signal.SIGCONT)
    gateway.wait()

    assert cell.entry().state == "NOT_ACCEPTED"
    assert cell.ledger()["orders"] == []


def test_fi15_two_workers_that_get_the_same_decision(cell):
    decision = cell.decide("BTCUSDT")
    workers = [cell.start("place", [decision.pk]) for _ in range(3)]
    for worker in workers:
        worker.wait()

    assert cell.entry().state == "FILLED"
    assert len(cell.posts(cell.entry().client_order_id)) == 1


def test_fi18_three_guardians_at_once(cell):
    decisions = [cell.decide(symbol) for symbol in ("BTCUSDT", "ETHUSDT", "BNBUSDT")]
    for _ in range(3):
        cell.guard()
    wait_until(
        lambda: Order.objects.filter(leg="PROTECT", state="NEW").count() == 3, what="three pairs"
    )

    for decision in decisions:
        entry = Order.objects.get(decision=decision)
        assert len(cell.posts(entry.client_order_id)) == 1

"""Amending and replacing orders: no double, nothing lost, both halves on record."""

from decimal import Decimal

import pytest

from core.models import AuditRecord
from execution.domain.fill import VenueStatus
from execution.models import Order, Position, SubmitAttempt
from execution.services import replacing
from execution.services.amending import resolve_amends
from execution.services.completing import record_live
from execution.services.guarding import Guardian
from execution.services.orders import place_orders
from execution.services.resolution import resolve_unknown
from risk.domain.trading_state import Level
from risk.models import RiskLimits
from risk.services.trading_state import raise_level
from tests.fakes.broker import Fault

pytestmark = pytest.mark.faults
D = Decimal


def rest(client, **changes):
    body = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.01"}
    body |= {"price": "49500", **changes}
    reply = client.post("/trading/order", body, format="json", headers={"Idempotency-Key": "rest"})
    assert reply.status_code == 201, reply.json()
    return reply.json()["id"]


def amend(client, order_id, quantity="0.004", reason="too much"):
    body = {"quantity": quantity, "reason": reason}
    return client.post(f"/trading/order/{order_id}/amend", body, format="json")


def replace(client, order_id, key="r-1", **changes):
    body = {"price": "49600", "reason": "the market moved", **changes}
    body = {name: value for name, value in body.items() if value is not None}
    url = f"/trading/order/{order_id}/replace"
    return client.post(url, body, format="json", headers={"Idempotency-Key": key})


def resolve(world, rounds=4):
    for _ in range(rounds):
        world.clock.advance(20)
        resolve_amends(account_id=world.account.pk, broker=world.broker, clock=world.clock)
        resolve_unknown(account_id=world.account.pk, broker=world.broker, clock=world.clock)


def halves(old, new):
    cancel = SubmitAttempt.objects.get(order_id=old, kind="CANCEL")
    return cancel.outcome, SubmitAttempt.objects.get(order_id=new, kind="SUBMIT").outcome


class TestAmending:
    def test_it_makes_the_order_and_its_reservation_smaller(self, client, world):
        order_id = rest(client)

        reply = amend(client, order_id)

        assert (reply.status_code, reply.json()["quantity"]) == (200, "0.004"), reply.json()
        order = Order.objects.get(pk=order_id)
        assert (order.state, order.reserved_quantity) == ("NEW", D("200.2"))
        assert SubmitAttempt.objects.get(kind="AMEND").outcome == "ACCEPTED"
        record = AuditRecord.objects.get(action="order.amend")
        assert (record.before["quantity"], record.reason) == ("0.01", "too much")
        assert [o.quantity for o in world.broker._open()] == [D("0.004")]

    @pytest.mark.parametrize(
        ("quantity", "word"),
        [
            ("0.01", "below"),
            ("0.02", "below"),
            ("0.0000001", "above"),
            ("0.0040001", "multiple"),
            ("0.00005", "at least"),
        ],
    )
    def test_it_names_what_the_order_cannot_shrink_to(self, client, world, quantity, word):
        order_id = rest(client)
        before = len(world.broker.requests)

        reply = amend(client, order_id, quantity)

        assert (reply.status_code, reply.json()["context"]["field"]) == (400, "quantity")
        assert word in reply.json()["message"]
        assert len(world.broker.requests) == before

    def test_it_needs_a_reason(self, client):
        assert amend(client, rest(client), reason=" ").status_code == 400

    def test_a_refusal_leaves_everything_as_it_was(self, client, world):
        order_id = rest(client)
        world.broker.faults.append(Fault("amend", "refuse", code=-2038, message="no"))

        assert amend(client, order_id).status_code == 422
        assert Order.objects.get(pk=order_id).quantity == D("0.01")
        assert SubmitAttempt.objects.get(kind="AMEND").outcome == "REJECTED"

    @pytest.mark.parametrize(
        ("kind", "quantity", "outcome"),
        [("lose_reply", "0.004", "ACCEPTED"), ("drop", "0.01", "NOT_ACCEPTED")],
    )
    def test_a_lost_reply_is_settled_by_what_the_exchange_shows(
        self, client, world, kind, quantity, outcome
    ):
        order_id = rest(client)
        world.broker.faults.append(Fault("amend", kind))

        assert amend(client, order_id).json()["quantity"] == "0.01"
        assert amend(client, order_id, "0.003").status_code == 409
        resolve(world)

        assert Order.objects.get(pk=order_id).quantity == D(quantity)
        assert SubmitAttempt.objects.get(kind="AMEND").outcome == outcome
        assert sum(item.call == "amend" for item in world.broker.requests) == 1

    def test_older_news_does_not_make_it_large_again(self, client, world):
        order_id = rest(client)
        (before,) = world.broker._open()
        amend(client, order_id)

        record_live(
            account_id=world.account.pk, reports=[before], broker=world.broker, clock=world.clock
        )

        assert Order.objects.get(pk=order_id).quantity == D("0.004")

    def test_it_leaves_protection_and_pairs_alone(self, client, world):
        place_orders(
            decision_ids=[world.decide("BTCUSDT").pk], broker=world.broker, clock=world.clock
        )

        reply = amend(client, Order.objects.get(leg="PROTECT").pk, "0.001")

        assert reply.status_code == 409
        assert "pair" in reply.json()["message"]


class TestReplacing:
    def test_it_puts_one_in_the_other_s_place(self, client, world):
        old = rest(client)

        reply = replace(client, old)

        assert reply.status_code == 201, reply.json()
        new = reply.json()
        assert (new["state"], new["price"], new["supersedes"]) == ("NEW", "49600", old)
        assert Order.objects.get(pk=old).state == "CANCELED"
        assert halves(old, new["id"]) == ("ACCEPTED", "ACCEPTED")
        assert replace(client, old).json()["id"] == new["id"]
        assert replace(client, old, price="49700").status_code == 409
        record = AuditRecord.objects.get(action="order.replace")
        assert record.reason == "the market moved"
        assert [o.price for o in world.broker._open()] == [D("49600")]

    def test_the_gate_judges_the_new_one_and_the_old_one_stays(self, client, world):
        old = rest(client)

        reply = replace(client, old, price="60000")

        assert (reply.status_code, reply.json()["code"]) == (422, "PRICE_COLLAR")
        assert Order.objects.get(pk=old).state == "NEW"
        assert replace(client, old, key="r-2").status_code == 201

    def test_what_the_old_one_would_have_cost_is_free_for_the_new_one(self, client):
        RiskLimits.objects.update(max_position_size=D("500"))
        old = rest(client)

        assert replace(client, old, price="49900").status_code == 201

    def test_what_may_fill_further_counts_beside_the_new_one(self, client, world):
        RiskLimits.objects.update(max_position_size=D("500"))
        old = rest(client)
        (order,) = world.broker._open()
        report = world.broker.fill(order.venue_order_id, D("0.002"), order.price)
        record_live(
            account_id=world.account.pk, reports=[report], broker=world.broker, clock=world.clock
        )

        reply = replace(client, old)

        assert (reply.status_code, reply.json()["code"]) == (422, "POSITION_NOTIONAL")

    def test_a_fill_in_between_wins_and_nothing_is_placed(self, client, world):
        old = rest(client)
        (order,) = world.broker._open()
        world.broker.fill(order.venue_order_id, D("0.002"), order.price)

        reply = replace(client, old)

        assert reply.json()["state"] == "REJECTED"
        assert halves(old, reply.json()["id"]) == ("REJECTED", "REJECTED")
        assert Order.objects.get(pk=old).state == "PARTIALLY_FILLED"
        assert Position.objects.get().quantity == D("0.001998")

    def test_the_new_one_refused_leaves_the_old_one_cancelled_and_both_known(self, client, world):
        old = rest(client)
        world.broker.held["USDT"] = D("400")
        world.unsound = "the account lost money on purpose"

        reply = replace(client, old)

        assert (reply.json()["state"], reply.json()["reason"]) == ("REJECTED", "VENUE_2010")
        assert halves(old, reply.json()["id"]) == ("ACCEPTED", "REJECTED")
        assert Order.objects.get(pk=old).state == "CANCELED"

    @pytest.mark.parametrize(
        ("kind", "states", "outcomes"),
        [
            ("lose_reply", ("CANCELED", "NEW"), ("ACCEPTED", "ACCEPTED")),
            ("drop", ("NEW", "NOT_ACCEPTED"), ("NOT_ACCEPTED", "NOT_ACCEPTED")),
        ],
    )
    def test_a_lost_reply_is_settled_by_evidence_for_both_halves(
        self, client, world, kind, states, outcomes
    ):
        old = rest(client)
        world.broker.faults.append(Fault("replace", kind))

        new = replace(client, old).json()

        assert new["state"] == "UNKNOWN"
        # Gone already, or the symbol has an order in doubt: no second one in any case.
        assert replace(client, old, key="r-2").status_code in (409, 422)
        resolve(world)
        rows = [Order.objects.get(pk=key).state for key in (old, new["id"])]
        assert (*rows,) == states
        assert halves(old, new["id"]) == outcomes
        assert sum(item.call == "replace" for item in world.broker.requests) == 1
        assert len(world.broker._open()) == 1

    def test_a_sender_that_died_is_settled_too(self, client, world):
        old = Order.objects.get(pk=rest(client))
        world.broker.faults.append(Fault("replace", "drop"))
        new = replace(client, old.pk).json()["id"]
        SubmitAttempt.objects.update(outcome="SENDING")
        Order.objects.filter(pk=new).update(state="SENDING")

        guardian = Guardian(
            account_id=world.account.pk,
            broker=world.broker,
            clock=world.clock,
            pause=lambda _seconds: None,
        )
        for _ in range(6):
            world.clock.advance(20)
            guardian.run_round()

        assert Order.objects.get(pk=new).state == "NOT_ACCEPTED"
        assert (Order.objects.get(pk=old.pk).state, len(world.broker._open())) == ("NEW", 1)

    def test_a_kill_between_approval_and_claim_stops_it(self, client, world, monkeypatch):
        old = rest(client)

        approved = replacing.insert_judged

        def then_kill(**options):
            orders = approved(**options)
            raise_level(level=Level.REDUCE_ONLY, reason="x", actor="tester", now=world.clock.now())
            return orders

        monkeypatch.setattr(replacing, "insert_judged", then_kill)
        reply = replace(client, old)

        assert (reply.json()["state"], reply.json()["reason"]) == ("LAPSED", "STATE_LEVEL")
        assert Order.objects.get(pk=old).state == "NEW"
        assert not any(item.call == "replace" for item in world.broker.requests)

    def test_an_order_that_ended_meanwhile_is_not_replaced(self, client, world):
        old = rest(client)
        (order,) = world.broker._open()
        reports = [world.broker._end(order, VenueStatus.CANCELED)]
        record_live(
            account_id=world.account.pk, reports=reports, broker=world.broker, clock=world.clock
        )

        assert replace(client, old).status_code == 409

    def test_a_stop_by_hand_moves_without_a_moment_of_nakedness(self, client, world):
        place_orders(
            decision_ids=[world.decide("BTCUSDT").pk], broker=world.broker, clock=world.clock
        )
        body = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_LOSS", "quantity": "0.01998"}
        stop = client.post("/trading/order", {**body, "stop_price": "49000"}, format="json").json()
        before = len(world.broker.requests)

        reply = replace(client, stop["id"], price=None, stop_price="49500")

        assert (reply.status_code, reply.json()["state"]) == (201, "NEW"), reply.json()
        assert [item.call for item in world.broker.requests[before:]] == ["replace"]
        assert [o.stop_price for o in world.broker._open()] == [D("49500")]

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"price": "49500"}, "price"),
            ({"stop_price": "48000"}, "stop_price"),
            ({"trailing_delta_bps": 100}, "trailing_delta_bps"),
        ],
        ids=str,
    )
    def test_it_names_what_cannot_be_changed(self, client, changes, field):
        reply = replace(client, rest(client), **changes)

        assert (reply.status_code, reply.json()["context"]["field"]) == (400, field)

"""A lost reply is not a failure: what happened is found out, and nothing is sent again."""

from datetime import timedelta
from decimal import Decimal

import pytest

from alerts.models import Alert
from execution.domain.order import Side
from execution.models import Fill, Order, Position, SubmitAttempt
from execution.services.claims import claim_orders
from execution.services.completing import record_live
from execution.services.intents import approve_decisions
from execution.services.orders import place_orders
from execution.services.protection import protect_positions
from execution.services.resolution import resolve_unknown
from risk.domain.trading_state import Level
from risk.services.trading_state import read_state
from tests.fakes.broker import Fault

pytestmark = pytest.mark.faults
D = Decimal


def place(world, decision):
    return place_orders(decision_ids=[decision.pk], broker=world.broker, clock=world.clock)


def resolve(world):
    return resolve_unknown(account_id=world.account.pk, broker=world.broker, clock=world.clock)


def sent(world):
    return [
        request.client_order_id for request in world.broker.requests if "submit" in request.call
    ]


def test_it_adopts_an_order_whose_reply_was_lost(world):
    world.broker.faults.append(Fault("submit", "lose_reply"))
    place(world, world.decide("BTCUSDT"))
    assert Order.objects.get().state == "UNKNOWN"
    assert Order.objects.get().reserved_quantity > 0

    result = resolve(world)

    assert result.adopted == 1
    entry = Order.objects.get(leg="ENTRY")
    assert (entry.state, entry.filled_quantity, entry.reserved_quantity) == ("FILLED", D("0.02"), 0)
    assert Fill.objects.count() == 1
    assert SubmitAttempt.objects.get(order=entry).outcome == "ACCEPTED"
    # the protective pair was inserted with the fill and goes out with the next round
    protect_positions(account_id=world.account.pk, broker=world.broker, clock=world.clock)
    assert Order.objects.get(leg="PROTECT").state == "NEW"
    assert len(set(sent(world))) == len(sent(world))
    assert world.reconcile().is_green


def test_it_proves_that_a_dropped_order_does_not_exist(world):
    world.broker.faults.append(Fault("submit", "drop"))
    place(world, world.decide("BTCUSDT"))

    assert resolve(world).waiting == 1  # before the fence absence proves nothing
    assert Order.objects.get().state == "UNKNOWN"
    world.clock.advance(18)
    assert resolve(world).waiting == 1  # the first clean look
    world.clock.advance(3)
    assert resolve(world).absent == 1

    order = Order.objects.get()
    assert (order.state, order.reserved_quantity) == ("NOT_ACCEPTED", 0)
    attempt = SubmitAttempt.objects.get()
    assert attempt.outcome == "NOT_ACCEPTED"
    assert len(attempt.evidence["clean_rounds_ms"]) == 2
    assert len(sent(world)) == 1


def test_it_does_not_believe_an_early_not_found(world):
    world.broker.faults += [Fault("submit", "lose_reply"), Fault("query", "hide", times=2)]
    place(world, world.decide("BTCUSDT"))

    assert resolve(world).waiting == 1
    world.clock.advance(1)
    assert resolve(world).waiting == 1
    world.clock.advance(1)
    assert resolve(world).adopted == 1
    assert Position.objects.get().quantity == D("0.01998")


def test_it_finds_an_order_that_the_query_has_pruned(world):
    world.broker.faults += [Fault("submit", "lose_reply"), Fault("query", "hide", times=99)]
    place(world, world.decide("BTCUSDT"))
    world.clock.advance(18)

    assert resolve(world).adopted == 1
    assert Fill.objects.count() == 1


@pytest.mark.parametrize("call", ["query", "open_orders", "all_orders", "trades"])
def test_it_takes_no_error_for_evidence(world, call):
    world.broker.faults += [Fault("submit", "drop")]
    place(world, world.decide("BTCUSDT"))
    world.clock.advance(20)
    world.broker.faults.append(Fault(call, "error", times=3))

    for _ in range(3):
        assert resolve(world).absent == 0
        world.clock.advance(5)

    assert Order.objects.get().state == "UNKNOWN"


def test_it_does_not_prove_absence_beside_an_unexplained_trade(world):
    world.broker.faults += [Fault("submit", "drop")]
    place(world, world.decide("BTCUSDT"))
    world.clock.advance(18)
    world.broker.place_foreign("BTCUSDT", Side.BUY, D("0.1"))

    for _ in range(3):
        assert resolve(world).absent == 0
        world.clock.advance(9)

    assert world.reconcile().is_green  # adopts the stranger's order
    resolve(world)
    world.clock.advance(9)
    assert resolve(world).absent == 1


def test_it_quarantines_without_proof_and_pages(world):
    world.broker.faults += [
        Fault("submit", "drop"),
        Fault("all_orders", "error", times=999),
    ]
    place(world, world.decide("BTCUSDT"))
    world.clock.advance(121)

    result = resolve(world)

    assert result.quarantined == 1
    order = Order.objects.get()
    assert order.state == "QUARANTINED"
    assert order.reserved_quantity > 0
    assert read_state(scopes=["symbol:BTCUSDT"]).level is Level.REDUCE_ONLY
    assert read_state().level is Level.ACTIVE  # the other symbols go on
    assert Alert.objects.filter(code="ORDER_QUARANTINED").count() == 1


def test_it_treats_a_claim_without_a_sender_as_unknown(world):
    ids = approve_decisions(decision_ids=[world.decide("BTCUSDT").pk], clock=world.clock)
    claim_orders(order_ids=ids, clock=world.clock)  # and the process dies here

    assert resolve(world).waiting == 0
    assert Order.objects.get().state == "SENDING"
    world.clock.advance(20)
    resolve(world)
    world.clock.advance(3)
    assert resolve(world).absent == 1
    assert not world.broker.requests


def test_it_stops_a_sender_that_woke_up_after_the_proof(world):
    from execution.services.sending import send_claims

    ids = approve_decisions(decision_ids=[world.decide("BTCUSDT").pk], clock=world.clock)
    claims = claim_orders(order_ids=ids, clock=world.clock)
    world.clock.advance(20)
    resolve(world)
    world.clock.advance(3)
    resolve(world)
    assert Order.objects.get().state == "NOT_ACCEPTED"

    send_claims(claims=claims, broker=world.broker, clock=world.clock)

    assert not world.broker.requests
    assert Order.objects.get().state == "NOT_ACCEPTED"


def test_it_renews_an_aged_claim_that_is_still_its_own(world):
    from execution.services.sending import send_claims

    ids = approve_decisions(decision_ids=[world.decide("BTCUSDT").pk], clock=world.clock)
    claims = claim_orders(order_ids=ids, clock=world.clock)
    first = claims[0].attempt.signed_at
    world.clock.advance(10)

    send_claims(claims=claims, broker=world.broker, clock=world.clock)

    attempt = SubmitAttempt.objects.get(order_id=ids[0])
    assert attempt.signed_at >= first + timedelta(seconds=10)
    assert Order.objects.get(leg="ENTRY").state == "FILLED"


def test_it_lets_no_second_entry_into_a_symbol_in_doubt(world):
    world.broker.faults.append(Fault("submit", "drop"))
    place(world, world.decide("BTCUSDT"))
    world.clock.advance(6)

    place(world, world.decide("BTCUSDT"))

    assert len(sent(world)) == 1
    assert Order.objects.order_by("-pk")[0].state == "DENIED"


@pytest.mark.parametrize(
    ("code", "http_status", "level"),
    [(-2015, 401, Level.HALT), (-2010, 400, Level.ACTIVE)],
)
def test_it_reacts_to_a_refusal(world, code, http_status, level):
    world.broker.faults.append(Fault("submit", "refuse", code=code, http_status=http_status))

    place(world, world.decide("BTCUSDT"))

    order = Order.objects.get()
    assert (order.state, order.reserved_quantity) == ("REJECTED", 0)
    assert read_state().level is level


def test_it_withdraws_the_rest_of_a_batch_when_the_exchange_asks_for_quiet(world):
    world.broker.faults.append(Fault("submit", "refuse", code=-1003, http_status=429))
    decisions = [world.decide(symbol) for symbol in world.broker.prices]

    place_orders(decision_ids=[row.pk for row in decisions], broker=world.broker, clock=world.clock)

    assert len(sent(world)) == 1
    states = sorted(Order.objects.values_list("state", flat=True))
    assert states == ["LAPSED", "LAPSED", "LAPSED", "REJECTED"]


def test_it_stops_a_storm_of_refusals(wide_world):
    world = wide_world(6)
    world.broker.faults.append(Fault("submit", "refuse", times=9))

    for index in range(6):
        place(world, world.decide(f"C{index}USDT"))

    assert len(sent(world)) == 5
    assert read_state().level is Level.REDUCE_ONLY


def test_an_order_that_was_held_for_dead_is_booked_and_closes_its_symbol(world):
    world.unsound = "the proof on record was wrong"
    world.broker.faults += [Fault("submit", "lose_reply")]
    place(world, world.decide("BTCUSDT"))
    Order.objects.update(state="NOT_ACCEPTED", reserved_quantity=0)
    SubmitAttempt.objects.update(outcome="NOT_ACCEPTED")

    assert world.reconcile().is_green  # it finds the trades

    order = Order.objects.get(leg="ENTRY")
    assert (order.state, Fill.objects.count()) == ("FILLED", 1)
    assert Position.objects.get().status == "open"
    assert Alert.objects.filter(code="DEAD_ORDER_ALIVE", severity="CRITICAL").exists()
    assert read_state(scopes=["symbol:BTCUSDT"]).level is Level.REDUCE_ONLY
    assert read_state().level is Level.ACTIVE


def test_an_overfill_is_booked_whole_and_closes_its_symbol(world):
    world.unsound = "the exchange filled more than was ordered"
    place(world, world.decide("BTCUSDT"))
    entry = Order.objects.get(leg="ENTRY")

    report = world.broker.fill(entry.venue_order_id, D("0.001"))
    record_live(
        account_id=world.account.pk, reports=[report], broker=world.broker, clock=world.clock
    )

    entry.refresh_from_db()
    assert entry.filled_quantity == D("0.021")
    assert Fill.objects.filter(order=entry).count() == 2
    assert Alert.objects.filter(code="OVERFILL").exists()
    assert read_state(scopes=["symbol:BTCUSDT"]).level is Level.REDUCE_ONLY


def test_the_proof_of_absence_says_what_each_source_showed(world):
    world.broker.faults.append(Fault("submit", "drop"))
    place(world, world.decide("BTCUSDT"))
    for seconds in (18, 3):
        world.clock.advance(seconds)
        resolve(world)

    proof = SubmitAttempt.objects.get().evidence
    nothing = {"query": 0, "open_orders": 0, "all_orders": 0, "trades": 0}
    assert proof["rounds"] == [nothing, nothing]
    assert proof["fence_ms"] < proof["clean_rounds_ms"][0] < proof["clean_rounds_ms"][1]

"""From a decision to a protected position."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from execution.domain.decision import Action
from execution.models import Balance, Fill, LedgerEntry, Order, Position, SubmitAttempt
from execution.services.orders import place_orders

D = Decimal


def place(world, *decisions):
    return place_orders(
        decision_ids=[row.pk for row in decisions], broker=world.broker, clock=world.clock
    )


def test_it_buys_books_and_protects(world):
    decision = world.decide("BTCUSDT")

    place(world, decision)

    entry = Order.objects.get(leg="ENTRY")
    assert (entry.state, entry.filled_quantity) == ("FILLED", D("0.02"))
    assert entry.reserved_quantity == 0
    position = Position.objects.get()
    assert (position.quantity, position.cost_quote) == (D("0.01998"), D("1000"))
    assert position.status == "open"
    assert position.strategy_id == world.strategy.pk
    pair = Order.objects.get(leg="PROTECT")
    assert (pair.state, pair.quantity) == ("NEW", D("0.01998"))
    assert [leg.state for leg in pair.legs.order_by("pk")] == ["NEW", "NEW"]
    assert (position.stop_price, position.take_profit_price) == (D("49000"), D("52500"))
    assert len(world.broker.open_orders()) == 2


def test_it_writes_ahead_what_it_sends(world):
    seen = []
    world.broker.before_submit = lambda: seen.append(
        list(SubmitAttempt.objects.values_list("outcome", "order__state"))
    )

    place(world, world.decide("BTCUSDT"))

    assert seen == [[("SENDING", "SENDING")]]
    assert set(SubmitAttempt.objects.values_list("outcome", flat=True)) == {"ACCEPTED"}


def test_it_keeps_the_ledger_to_the_last_unit(world):
    place(world, world.decide("BTCUSDT"), world.decide("ETHUSDT", notional="777.77"))

    for balance in world.broker.balances():
        assert Balance.objects.get(asset=balance.asset).total == balance.total
        entries = LedgerEntry.objects.filter(asset=balance.asset).values_list("change", flat=True)
        assert sum(entries) == balance.total


def test_it_changes_nothing_when_delivered_again(world):
    decision = world.decide("BTCUSDT")
    place(world, decision)
    before = (Order.objects.count(), Fill.objects.count(), len(world.broker.requests))

    again = place(world, decision)

    assert again == []
    assert (Order.objects.count(), Fill.objects.count(), len(world.broker.requests)) == before


def test_it_closes_a_position_after_taking_its_protection_away(world):
    place(world, world.decide("BTCUSDT"))
    world.move_price("BTCUSDT", "51000")

    place(world, world.decide("BTCUSDT", Action.EXIT))

    position = Position.objects.get()
    assert position.status == "closed"
    # 0.01998 sold at 51000 less 0.1 % fee, bought with 1000
    assert position.realized_pnl == D("0.01998") * 51000 * D("0.999") - 1000
    assert Order.objects.get(leg="PROTECT").state == "CANCELED"
    assert world.broker.open_orders() == ()
    assert world.reconcile().is_green


def test_it_lets_a_stop_that_was_faster_win_over_an_exit(world):
    place(world, world.decide("BTCUSDT"))
    world.broker.trigger("STOP_LOSS", "BTCUSDT")

    place(world, world.decide("BTCUSDT", Action.EXIT))

    assert Position.objects.get().status == "closed"
    assert Order.objects.get(leg="EXIT").reason == "NOTHING_TO_CLOSE"
    assert [order.side for order in Fill.objects.order_by("pk")] == ["BUY", "SELL"]


def test_it_carries_dust_into_the_next_round_trip(world):
    place(world, world.decide("ADAUSDT", notional="100"))
    place(world, world.decide("ADAUSDT", Action.EXIT))
    first = Position.objects.get()
    assert (first.status, first.dust_quantity, first.has_dust) == ("closed", D("0"), False)

    world.clock.advance(10)
    place(world, world.decide("ADAUSDT", notional="77"))
    place(world, world.decide("ADAUSDT", Action.EXIT))
    second = Position.objects.order_by("-pk")[0]
    # 154 bought, 0.154 taken as fee: 153.8 can be sold
    assert (second.dust_quantity, second.has_dust) == (D("0.046"), True)

    world.clock.advance(10)
    place(world, world.decide("ADAUSDT", notional="77"))
    third = Position.objects.order_by("-pk")[0]
    assert third.carried_quantity == D("0.046")
    assert third.quantity == D("153.892")
    assert world.reconcile().is_green


def test_it_denies_with_the_gate_s_reason_and_sends_nothing(world):
    decision = world.decide("BTCUSDT", notional="1000000")

    place(world, decision)

    order = Order.objects.get()
    assert order.state == "DENIED"
    assert order.reason
    assert not world.broker.requests


def test_it_counts_the_orders_of_one_batch_together(world):
    world.broker.held["USDT"] = D("100000")
    decisions = [world.decide(symbol, notional="19000") for symbol in world.broker.prices]

    place(world, *decisions)

    states = list(Order.objects.filter(leg="ENTRY").values_list("state", flat=True))
    assert states.count("FILLED") == 4
    bought = sum(fill.quote_quantity for fill in Fill.objects.all())
    assert bought <= D("76000")


@pytest.mark.parametrize("slices", [2, 5])
def test_it_books_every_part_of_a_fill(world, slices):
    world.broker.slices = slices

    place(world, world.decide("BTCUSDT"))

    assert Fill.objects.count() == slices
    assert Position.objects.get().entry_quantity == D("0.02")
    assert world.reconcile().is_green


def test_it_needs_the_same_queries_for_any_number_of_decisions(wide_world):
    from execution.services.claims import claim_orders
    from execution.services.intents import approve_decisions

    world = wide_world(12)
    counts = []
    # The first has no live orders to look at and reads less.
    for symbols in (["C0USDT"], ["C1USDT"], [f"C{index}USDT" for index in range(2, 12)]):
        ids = [world.decide(symbol, notional="500").pk for symbol in symbols]
        with CaptureQueriesContext(
            connection,
        ) as captured:
            orders = approve_decisions(decision_ids=ids, clock=world.clock)
            claims = claim_orders(order_ids=orders, clock=world.clock)
        assert len(claims) == len(symbols)
        counts.append(len(captured))

    assert counts[1] == counts[2]


def fail_before_the_claim_is_committed(name):
    if name == "claim.before_commit":
        raise ConnectionError


def test_an_entry_is_approved_and_claimed_or_neither(committed_world, monkeypatch):
    world, decision = committed_world, committed_world.decide("BTCUSDT")
    monkeypatch.setattr("execution.services.claims.crashpoint", fail_before_the_claim_is_committed)
    with pytest.raises(ConnectionError):
        place(world, decision)
    assert not Order.objects.exists()
    assert not SubmitAttempt.objects.exists()

    monkeypatch.undo()
    place(world, decision)

    assert Order.objects.get(leg="ENTRY").state == "FILLED"


def test_a_sale_is_approved_before_its_protection_goes(committed_world, monkeypatch):
    world = committed_world
    place(world, world.decide("BTCUSDT"))
    decisions = [world.decide("BTCUSDT", Action.EXIT), world.decide("ETHUSDT")]
    monkeypatch.setattr("execution.services.claims.crashpoint", fail_before_the_claim_is_committed)
    with pytest.raises(ConnectionError):
        place(world, *decisions)
    assert Order.objects.get(leg="EXIT").state == "APPROVED"
    assert Order.objects.get(leg="ENTRY", decision=decisions[1]).state == "APPROVED"

    monkeypatch.undo()
    place(world, *decisions)

    assert Order.objects.get(leg="EXIT").state == "FILLED"
    assert Order.objects.get(leg="ENTRY", decision=decisions[1]).state == "FILLED"
    assert [row.symbol for row in Position.objects.filter(status="open")] == ["ETHUSDT"]


def test_an_entry_reaches_the_wire_in_a_few_statements(committed_world):
    world, counts = committed_world, []
    place(world, world.decide("ETHUSDT"))
    decision = world.decide("BTCUSDT")
    for symbol in ("BTCUSDT", "ETHUSDT"):
        world.move_price(symbol, str(world.broker.prices[symbol]))

    with CaptureQueriesContext(connection) as captured:

        def count():
            statements = [row["sql"].split(" ", 1)[0] for row in captured.captured_queries]
            counts.append(sum(word in ("SELECT", "INSERT", "UPDATE") for word in statements))

        world.broker.before_submit = count
        place(world, decision)

    assert len(counts) == 1
    assert counts[0] <= 16

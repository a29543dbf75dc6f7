"""Every invariant holds after honest work, and each is seen when it is broken."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command

from alerts.models import Alert
from execution.domain.invariants import Invariant
from execution.domain.order import Side
from execution.domain.truth import SeenRequest
from execution.models import (
    Account,
    Balance,
    Decision,
    Fill,
    LedgerEntry,
    Order,
    Position,
    SubmitAttempt,
)
from execution.services.orders import place_orders
from risk.domain.trading_state import Level
from risk.models import RiskLimits, TradingStateChange
from risk.services.trading_state import raise_level, read_state
from tests.append_only import unlocked
from tests.fakes.clock import START

D = Decimal


@pytest.fixture
def traded(world):
    """One round trip, one open position, one refused order."""
    world.unsound = "something is planted"
    for symbol in ("BTCUSDT", "ETHUSDT"):
        place_orders(decision_ids=[world.decide(symbol).pk], broker=world.broker, clock=world.clock)
    world.broker.trigger("LIMIT_MAKER", "BTCUSDT")
    world.reconcile()
    world.clock.advance(60)
    assert world.check().findings == ()
    return world


def found(world):
    return {invariant for invariant, _ in world.check().findings}


def test_it_compares_something_for_every_invariant_but_those_it_says_it_cannot(traded):
    answers = traded.check(secrets=["a secret text"]).answers

    empty = {key for key, answer in answers.items() if not answer.compared}
    assert empty == {Invariant.I16}
    assert answers[Invariant.I16].not_checked


def test_it_sees_a_second_order_for_one_leg(traded):
    entry = Order.objects.get(leg="ENTRY", instrument__symbol="ETHUSDT")
    order = traded.broker.place_foreign("ETHUSDT", Side.BUY, D("0.1"))
    twin = replace(order, client_order_id=entry.client_order_id)
    traded.broker.orders[order.venue_order_id] = twin

    assert Invariant.I1 in found(traded)


def test_it_sees_an_order_that_only_the_exchange_has(traded):
    traded.broker.place_foreign("ETHUSDT", Side.BUY, D("0.1"))

    assert {Invariant.I2, Invariant.I3, Invariant.I4} <= found(traded)


def plant(model, **changes):
    """Return a change behind the services' back, past the triggers of append-only tables."""

    def act():
        with unlocked():
            model.objects.filter(pk=model.objects.order_by("pk").first().pk).update(**changes)

    return act


def plant_entry(**changes):
    def act():
        Order.objects.filter(leg="ENTRY").update(**changes)

    return act


def remove_stop():
    Order.objects.filter(leg__in=["PROTECT", "STOP_LOSS", "TAKE_PROFIT"], state="NEW").update(
        state="CANCELED"
    )


def forget_a_fill():
    with unlocked():
        fill = Fill.objects.order_by("pk").first()
        LedgerEntry.objects.filter(fill=fill).delete()
        Fill.objects.filter(pk=fill.pk).delete()


def skip_an_epoch():
    raise_level(level=Level.REDUCE_ONLY, reason="test", actor="tester", now=START)
    with unlocked():
        TradingStateChange.objects.filter(epoch=read_state().epoch).update(epoch=99)


def allow_one_position():
    RiskLimits.history.update(max_positions=1)
    RiskLimits.objects.update(max_positions=1)


BROKEN = {
    "an order is gone from the exchange": (Invariant.I2, plant_entry(venue_order_id=77777)),
    "a state differs": (Invariant.I2, plant_entry(state="CANCELED")),
    "a fill is missing": (Invariant.I3, forget_a_fill),
    "a fill was altered": (Invariant.I3, plant(Fill, fee=D("1"))),
    "a balance was altered": (Invariant.I4, plant(Balance, total=D("1"))),
    "a ledger entry was altered": (Invariant.I4, plant(LedgerEntry, change=D("1"))),
    "a position was altered": (Invariant.I5, plant(Position, realized_pnl=D("1"))),
    "an order says more than its fills": (Invariant.I6, plant_entry(filled_quantity=D("9"))),
    "a fill's profit was altered": (Invariant.I7, plant(Fill, realized_pnl=D("5"))),
    "a final order reserves": (Invariant.I8, plant_entry(reserved_quantity=D("1"))),
    "an entry was claimed in a later epoch": (Invariant.I9, plant_entry(approved_epoch=0)),
    "a request was altered": (Invariant.I10, plant(SubmitAttempt, request_sha256="0" * 64)),
    "an order was written ahead too late": (
        Invariant.I10,
        plant_entry(expires_at="2020-01-01T00:00:00Z"),
    ),
    "more positions than allowed": (
        Invariant.I11,
        allow_one_position,
    ),
    "a stop is missing": (Invariant.I12, remove_stop),
    "the chain has a hole": (Invariant.I13, skip_an_epoch),
    "a decision came before its close": (
        Invariant.I14,
        lambda: Decision.objects.update(close_time="2030-01-01T00:00:00Z"),
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_it_sees_what_was_broken(traded, case):
    invariant, act = BROKEN[case]

    act()

    assert invariant in found(traded)


def test_it_sees_an_entry_taken_after_a_kill(traded):
    raise_level(level=Level.HALT, reason="test", actor="tester", now=traded.clock.now())
    with unlocked():
        TradingStateChange.objects.filter(to_level="HALT").update(
            timestamp=traded.clock.now() - timedelta(hours=1)
        )
    entry = Order.objects.filter(leg="ENTRY").first()
    # Claimed before, signed anew and sent after it.
    traded.clock.advance(60)
    entry.attempts.update(signed_at=traded.clock.now())
    taken = {(entry.instrument.symbol, entry.venue_order_id): traded.clock.now()}
    truth = replace(traded.read_truth(), created_at=taken)

    report = traded.check(read_truth=lambda: truth)

    assert Invariant.I9 in {invariant for invariant, _ in report.findings}


def test_an_entry_before_a_kill_is_sound_though_the_time_was_set_back_since(traded):
    set_back = traded.clock.now() - timedelta(minutes=2)
    raise_level(level=Level.HALT, reason="test", actor="tester", now=set_back)
    entry = Order.objects.filter(leg="ENTRY").first()
    taken_at = entry.attempts.get().signed_at
    assert set_back < taken_at - timedelta(seconds=30)
    taken = {(entry.instrument.symbol, entry.venue_order_id): taken_at}
    truth = replace(traded.read_truth(), created_at=taken)

    report = traded.check(read_truth=lambda: truth)

    assert Invariant.I9 not in {invariant for invariant, _ in report.findings}


def test_it_sees_a_request_that_was_sent_twice(traded):
    entry = Order.objects.filter(leg="ENTRY").first()

    post = SeenRequest(
        method="POST",
        path="/api/v3/order",
        client_order_id=entry.client_order_id,
        at=traded.clock.now(),
    )
    truth = replace(traded.read_truth(), requests=(post, post))

    report = traded.check(read_truth=lambda: truth)

    assert [(f.subject, f.problem) for i, f in report.findings if i is Invariant.I10] == [
        (entry.client_order_id, "was sent 2 times")
    ]


def test_it_sees_a_secret_in_an_alert(traded):
    Alert.objects.create(
        code="X",
        severity="INFO",
        message="the key is hunter2-hunter2",
        dedupe_key="x",
        window=0,
        timestamp=traded.clock.now(),
        last_at=traded.clock.now(),
    )

    report = traded.check(secrets=["hunter2-hunter2"])

    assert [i for i, _ in report.findings] == [Invariant.I15]


def test_it_takes_no_passing_difference_for_a_finding(traded):
    looks = []

    def heal(_seconds):
        looks.append(1)
        Balance.objects.filter(asset="USDT").update(total=kept)

    kept = Balance.objects.get(asset="USDT").total
    Balance.objects.filter(asset="USDT").update(total=D("1"))

    report = traded.check(looks=3, pause=heal)

    assert report.is_sound
    assert looks == [1]


def test_the_command_shows_a_table_and_fails_on_a_finding(traded, settings, capsys):
    settings.ACCOUNT_NAME = Account.objects.get().name

    call_command("check_world", "--offline", "--looks", "1")
    assert "SOUND" in capsys.readouterr().out

    Balance.objects.filter(asset="USDT").update(total=D("1"))
    with pytest.raises(SystemExit):
        call_command("check_world", "--offline", "--looks", "1")
    told = capsys.readouterr().out
    assert "! balance:USDT: stored 1, its ledger entries make" in told
    assert "1 FINDING" in told


def test_it_asks_a_fixed_number_of_queries(traded, django_assert_max_num_queries):
    with django_assert_max_num_queries(45):
        traded.check()

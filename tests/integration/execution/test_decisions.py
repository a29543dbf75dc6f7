"""Deciding with a real database: once per close, however often it is delivered."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from core.clock import from_ms, to_ms
from execution.models import Account, Decision, Position, Strategy
from execution.services.decisions import decide_close
from markets.domain.timeframe import Timeframe
from markets.models import Instrument
from mlmodels.domain.prediction import PredictionState, PredictionView
from risk.domain.trading_state import Level
from risk.models import RiskLimits
from risk.services.trading_state import raise_level, start_trading
from tests.fakes.walks import Walks

CLOSE = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW = CLOSE + timedelta(seconds=1)
TIMEFRAME = Timeframe("5m")
D = Decimal


def walks(close_time: datetime = CLOSE, *, length: int = 200) -> Walks:
    return Walks(close_time, timeframe=TIMEFRAME, length=length)


@pytest.fixture
def strategy(db: None) -> Strategy:
    start_trading(reason="test", actor="anna", now=NOW)
    account = Account.objects.create(name="test", mode="demo", created_at=NOW)
    return Strategy.objects.create(name="s", account=account, timeframe="5m")


def make_instruments(strategy: Strategy, count: int) -> list[int]:
    ids = []
    for index in range(count):
        instrument = Instrument.objects.create(
            symbol=f"S{Instrument.objects.count()}USDT",
            base_asset=f"S{index}",
            quote_asset="USDT",
            status="TRADING",
            tick_size=D("0.01"),
            step_size=D("0.001"),
            synced_at=NOW,
        )
        ids.append(instrument.pk)
    strategy.instruments.add(*ids)
    return ids


def predict(instrument_id: int, mean: float = 0.012) -> PredictionView:
    return PredictionView(
        instrument_id=instrument_id,
        state=PredictionState.OK,
        horizon_bars=12,
        p_up=0.73,
        expected_return=mean,
        lower=mean - 0.03,
        upper=mean + 0.03,
        sigma=0.018,
    )


def run(predictions, *, windows=None, now: datetime = NOW, close_time: datetime = CLOSE):
    return decide_close(
        timeframe=TIMEFRAME,
        close_time=close_time,
        predictions=predictions,
        windows=windows or walks(),
        now=now,
    )


def hold(by: Strategy, instrument_id: int, **changes) -> Position:
    values = {
        "account": by.account,
        "instrument_id": instrument_id,
        "strategy": by,
        "symbol": "S",
        "quantity": D(1),
        "opened_at": CLOSE - timedelta(minutes=10),
        "updated_at": CLOSE,
    }
    return Position.objects.create(**{**values, **changes})


def test_it_stores_why_and_returns_what_to_place(strategy) -> None:
    good, bad = make_instruments(strategy, 2)

    ids = run([predict(good), predict(bad, mean=0.0001)])

    entered, held = (
        Decision.objects.get(instrument_id=good),
        Decision.objects.get(instrument_id=bad),
    )
    assert ids == [entered.pk]
    assert (entered.action, entered.reason, entered.vetoes) == ("ENTER", "EDGE", [])
    assert entered.target_notional >= strategy.base_position_size
    assert entered.edge_bps == pytest.approx(98)
    assert entered.price > 0
    assert [factor["name"] for factor in entered.factors] == [
        "model",
        "trend",
        "momentum",
        "mean_reversion",
        "volatility",
        "agreement",
    ]
    assert (held.action, held.vetoes[0]) == ("HOLD", "MIN_EDGE")
    assert held.target_notional == 0


def test_it_weighs_factors_as_the_model_did_and_keeps_by_what_it_decided(strategy) -> None:
    fitted, usual = make_instruments(strategy, 2)
    weights = {"trend": 0.4, "momentum": 0.0, "mean_reversion": 0.01, "agreement": 0.2}
    Strategy.objects.update(confidence_mode="edge", confidence_margin=0.4)

    run([replace(predict(fitted), factor_weights=weights), predict(usual)])

    one, other = (Decision.objects.get(instrument_id=key) for key in (fitted, usual))
    assert {f["name"]: f["weight"] for f in one.factors if f["name"] in weights} == weights
    assert (one.inputs["weights"], other.inputs["weights"]) == (weights, None)
    assert [f["weight"] for f in other.factors[1:4]] == [0.1, 0.1, 0.05]
    assert one.reason == other.reason == "BREAK_EVEN"
    assert one.inputs["config"]["confidence_mode"] == "edge"
    needed = 0.5 + 0.0022 / (2 * 0.018) + 0.4
    assert one.factors[0]["detail"]["needed"] == pytest.approx(needed)


def test_a_close_delivered_again_changes_nothing(strategy) -> None:
    [instrument_id] = make_instruments(strategy, 1)
    first = run([predict(instrument_id)])
    stored = Decision.objects.values().get()

    again = run([predict(instrument_id, mean=-0.01)], now=NOW + timedelta(seconds=30))

    assert again == first
    assert Decision.objects.values().get() == stored


@pytest.mark.django_db(transaction=True)
def test_a_close_delivered_in_parallel_is_decided_once(strategy) -> None:
    ids = make_instruments(strategy, 8)
    barrier = threading.Barrier(4)
    results: list[list[int]] = []

    def deliver() -> None:
        try:
            barrier.wait(10)
            results.append(run([predict(instrument_id) for instrument_id in ids]))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=deliver) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(results) == 4
    assert all(result == results[0] for result in results)
    assert len(results[0]) == Decision.objects.count() == 8


def test_its_queries_do_not_depend_on_the_number_of_symbols(strategy) -> None:
    counts = []
    for number in (2, 60):
        ids = make_instruments(strategy, number)
        with CaptureQueriesContext(connection) as queries:
            run([predict(instrument_id) for instrument_id in ids])
        counts.append(len(queries))

    assert counts[0] == counts[1] <= 12


def test_it_publishes_one_message_per_batch(strategy, monkeypatch) -> None:
    calls: list[tuple] = []
    monkeypatch.setattr("execution.services.decisions.push.publish", lambda *m: calls.append(m))
    ids = make_instruments(strategy, 3)

    run([predict(instrument_id) for instrument_id in ids])

    [messages] = calls
    assert [message["type"] for message in messages] == ["decision"] * 3


def test_it_leaves_a_position_of_its_own_and_nobody_elses(strategy) -> None:
    ours, manual, other = make_instruments(strategy, 3)
    hold(strategy, ours)
    hold(strategy, manual, strategy=None)
    somebody = Strategy.objects.create(name="x", account=strategy.account, timeframe="1h")
    hold(strategy, other, strategy=somebody)

    ids = run([predict(item, mean=-0.01) for item in (ours, manual, other)])

    reasons = dict(Decision.objects.values_list("instrument_id", "reason"))
    assert [Decision.objects.get(pk=pk).instrument_id for pk in ids] == [ours]
    assert reasons == {
        ours: "EXIT_REVERSAL",
        manual: "POSITION_NOT_OURS",
        other: "POSITION_NOT_OURS",
    }


def test_one_symbol_is_entered_by_one_strategy_at_a_close(strategy) -> None:
    (key,) = make_instruments(strategy, 1)
    second = Strategy.objects.create(name="t", account=strategy.account, timeframe="5m")
    second.instruments.add(key)

    (placed,) = run([predict(key)])

    first, other = Decision.objects.order_by("strategy_id")
    assert (first.pk, first.action) == (placed, "ENTER")
    assert (other.action, other.reason) == ("HOLD", "ORDER_PENDING")


def test_it_waits_after_a_round_trip(strategy) -> None:
    [instrument_id] = make_instruments(strategy, 1)
    hold(
        strategy,
        instrument_id,
        status="closed",
        closed_at=NOW - timedelta(minutes=4),
        quantity=D(0),
    )

    assert run([predict(instrument_id)]) == []
    assert Decision.objects.get().reason == "COOLDOWN"


@pytest.mark.parametrize(
    ("level", "reason"), [(Level.HALT, "KILL_SWITCH"), (Level.FLATTEN, "KILL_SWITCH")]
)
def test_it_enters_nothing_under_the_kill_switch(strategy, level, reason) -> None:
    [instrument_id] = make_instruments(strategy, 1)
    raise_level(level=level, reason="test", actor="anna", now=NOW)

    assert run([predict(instrument_id)]) == []
    assert Decision.objects.get().reason == reason


def test_it_enters_nothing_without_limits(strategy) -> None:
    [instrument_id] = make_instruments(strategy, 1)
    RiskLimits.objects.all().delete()

    assert run([predict(instrument_id)]) == []
    assert Decision.objects.get().reason == "NO_ROOM"


def test_a_window_behind_the_close_is_stale(strategy) -> None:
    [instrument_id] = make_instruments(strategy, 1)
    behind = walks(CLOSE - TIMEFRAME.delta)

    assert run([predict(instrument_id)], windows=behind) == []
    assert Decision.objects.get().reason == "STALE"


def test_a_symbol_without_candles_is_held(strategy) -> None:
    [instrument_id] = make_instruments(strategy, 1)
    empty = walks(length=0)

    assert (
        run(
            [PredictionView(instrument_id=instrument_id, state=PredictionState.NO_MODEL)],
            windows=empty,
        )
        == []
    )
    assert Decision.objects.get().action == "HOLD"
    assert empty.ensured == 1


@pytest.mark.parametrize("change", [{"is_enabled": False}, {"timeframe": "1h"}])
def test_it_asks_only_enabled_strategies_of_the_timeframe(strategy, change) -> None:
    [instrument_id] = make_instruments(strategy, 1)
    Strategy.objects.filter(pk=strategy.pk).update(**change)

    assert run([predict(instrument_id)]) == []
    assert not Decision.objects.exists()


def test_it_decides_only_what_was_predicted(strategy) -> None:
    first, _second = make_instruments(strategy, 2)

    run([predict(first)])

    assert list(Decision.objects.values_list("instrument_id", flat=True)) == [first]


def test_the_clock_of_the_walks_ends_at_the_close() -> None:
    window = walks().window(
        timeframe=TIMEFRAME, instrument_id=1, length=5, close_time_ms=to_ms(CLOSE)
    )

    assert from_ms(int(window.open_time_ms[-1]) + TIMEFRAME.ms) == CLOSE

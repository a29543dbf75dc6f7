import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.domain.deciding import decide
from execution.domain.decision import (
    Action,
    ConfidenceMode,
    Market,
    PositionView,
    Reason,
    StrategyConfig,
)
from execution.domain.factors import Factor, pool_log_odds
from execution.domain.odds import break_even_confidence, needed_confidence
from mlmodels.domain.prediction import PredictionState, PredictionView
from risk.domain.trading_state import Level, StateView

NOW = datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC)
CLOSE = NOW - timedelta(seconds=1)
HOUR = timedelta(hours=1)
D = Decimal

CONFIG = StrategyConfig(
    bar_s=3600,
    base_position_size=D(1000),
    max_position_size=D(10000),
    min_confidence=0.6,
    min_edge_bps=5.0,
    cost_bps=22.0,
    cooldown_bars=2,
    max_holding_bars=24,
)
CALM = Factor(name="volatility", score=0.0, weight=0.0, detail={"ratio": 1.0})
MARKET = Market(factors=(CALM,), bar_sigma=0.006, close_time=CLOSE)
RUNNING = StateView(level=Level.ACTIVE, epoch=1, is_running=True)
FLAT = PositionView()
HELD = PositionView(is_open=True, opened_at=NOW - HOUR)


def predict(mean: float = 0.012, **changes: Any) -> PredictionView:
    sigma = 0.02
    values: dict[str, Any] = {
        "instrument_id": 1,
        "state": PredictionState.OK,
        "prediction_id": 5,
        "horizon_bars": 12,
        "p_up": 0.73,
        "expected_return": mean,
        "lower": mean - 1.645 * sigma,
        "upper": mean + 1.645 * sigma,
        "sigma": sigma,
    }
    return PredictionView(**{**values, **changes})


def run(**changes: Any):
    values: dict[str, Any] = {
        "prediction": predict(),
        "market": MARKET,
        "sentiment": None,
        "position": FLAT,
        "config": CONFIG,
        "state": RUNNING,
        "weights": None,
        "now": NOW,
    }
    return decide(**{**values, **changes})


def test_it_enters_on_an_edge_that_pays() -> None:
    draft = run()

    assert (draft.action, draft.reason, draft.vetoes) == (Action.ENTER, Reason.EDGE, ())
    assert draft.edge_bps == pytest.approx(120 - 22)
    assert draft.confidence > 0.6
    assert D(1000) <= draft.target_notional <= D(10000)


def in_edge_mode(margin: float) -> StrategyConfig:
    return replace(
        CONFIG, min_confidence=0.99, confidence_mode=ConfidenceMode.EDGE, confidence_margin=margin
    )


@pytest.mark.parametrize(("slack", "enters"), [(-1e-9, True), (1e-9, False)])
def test_the_mode_edge_asks_for_break_even_and_the_margin(slack: float, enters: bool) -> None:
    break_even = 0.5 + 0.0022 / (2 * 0.02)
    margin = run().confidence - break_even

    draft = run(config=in_edge_mode(margin + slack))

    assert (draft.action is Action.ENTER) is enters
    model = draft.factors[0].detail
    assert model["break_even"] == pytest.approx(break_even)
    assert model["needed"] == pytest.approx(break_even + margin)
    assert draft.vetoes == (() if enters else (Reason.BREAK_EVEN,))


def test_a_calmer_market_needs_more_to_pay_its_costs() -> None:
    calm, wild = (needed_confidence(in_edge_mode(0.02), sigma) for sigma in (0.005, 0.05))

    assert calm == pytest.approx(0.74)
    assert wild == pytest.approx(0.542)
    assert needed_confidence(in_edge_mode(0.02), 0.0) == math.inf
    assert needed_confidence(CONFIG, 0.005) == 0.6


def test_its_confidence_is_that_of_a_gain_after_costs() -> None:
    draft = run()

    assert draft.confidence == pytest.approx(predict().p_net(0.0022))
    assert draft.confidence < predict().p_up


VETOES = {
    Reason.STOPPED: {"state": replace(RUNNING, is_running=False)},
    Reason.KILL_SWITCH: {"state": replace(RUNNING, level=Level.REDUCE_ONLY)},
    Reason.ORDER_PENDING: {"position": PositionView(has_pending_order=True)},
    Reason.STALE: {"now": CLOSE + HOUR + timedelta(seconds=1)},
    Reason.TOO_FEW_CANDLES: {
        "prediction": PredictionView(instrument_id=1, state=PredictionState.TOO_FEW_CANDLES)
    },
    Reason.NO_MODEL: {
        "prediction": PredictionView(instrument_id=1, state=PredictionState.NO_MODEL)
    },
    Reason.NO_SKILL: {"prediction": predict(state=PredictionState.NO_SKILL)},
    Reason.NOT_FINITE: {"prediction": predict(expected_return=float("nan"))},
    Reason.COOLDOWN: {"position": PositionView(last_closed_at=NOW - HOUR)},
    Reason.VOLATILITY_REGIME: {
        "market": replace(MARKET, factors=(replace(CALM, detail={"ratio": 3.1}),))
    },
    Reason.INTERVAL_TOO_WIDE: {"market": replace(MARKET, bar_sigma=0.0005)},
    Reason.MIN_EDGE: {"prediction": predict(expected_return=0.00265)},
    Reason.BREAK_EVEN: {
        "config": replace(CONFIG, confidence_mode=ConfidenceMode.EDGE, confidence_margin=0.3)
    },
    Reason.MIN_CONFIDENCE: {"config": replace(CONFIG, min_confidence=0.99)},
    Reason.UNFAMILIAR: {"prediction": predict(dissimilarity=2.1)},
    Reason.NO_ROOM: {"config": replace(CONFIG, max_position_size=D(0))},
}


@pytest.mark.parametrize("veto", VETOES, ids=str)
def test_each_veto_alone_makes_it_hold(veto: Reason) -> None:
    draft = run(**VETOES[veto])

    assert (draft.action, draft.reason, draft.vetoes) == (Action.HOLD, veto, (veto,))
    assert draft.target_notional == 0


def test_every_veto_is_tested() -> None:
    others = {
        Reason.EDGE,
        Reason.EXIT_FLATTEN,
        Reason.EXIT_REVERSAL,
        Reason.EXIT_MAX_HOLDING,
        Reason.KEEP_POSITION,
        Reason.POSITION_NOT_OURS,
        Reason.SCALE_IN,
        Reason.SCALE_OUT,
    }

    assert set(VETOES) | others == set(Reason)


def test_it_keeps_every_veto_and_closes_with_the_most_fundamental() -> None:
    draft = run(
        state=StateView(level=Level.HALT, epoch=2, is_running=False),
        config=replace(CONFIG, min_confidence=0.99),
    )

    assert draft.vetoes == (Reason.STOPPED, Reason.KILL_SWITCH, Reason.MIN_CONFIDENCE)
    assert draft.reason is Reason.STOPPED


@pytest.mark.parametrize(("edge_bps", "enters"), [(4.99, False), (5.01, True)])
def test_it_wants_the_least_edge(edge_bps: float, enters: bool) -> None:
    draft = run(
        prediction=predict(expected_return=(22.0 + edge_bps) / 10_000),
        config=replace(CONFIG, min_confidence=0.5),
    )

    assert (draft.action is Action.ENTER) is enters


def test_a_window_behind_the_close_is_stale() -> None:
    assert run(market=replace(MARKET, close_time=None)).vetoes == (Reason.STALE,)


@pytest.mark.parametrize(("bars", "vetoes"), [(1.99, (Reason.COOLDOWN,)), (2, ())])
def test_the_cooldown_ends_after_its_bars(bars: float, vetoes) -> None:
    assert run(position=PositionView(last_closed_at=NOW - bars * HOUR)).vetoes == vetoes


def test_indicators_open_nothing_without_a_model_that_has_skill() -> None:
    sure = tuple(Factor(name=name, score=1.0, weight=0.1) for name in ("trend", "momentum"))

    for state in set(PredictionState) - {PredictionState.OK}:
        draft = run(prediction=predict(state=state), market=replace(MARKET, factors=sure))
        assert draft.action is Action.HOLD


def test_indicators_nudge_the_confidence() -> None:
    up = Factor(name="trend", score=1.0, weight=0.1)

    higher = run(market=replace(MARKET, factors=(CALM, up)))
    lower = run(market=replace(MARKET, factors=(CALM, replace(up, score=-1.0))))

    assert lower.confidence < run().confidence < higher.confidence
    assert higher.confidence - lower.confidence < 0.06


def test_fitted_weights_take_the_place_of_the_usual_ones() -> None:
    factor = Factor(name="trend", score=0.8, weight=0.1)
    market = replace(MARKET, factors=(CALM, factor))
    heavy, none = (run(market=market, weights={"trend": weight}) for weight in (0.5, 0.0))

    assert heavy.confidence == pytest.approx(
        pool_log_odds(predict().p_net(0.0022), (replace(factor, weight=0.5),))
    )
    assert none.confidence == run().confidence
    assert [kept.weight for kept in heavy.factors if kept.name == "trend"] == [0.5]


def test_a_model_without_skill_has_no_weight_in_the_confidence() -> None:
    factor = Factor(name="trend", score=0.8, weight=0.1)
    market = replace(MARKET, factors=(CALM, factor))

    draft = run(prediction=predict(state=PredictionState.NO_SKILL), market=market)

    assert draft.confidence == pytest.approx(pool_log_odds(0.5, (factor,)))


def test_sentiment_is_stored_and_moves_nothing() -> None:
    mood = Factor(name="sentiment", score=-1.0, weight=0.0)

    draft = run(sentiment=mood)

    assert draft.confidence == run().confidence
    assert mood in draft.factors


def test_the_model_is_a_factor_with_weight_only_when_it_has_skill() -> None:
    skilled, unskilled = run(), run(prediction=predict(state=PredictionState.NO_SKILL))

    assert [f.weight for f in skilled.factors if f.name == "model"] == [1.0]
    assert [f.weight for f in unskilled.factors if f.name == "model"] == [0.0]


def test_it_leaves_when_the_expectation_turned() -> None:
    turned = predict(mean=-0.0006, p_up=0.48)

    draft = run(prediction=turned, position=HELD)

    assert (draft.action, draft.reason) == (Action.EXIT, Reason.EXIT_REVERSAL)
    assert draft.target_notional == 0


def test_it_keeps_a_position_whose_expectation_merely_faded() -> None:
    draft = run(prediction=predict(mean=-0.0004, p_up=0.49), position=HELD)

    assert (draft.action, draft.reason) == (Action.HOLD, Reason.KEEP_POSITION)


@pytest.mark.parametrize(
    ("held", "action"), [(24 * HOUR - timedelta(seconds=1), Action.HOLD), (24 * HOUR, Action.EXIT)]
)
@pytest.mark.parametrize("state", PredictionState)
def test_it_leaves_after_the_longest_holding_whatever_the_model_says(
    state: PredictionState, held: timedelta, action: Action
) -> None:
    position = PositionView(is_open=True, opened_at=NOW - held)

    assert run(prediction=predict(state=state), position=position).action is action


def test_it_leaves_when_told_to_flatten() -> None:
    draft = run(position=HELD, state=StateView(level=Level.FLATTEN, epoch=2, is_running=False))

    assert (draft.action, draft.reason) == (Action.EXIT, Reason.EXIT_FLATTEN)


def test_it_does_not_leave_twice() -> None:
    draft = run(prediction=predict(mean=-0.01), position=replace(HELD, has_pending_order=True))

    assert (draft.action, draft.reason) == (Action.HOLD, Reason.ORDER_PENDING)


def test_it_does_not_add_to_a_position() -> None:
    assert run(position=HELD).action is Action.HOLD


def test_it_does_not_touch_what_somebody_else_opened() -> None:
    draft = run(prediction=predict(mean=-0.01), position=replace(HELD, is_ours=False))

    assert (draft.action, draft.reason) == (Action.HOLD, Reason.POSITION_NOT_OURS)


@pytest.mark.parametrize(
    ("barrier", "expected"), [(0.005, 0.70), (0.01, 0.60), (0.02, 0.55), (0.05, 0.52)]
)
def test_the_break_even_of_twenty_points_of_cost(barrier: float, expected: float) -> None:
    assert break_even_confidence(cost=0.002, barrier=barrier) == pytest.approx(expected)


@given(st.floats(0, 1), st.floats(-1, 1), st.floats(0, 1))
def test_pooling_moves_towards_the_score(probability: float, score: float, weight: float) -> None:
    pooled = pool_log_odds(probability, (Factor(name="x", score=score, weight=weight),))

    base = pool_log_odds(probability, ())
    assert 0.0 < pooled < 1.0
    assert (pooled - base) * score >= -1e-12


@given(
    st.floats(-0.2, 0.2),
    st.floats(0, 1),
    st.floats(1e-6, 0.3),
    st.sampled_from(PredictionState),
    st.sampled_from(Level),
    st.booleans(),
)
def test_an_entry_always_pays_and_is_always_allowed(
    mean, p_up, sigma, prediction_state, level, is_running
) -> None:
    draft = run(
        prediction=predict(
            mean=mean,
            p_up=p_up,
            sigma=sigma,
            lower=mean - 1.645 * sigma,
            upper=mean + 1.645 * sigma,
            state=prediction_state,
        ),
        state=StateView(level=level, epoch=1, is_running=is_running),
    )

    if draft.action is Action.ENTER:
        assert draft.edge_bps >= CONFIG.min_edge_bps
        assert draft.confidence >= CONFIG.min_confidence
        assert (level, is_running) == (Level.ACTIVE, True)
        assert prediction_state is PredictionState.OK
        assert 0 < draft.target_notional <= CONFIG.max_position_size
    else:
        assert draft.vetoes

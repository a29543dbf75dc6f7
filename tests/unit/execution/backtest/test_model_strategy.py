"""The live decision engine in a replay: screened or asked at every close, the answers are equal."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from execution.backtest.costs import Costs
from execution.backtest.engine import Setup, replay
from execution.backtest.forecasts import Serving
from execution.backtest.model_strategy import ModelStrategy
from execution.backtest.series import Series
from execution.domain.decision import ConfidenceMode, PositionView
from execution.domain.factors import Factor
from markets.domain.timeframe import Timeframe
from risk.domain.trading_state import Level, StateView
from tests.unit.execution.backtest.market import config, planted, rules, train, window_of
from tests.unit.mlmodels.market import generate

D = Decimal
ACTIVE = StateView(level=Level.ACTIVE, epoch=0, is_running=True)


def strategy(**changed):
    given = {"name": "model", "config": config(), "serving": [Serving(from_ms=0, model=train())]}
    return ModelStrategy(**{**given, **changed})


def wild_market():
    """Return a market that stands still, then jumps, then moves as ever, with a gap."""
    generated = generate(900, seed=5, ic=0.5)
    window = window_of(generated.without(700))
    for name in ("open", "high", "low", "close"):
        prices = getattr(window, name)
        prices[200:320] = prices[199]
        prices[400:] *= 1.2
    window.high[:] = np.maximum.reduce([window.open, window.high, window.close])
    window.low[:] = np.minimum.reduce([window.open, window.low, window.close])
    return Series(rules=rules(), timeframe=Timeframe.H1, candles=window)


@pytest.mark.parametrize(
    ("market", "changed"),
    [
        (planted(1500, seed=7), {}),
        (planted(1500, seed=8, ic=0.2), {"min_edge_bps": -20.0, "min_confidence": 0.5}),
        (planted(1500, seed=9), {"cooldown_bars": 6, "max_holding_bars": 3}),
        (planted(1500, seed=10), {"min_confidence": 0.95, "cost_bps": 0.0}),
        (wild_market(), {}),
        (planted(1500, seed=8), {"confidence_mode": ConfidenceMode.EDGE}),
        (wild_market(), {"confidence_mode": ConfidenceMode.EDGE, "confidence_margin": 0.0}),
    ],
    ids=["default", "loose", "hasty", "strict", "wild", "edge", "wild-edge"],
)
def test_it_decides_the_same_when_it_asks_at_every_close(market, changed):
    made = strategy(config=config(**changed))
    screened = replay([market], [made], Setup())
    asked = replay([market], [replace(made, is_screened=False)], Setup())

    assert screened.trades == asked.trades
    assert screened.reasons == asked.reasons
    assert screened.end_equity == asked.end_equity
    assert len(screened.asked) < len(asked.asked) / 2


PARTS = {
    "scale_in_parts": 3,
    "scale_in_step_bps": 20.0,
    "scale_out_parts": 2,
    "scale_out_step_bps": 60.0,
}


def test_it_enters_and_leaves_in_parts_under_a_stop_for_all_that_is_held():
    market = planted(1500, seed=7)
    made = strategy(config=config(**PARTS))

    outcome = replay([market], [made], Setup())
    asked = replay([market], [replace(made, is_screened=False)], Setup())

    told = [item.reason for item in outcome.asked if not item.denial]
    assert min(told.count("SCALE_IN"), told.count("SCALE_OUT")) > 3
    assert outcome.executions > 2 * len(outcome.trades) + 6
    assert (outcome.trades, outcome.end_equity) == (asked.trades, asked.end_equity)
    assert sum(trade.pnl for trade in outcome.trades) == pytest.approx(
        outcome.end_equity - outcome.start_cash, abs=D("0.5")
    )


def test_it_trades_and_keeps_its_books():
    market = planted(1500, seed=7)

    outcome = replay([market], [strategy()], Setup())

    assert len(outcome.trades) > 20
    assert sum(trade.pnl for trade in outcome.trades) == pytest.approx(
        outcome.end_equity - outcome.start_cash, abs=D("0.2")
    )
    assert sum(outcome.reasons["model"].values()) == len(market)


def test_it_knows_nothing_of_what_comes_later():
    whole = planted(1400, seed=7)
    shorter = replace(
        whole,
        candles=type(whole.candles)(
            **{name: getattr(whole.candles, name)[:1000] for name in whole.candles.__slots__}
        ),
    )

    longer_run = replay([whole], [strategy()], Setup())
    shorter_run = replay([shorter], [strategy()], Setup())

    until = int(shorter.close_ms[-1])
    assert [a for a in longer_run.asked if a.close_ms <= until] == list(shorter_run.asked)
    closed = [t for t in shorter_run.trades if t.exit_reason != "END_OF_DATA"]
    assert list(longer_run.trades[: len(closed)]) == closed


def test_it_holds_as_long_as_live_trading_does():
    made = strategy(config=config(max_holding_bars=2, min_edge_bps=0.0))

    outcome = replay([planted(1500, seed=7)], [made], Setup(costs=Costs(participation=None)))

    held = [t.bars for t in outcome.trades if t.exit_reason == "EXIT_MAX_HOLDING"]
    # Two whole candles after the fill, which comes after the close: the third close decides.
    assert set(held) == {3}


def test_it_passes_on_the_mood_of_the_moment():
    asked = []

    def mood(instrument_id, at):
        asked.append((instrument_id, at))
        return Factor(name="sentiment", score=0.5, weight=0.0)

    market = planted(300, seed=7)
    plan = strategy(sentiment=mood).plan(market)

    draft = plan.draft(200, position=PositionView(), state=ACTIVE, now=_close(market, 200))

    assert asked == [(1, _close(market, 200))]
    assert "sentiment" in [factor.name for factor in draft.factors]


def test_it_refuses_candles_of_another_length():
    market = Series(
        rules=rules(),
        timeframe=Timeframe.M5,
        candles=window_of(generate(200, seed=1, interval_ms=300_000)),
    )

    with pytest.raises(ValueError, match="decides on candles of 3600 s"):
        strategy().plan(market)


def _close(market, row):
    from core.clock import from_ms

    return from_ms(int(market.close_ms[row]))

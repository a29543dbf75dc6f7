"""What is told of a replay: figures, verdict, calibration, drawings."""

import json
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from execution.backtest import charts
from execution.backtest.benchmarks import buy_and_hold, follow_momentum
from execution.backtest.charts import Line
from execution.backtest.engine import Setup, replay
from execution.backtest.forecasts import Serving, forecast
from execution.backtest.report import break_even_bps, build_report
from execution.backtest.request import BacktestRequest
from execution.backtest.rules import RuleStrategy, momentum
from execution.backtest.run import Backtest, ModelHistory, run_backtest
from execution.backtest.skill import calibration_table, describe, months_of, resolve
from execution.backtest.verdict import Word, judge
from execution.services.tear_sheets import render_tear_sheet
from markets.domain.timeframe import Timeframe
from risk.domain.limits import RiskLimits
from tests.unit.execution.backtest.market import planted, train
from tests.unit.execution.backtest.test_engine import FLAT, FREE, at, series_of

D = Decimal


def figures(**changed):
    given = {
        "trades": 100,
        "return": 0.2,
        "buy_and_hold": 0.1,
        "momentum": 0.1,
        "deflated_sharpe": 0.99,
        "net_bps_low": 3.0,
        "trials": 4,
        "days": 300.0,
    }
    return {**given, **changed}


@pytest.mark.parametrize(
    ("changed", "word", "words"),
    [
        ({}, Word.PROVEN, "held up"),
        ({"trades": 0}, Word.NO_TRADES, "MIN_EDGE closed 75%"),
        ({"return": -0.01}, Word.LOSS, "It lost: -1.0% after costs"),
        ({"deflated_sharpe": 0.9}, Word.NOT_PROVEN, "90% only (4 trials counted"),
        ({"deflated_sharpe": None}, Word.NOT_PROVEN, "too few days"),
        ({"net_bps_low": -2.0}, Word.NOT_PROVEN, "-2.0 bps (5 % bound)"),
        ({"net_bps_low": None}, Word.NOT_PROVEN, "fewer than 10 trades"),
        ({"buy_and_hold": 0.3}, Word.NOT_PROVEN, "buy-and-hold earned more"),
        ({"momentum": 0.3}, Word.NOT_PROVEN, "momentum earned more"),
        ({"days": 12.0}, Word.NOT_PROVEN, "12 days are too short"),
    ],
)
def test_it_claims_no_more_than_was_shown(changed, word, words):
    verdict = judge(figures(**changed), {"model": {"MIN_EDGE": 75, "COOLDOWN": 25}})

    assert verdict["word"] == word.value
    assert words in verdict["text"]


def test_it_reports_a_replay_as_plain_json():
    market = planted(1500, seed=7)
    strategy = RuleStrategy(name="momentum", signals=momentum, notional=D(5000))
    outcome = replay([market], [strategy], Setup())

    report = build_report(outcome, [market], request={"symbols": ["BTCUSDT"]}, cost=0.001)

    assert json.loads(json.dumps(report, allow_nan=False)) == report
    summary = report["summary"]
    assert D(summary["end_equity"]) - D(summary["start_cash"]) == D(summary["pnl"])
    assert summary["trades"] == len(outcome.trades) > 20
    assert len(report["curves"]["equity"]) == 800
    assert report["curves"]["equity"][-1] == pytest.approx(float(outcome.end_equity), abs=0.01)
    months = [row["return"] for row in report["monthly"]]
    assert np.prod([1 + m for m in months]) - 1 == pytest.approx(summary["return"], abs=1e-6)
    assert sum(report["reasons"]["momentum"].values()) == len(market)


def test_it_finds_the_cost_at_which_nothing_is_left():
    market = planted(1500, seed=7)
    strategy = RuleStrategy(name="momentum", signals=momentum, notional=D(1000))
    free = replay([market], [strategy], Setup(costs=FREE))

    even = break_even_bps(free.trades)
    half = D(repr(even)) / 20_000
    paid = replay(
        [market],
        [strategy],
        Setup(costs=replace(FREE, half_spread_bps=half * 10_000, is_fee_in_quote=True)),
    )

    assert even == pytest.approx(
        1e4 * float(sum(t.pnl for t in free.trades) / sum(t.notional for t in free.trades))
    )
    # At that cost nearly nothing is left of what was earned or lost before.
    left = sum(t.pnl for t in paid.trades) / sum(t.pnl for t in free.trades)
    assert abs(left) < D("0.35")
    assert break_even_bps([]) is None


def test_it_holds_benchmarks_with_the_same_costs():
    market = series_of(FLAT, (100, 110, 100, 110), (110, 121, 110, 121))
    timeline = market.close_ms

    hold = buy_and_hold([market], timeline, cash=1000.0, cost=0.01)
    still = follow_momentum([market], timeline, cash=1000.0, cost=0.01)

    assert hold.tolist() == pytest.approx([990.0, 1089.0, 1197.9])
    assert still.tolist() == [1000.0, 1000.0, 1000.0]


def test_it_judges_forecasts_by_what_happened():
    market, model = planted(2500, seed=7), train()
    found = resolve(market, forecast(market, [Serving(from_ms=0, model=model)]), start_ms=0)

    told = describe([found])

    assert told["ic"] > 0.2
    assert told["brier_skill"] > 0
    assert 0.8 < told["coverage"] < 0.97
    assert len(told["calibration"]) == 10
    assert [row["month"] for row in told["ic_by_month"]] == sorted(
        {row["month"] for row in told["ic_by_month"]}
    )
    assert describe([]) is None


def test_it_finds_exact_probabilities_inside_the_band():
    rng = np.random.default_rng(1)
    said = rng.uniform(0.2, 0.8, 20_000)
    happened = rng.random(20_000) < said

    rows = calibration_table(said, happened, horizon_bars=1)

    inside = [row["low"] <= row["happened"] <= row["high"] for row in rows]
    assert sum(inside) >= 9
    assert [row["count"] for row in rows] == [2000] * 10


def test_it_counts_midnight_to_the_month_that_ends():
    january_ends = 1_706_745_600_000

    assert months_of(np.array([january_ends, january_ends + 1])) == ["2024-01", "2024-02"]


def test_it_carries_out_a_whole_request():
    request = BacktestRequest(
        symbols=("BTCUSDT",), interval=Timeframe.H1, strategy="momentum", parameters={"bars": 12}
    )
    stages = []

    report, outcome = run_backtest(
        Backtest(request=request, series=[planted(900)], limits=RiskLimits(), trials=3),
        train=lambda *_: ModelHistory(),
        progress=lambda done, total, message: stages.append(message),
    )

    assert report["summary"]["trials"] == 3
    assert [row["round_trip_bps"] for row in report["cost_curve"]] == [0, 4, 10, 20, 30]
    free, dear = (report["cost_curve"][place]["return"] for place in (0, 4))
    assert free > dear
    assert {row["value"] for row in report["sensitivity"]} == {6, 9, 12, 18, 24}
    assert len({row["trades"] for row in report["sensitivity"]}) > 2
    unchanged = next(row for row in report["sensitivity"] if row["value"] == 12)
    assert unchanged["trades"] == report["summary"]["trades"]
    assert {"replaying", "other costs", "shaken parameters"} <= set(stages)
    assert outcome.trades


def test_it_draws_a_page_without_a_trade():
    market = series_of(*[FLAT] * 30)
    outcome = replay([market], [at()], Setup())
    request = BacktestRequest(symbols=("BTCUSDT",), interval=Timeframe.H1, strategy="momentum")
    report = build_report(
        outcome,
        [market],
        request={**request.to_json(), "first_ms": int(outcome.timeline[0])},
        cost=0.001,
    )

    sheet = render_tear_sheet(report)

    assert "It never traded: NO_SIGNAL closed 100% of all decisions." in sheet
    assert "nan" not in sheet.lower().replace("nancy", "")


def test_it_draws_lines_with_holes_and_escapes_names():
    drawing = charts.line_chart(
        [0, 1000, 2000, 3000], [Line("<b>", "c1", [1.0, None, 2.0, 3.0])], fill_from=0.0
    )

    assert "&lt;b&gt;" in drawing
    assert "<b>" not in drawing
    assert drawing.count("M0.0") >= 1
    assert "Nothing to draw" in charts.line_chart([0], [Line("a", "c1", [1.0])])
    assert "Nothing to draw" in charts.bar_chart(["a"], [None], form=charts.percent)


def test_it_labels_axes_with_round_numbers():
    drawing = charts.bar_chart(["a", "b"], [0.013, -0.02], form=charts.percent)

    assert ">0 %<" in drawing
    assert ">-2 %<" in drawing or ">-1 %<" in drawing
    assert charts.compact(1_234_567.0) == "1.235M"
    assert charts.compact(103_412.0) == "103.4k"

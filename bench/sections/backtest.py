"""Our backtester: a rule at two lengths, a model in the loop, retraining, a cold start, memory."""

import csv
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench import backtest_market as market
from bench import system
from bench.sample import median
from bench.servers import ROOT

_SHORT, _LONG = 100_000, 1_000_000
_ROUNDS = 3
_MODEL_BARS = 100_000
_LEARNED = 8_760
# FreqAI's shape: 30 days of 5-minute candles to learn from, 7 days to predict, 8 times.
_TRAIN, _PREDICT, _WINDOWS, _FEATURES = 8_640, 2_016, 8, 18


def measure(folder: Path) -> dict[str, float]:
    """Measure each kind in turn; the million runs in a process of its own for its memory."""
    system.set_up(folder)
    figures = {"backtest_rule_100k_candles_per_s": rule_rate(_SHORT, rounds=_ROUNDS)}
    figures |= _long_rule()
    figures["backtest_model_candles_per_s"] = _model_rate()
    figures["walkforward_candles_per_s"] = walk_forward_rate(rounds=_ROUNDS)
    figures["walkforward_judged_candles_per_s"] = judged_walk_rate()
    figures["backtest_cold_s"] = cold_run(folder)
    return {name: round(value, 2) for name, value in figures.items()}


def rule_rate(count: int, *, rounds: int) -> float:
    """Return candles/s of the rule, signals and every fill included."""
    from execution.backtest.engine import replay

    series, setup = market.series(count), market.rule_setup()
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        outcome = replay([series], [market.rule()], setup)
        times.append(time.perf_counter() - begun)
    if count == _SHORT and len(outcome.trades) != market.TRADES:
        raise RuntimeError(f"{len(outcome.trades)} trades, not {market.TRADES}")
    rate = count / median(times)
    system.say(f"rule, {count:,} candles: {rate:,.0f}/s, {len(outcome.trades)} trades")
    return rate


def _long_rule() -> dict[str, float]:
    """Measure the million in a fresh process: its peak memory is its own."""
    program = (
        "import json; from bench.sections.backtest import long_rule; print(json.dumps(long_rule()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    system.say(f"rule, 1,000,000 candles: {found}")
    return found


def long_rule() -> dict[str, float]:
    """Return rate and peak memory of the rule over a million candles."""
    rate = rule_rate(_LONG, rounds=1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    return {"backtest_rule_1m_candles_per_s": rate, "backtest_rss_mb_1m": peak}


def _model_rate() -> float:
    """Return candles/s of the live decision engine with a trained model, features included."""
    from execution.backtest.engine import Setup, replay
    from execution.backtest.forecasts import Serving
    from execution.backtest.model_strategy import ModelStrategy

    series, model, config = _planted()
    times = []
    for _ in range(_ROUNDS):
        strategy = ModelStrategy(
            name="model", config=config, serving=[Serving(from_ms=0, model=model)]
        )
        begun = time.perf_counter()
        outcome = replay([series], [strategy], Setup())
        times.append(time.perf_counter() - begun)
    rate = _MODEL_BARS / median(times)
    system.say(
        f"model in the loop: {rate:,.0f}/s, {len(outcome.trades)} trades, "
        f"{len(outcome.asked)} of {_MODEL_BARS:,} closes asked"
    )
    return rate


def _planted() -> tuple[Any, Any, Any]:
    """Return a market with a faint signal, a model trained on its start, and the strategy."""
    from decimal import Decimal

    from execution.backtest.parts import PARAMETERS
    from execution.domain.decision import StrategyConfig
    from mlmodels.domain.features import FeatureSpec
    from mlmodels.domain.label_spec import LabelSpec
    from mlmodels.ports import silent
    from mlmodels.services.walk_forward import WalkPlan
    from mlmodels.tasks import train_past_models

    series = market.planted(_MODEL_BARS)
    plan = WalkPlan(
        spec=FeatureSpec(interval_ms=market.STEP_MS),
        label=LabelSpec(horizon_bars=12),
        begin_ms=int(series.close_ms[_LEARNED]),
        every_bars=_MODEL_BARS,
        train_bars=_LEARNED,
    )
    models = train_past_models({1: series.candles}, plan=plan, progress=silent)
    given = PARAMETERS["model"]
    config = StrategyConfig(
        bar_s=300,
        base_position_size=Decimal(1000),
        max_position_size=Decimal(10_000),
        min_confidence=given["min_confidence"],
        min_edge_bps=given["min_edge_bps"],
        cost_bps=given["cost_bps"],
        cooldown_bars=1,
        max_holding_bars=24,
    )
    return series, models[0][1], config


def walk_forward_rate(*, rounds: int = 1) -> float:
    """Return candles/s of eight trainings and their predictions, as FreqAI's walk is counted.

    The same rows, number of features, trees, depth and learning rate, through the pool that our
    walk-forward trains in: two processes of one thread, where FreqAI uses one process of two. As in
    FreqAI nothing is judged; what judging costs, ``judged_walk_rate`` tells.
    """
    from tradingsite.replaying import side_by_side

    steps = _walk_steps()
    times = []
    with side_by_side(2) as mapper:
        list(mapper(fit_and_predict, steps[:2]))
        for _ in range(rounds):
            begun = time.perf_counter()
            predicted = sum(mapper(fit_and_predict, steps))
            times.append(time.perf_counter() - begun)
    if predicted != _WINDOWS * _PREDICT:
        raise RuntimeError(f"{predicted} rows predicted")
    rate = _WINDOWS * _PREDICT / median(times)
    system.say(f"walk-forward with retraining: {rate:,.0f} candles/s")
    return rate


def judged_walk_rate() -> float:
    """Return candles/s of our own recipe on the same windows: judged in folds, calibrated."""
    from mlmodels.domain.features import FeatureSpec
    from mlmodels.domain.label_spec import LabelSpec
    from mlmodels.ports import silent
    from mlmodels.services.walk_forward import WalkPlan
    from mlmodels.tasks import train_past_models
    from tradingsite.replaying import side_by_side

    series = market.series(_TRAIN + _WINDOWS * _PREDICT)
    plan = WalkPlan(
        spec=FeatureSpec(interval_ms=market.STEP_MS),
        label=LabelSpec(horizon_bars=12),
        begin_ms=int(series.close_ms[_TRAIN - 1]),
        every_bars=_PREDICT,
        train_bars=_TRAIN,
    )
    with side_by_side(2) as mapper:
        list(mapper(abs, range(2)))
        begun = time.perf_counter()
        models = train_past_models({1: series.candles}, plan=plan, progress=silent, mapper=mapper)
        rate = len(models) * _PREDICT / (time.perf_counter() - begun)
    system.say(f"walk-forward, judged and calibrated: {rate:,.0f} candles/s")
    return rate


def _walk_steps() -> list[tuple[Any, Any, Any]]:
    """Return (features and targets to learn from, features to predict) of each window."""
    from mlmodels.domain.features import FeatureSpec, compute

    series = market.series(_TRAIN + _WINDOWS * _PREDICT + 200)
    spec = FeatureSpec(interval_ms=market.STEP_MS)
    features = compute(series.candles, spec).values[:, :_FEATURES]
    close = series.candles.close[spec.warmup - 1 :]
    target = np.concatenate([close[12:] / close[:-12] - 1.0, np.zeros(12)])
    steps = []
    for first in range(0, _WINDOWS * _PREDICT, _PREDICT):
        past = slice(first, first + int(_TRAIN * 0.9))
        week = slice(first + _TRAIN, first + _TRAIN + _PREDICT)
        steps.append((features[past], target[past], features[week]))
    return steps


def fit_and_predict(step: tuple[Any, Any, Any]) -> int:
    """Train on a window and predict its week; return how many rows were predicted."""
    import xgboost

    features, target, week = step
    data = xgboost.DMatrix(features, label=target, nthread=1)
    parameters = {"max_depth": 6, "eta": 0.05, "nthread": 1, "tree_method": "hist"}
    booster = xgboost.train(parameters, data, num_boost_round=300)
    booster.set_param({"nthread": 1})
    return len(booster.inplace_predict(week))


def write_csv(path: Path, count: int) -> None:
    """Write the candles as a file that our command reads."""
    times, *columns = market.candles(count)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("open_time", "open", "high", "low", "close", "volume"))
        # Sixteen digits: what a candle in the database can hold.
        rows = zip(times.tolist(), *(column.tolist() for column in columns), strict=True)
        writer.writerows((row[0], *(f"{value:.12f}" for value in row[1:])) for row in rows)


def cold_run(folder: Path) -> float:
    """Return the wall seconds of the whole command on a file of 100,000 candles."""
    path = folder / "candles.csv"
    if not path.exists():
        write_csv(path, _SHORT)
    command = [
        *(sys.executable, "manage.py", "run_backtest", "--source", "csv"),
        *("--file", f"AAAUSDT={path}", "--interval", "5m", "--strategy", "ema_rsi", "--quick"),
        *("--spread-bps", "0", "--impact", "0", "--participation", "none", "--latency-ms", "0"),
        *("--set", "base_position_size=100", "--out", str(folder / "report")),
    ]
    environment = {**os.environ, "ENV_FILE": "", "DATA_DIR": str(folder / "cold")}
    begun = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    wall = time.perf_counter() - begun
    system.say(f"cold process: {wall:.2f} s")
    return wall

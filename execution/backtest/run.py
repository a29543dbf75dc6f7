"""From candles to report: one request carried out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from execution.backtest.engine import Progress, Setup, replay
from execution.backtest.forecasts import Forecasts, Serving, forecast
from execution.backtest.model_strategy import ModelStrategy
from execution.backtest.outcome import Outcome
from execution.backtest.parts import EMA_RSI, MODEL, MODES, MOMENTUM, Part, flatten
from execution.backtest.plans import Strategy
from execution.backtest.report import build_report
from execution.backtest.request import BacktestRequest
from execution.backtest.rules import RuleStrategy, ema_rsi, momentum
from execution.backtest.series import Series
from execution.backtest.skill import describe, resolve
from execution.domain.decision import StrategyConfig
from execution.domain.factors import Factor, sentiment_factor
from execution.domain.protection import DEFAULT_TERMS, ProtectionStyle, ProtectionTerms
from mlmodels.domain.prediction import PredictionState
from risk.domain.limits import RiskLimits
from sentiment.domain.view import SentimentHistory

_COST_LEVELS_BPS = (0, 4, 10, 20, 30)
# How each strategy's parameters are shaken, as factors.
_SHAKEN: dict[str, tuple[str, ...]] = {
    MODEL: ("min_edge_bps", "max_holding_bars"),
    EMA_RSI: ("fast", "slow"),
    MOMENTUM: ("bars",),
}
_FACTORS = (0.5, 0.75, 1.0, 1.5, 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelHistory:
    """The models over time, and what happened to them: trainings, trials, suspensions."""

    serving: Sequence[Serving] = ()
    events: Sequence[Mapping[str, Any]] = ()


Train = Callable[[Sequence[Series], BacktestRequest, Progress], ModelHistory]
"""Gives the models of a request over time; called once, when a strategy has a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foresight:
    """The models over time, and what they said of each instrument; empty for rules."""

    serving: tuple[Serving, ...] = ()
    events: Sequence[Mapping[str, Any]] = ()
    forecasts: Mapping[int, Forecasts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """A request with what it needs: candles, limits, what was known of the mood, past trials."""

    request: BacktestRequest
    series: Sequence[Series]
    limits: RiskLimits
    moods: SentimentHistory | None = None
    trials: int = 1
    is_thorough: bool = True


def run_backtest(
    backtest: Backtest, *, train: Train, progress: Progress
) -> tuple[dict[str, Any], Outcome]:
    """Carry out a request; return its report and the outcome behind it.

    A thorough one also replays other costs and shaken parameters. Nothing is chosen by them, so
    they do not count as trials.
    """
    request, series = backtest.request, backtest.series
    setup, foresight = _setup(backtest), Foresight()
    if request.model_parameters is not None:
        found = train(series, request, progress)
        serving = tuple(found.serving)
        known = {item.rules.instrument_id: forecast(item, serving) for item in series}
        foresight = Foresight(serving=serving, events=found.events, forecasts=known)
    outcome = replay(series, build_strategies(backtest, foresight), setup, progress=progress)
    report = build_report(
        outcome,
        series,
        request={**request.to_json(), "first_ms": int(outcome.timeline[0])},
        cost=request.costs.round_trip_bps / 20_000.0,
        trials=backtest.trials,
        skill=_skill(series, foresight, start_ms=int(outcome.timeline[0])),
    )
    report["models"] = _versions(foresight.serving)
    report["model_events"] = [dict(event) for event in foresight.events]
    if backtest.is_thorough:
        report["cost_curve"] = _cost_curve(backtest, foresight, setup, progress)
        report["sensitivity"] = _shake(backtest, foresight, setup, progress)
    return report, outcome


def _skill(
    series: Sequence[Series], foresight: Foresight, *, start_ms: int
) -> dict[str, Any] | None:
    found = [
        resolve(item, foresight.forecasts[item.rules.instrument_id], start_ms=start_ms)
        for item in series
        if item.rules.instrument_id in foresight.forecasts
    ]
    return describe([part for part in found if part is not None])


def _versions(serving: Sequence[Serving]) -> list[dict[str, Any]]:
    """Return from when each version served; one that only changed its widths goes on."""
    found: list[dict[str, Any]] = []
    for item in serving:
        row = {
            "from_ms": item.from_ms,
            "version": item.model.version_id,
            "skilled": sum(
                item.model.state_of(key) is PredictionState.OK for key in item.model.bundle.skilled
            ),
        }
        if not found or {**found[-1], "from_ms": 0} != {**row, "from_ms": 0}:
            found.append(row)
    return found


def build_strategies(backtest: Backtest, foresight: Foresight) -> list[Strategy]:
    """Return the strategies that a request names, the first asked first."""
    return [_build(part, backtest, foresight) for part in backtest.request.parts]


def _build(part: Part, backtest: Backtest, foresight: Foresight) -> Strategy:
    given = part.parameters
    notional = Decimal(str(given["base_position_size"]))
    if part.kind == MODEL:
        return ModelStrategy(
            name=part.name,
            config=_config(backtest, given, notional),
            serving=foresight.serving,
            forecasts=foresight.forecasts,
            sentiment=None if backtest.moods is None else partial(_mood, backtest.moods),
            protection=_protection(given),
        )
    if part.kind == EMA_RSI:
        signals = partial(
            ema_rsi,
            fast=int(given["fast"]),
            slow=int(given["slow"]),
            rsi=int(given["rsi"]),
            ceiling=float(given["ceiling"]),
        )
    else:
        signals = partial(momentum, bars=int(given["bars"]))
    return RuleStrategy(name=part.name, signals=signals, notional=notional)


def _mood(moods: SentimentHistory, instrument_id: int, closed_at: datetime) -> Factor | None:
    return sentiment_factor(moods.at(instrument_id, closed_at))


def _protection(given: Mapping[str, float]) -> ProtectionTerms:
    delta = int(given["trailing_delta_bps"])
    if not delta:
        return DEFAULT_TERMS
    has_target = bool(given["trailing_target"])
    style = ProtectionStyle.TRAILING_PAIR if has_target else ProtectionStyle.TRAILING
    return ProtectionTerms(style=style, trailing_delta_bps=delta)


def _config(backtest: Backtest, given: Mapping[str, float], notional: Decimal) -> StrategyConfig:
    return StrategyConfig(
        bar_s=backtest.request.interval.seconds,
        base_position_size=notional,
        max_position_size=backtest.limits.max_position_size,
        min_confidence=given["min_confidence"],
        min_edge_bps=given["min_edge_bps"],
        cost_bps=given["cost_bps"],
        cooldown_bars=int(given["cooldown_bars"]),
        max_holding_bars=int(given["max_holding_bars"]),
        confidence_mode=MODES[int(given["confidence_mode"])],
        confidence_margin=given["confidence_margin"],
        scale_in_parts=int(given["scale_in_parts"]),
        scale_in_step_bps=given["scale_in_step_bps"],
        scale_out_parts=int(given["scale_out_parts"]),
        scale_out_step_bps=given["scale_out_step_bps"],
    )


def _setup(backtest: Backtest) -> Setup:
    request = backtest.request
    start = request.start
    return Setup(
        cash=request.cash,
        limits=backtest.limits,
        costs=request.costs,
        start_ms=None if start is None else int(start.timestamp() * 1000),
    )


def _cost_curve(
    backtest: Backtest, foresight: Foresight, setup: Setup, progress: Progress
) -> list[dict[str, Any]]:
    """Return the result at other round-trip costs, the fee scaled, all else equal."""
    rows = []
    for step, level in enumerate(_COST_LEVELS_BPS):
        progress(step, len(_COST_LEVELS_BPS), "other costs")
        fee = Decimal(level) / 20_000
        costs = replace(
            setup.costs,
            taker_fee=fee,
            maker_fee=fee,
            half_spread_bps=Decimal(0),
            slippage_bps=Decimal(0),
        )
        outcome = replay(
            backtest.series, build_strategies(backtest, foresight), replace(setup, costs=costs)
        )
        rows.append({"round_trip_bps": level, **_short(outcome)})
    return rows


def _shake(
    backtest: Backtest, foresight: Foresight, setup: Setup, progress: Progress
) -> list[dict[str, Any]]:
    """Return the result with each parameter halved to doubled, one at a time."""
    request, is_one = backtest.request, len(backtest.request.parts) == 1
    changes = [
        (part, name, part.parameters[name] * factor)
        for part in request.parts
        for name in _SHAKEN[part.kind]
        for factor in _FACTORS
    ]
    rows = []
    for step, (part, name, number) in enumerate(changes):
        progress(step, len(changes), "shaken parameters")
        value = max(1, round(number)) if isinstance(part.parameters[name], int) else number
        changed = {**part.parameters, name: value}
        if part.kind == EMA_RSI and changed["fast"] >= changed["slow"]:
            continue
        parts = tuple(
            replace(whole, parameters=changed) if whole.name == part.name else whole
            for whole in request.parts
        )
        other = replace(backtest, request=replace(request, parameters=flatten(parts)))
        outcome = replay(backtest.series, build_strategies(other, foresight), setup)
        label = name if is_one else f"{part.name}.{name}"
        rows.append({"parameter": label, "value": value, **_short(outcome)})
    return rows


def _short(outcome: Outcome) -> dict[str, Any]:
    return {
        "return": float(outcome.end_equity / outcome.start_cash) - 1.0,
        "trades": len(outcome.trades),
    }

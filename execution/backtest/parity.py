"""What ran against what a replay says: row by row, every difference with its cause.

A recorded row is held against what the same code gives for the same inputs today. The inputs of a
decision (prediction, position, kill switch) are those of its own moment, so that one difference
does not make a hundred others after it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from core.clock import from_ms, to_ms
from execution.backtest.findings import Findings, Kind, Stage
from execution.backtest.forecasts import Forecaster, Forecasts, Serving, forecast
from execution.backtest.model_strategy import read_market
from execution.backtest.series import Series
from execution.domain.decision import DecisionDraft, PositionView, StrategyConfig, decide
from execution.domain.factors import Factor
from execution.domain.order import Side
from execution.domain.proposal import entry_quantity
from markets.domain.instrument import InstrumentRules
from mlmodels.domain.conformal import NARROWEST, WIDEST
from mlmodels.domain.prediction import PredictionState, PredictionView
from mlmodels.domain.surroundings import Surroundings
from risk.domain.trading_state import StateView

_POINT = ("p_up", "expected_return", "sigma")
_INTERVAL = ("lower", "upper")
_BPS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveDecision:
    """A stored decision with the inputs of its moment.

    Attributes:
        now: When it was made.
        prediction: What was predicted, as stored.
        mood: The sentiment that it was given.
        position: What was held and under way, as far as the books tell.
        others: What it may have seen instead, when a booking came a moment later.
        outcome: action, reason, confidence, edge_bps, target_notional, vetoes, factors as stored.
    """

    symbol: str
    close_ms: int
    now: datetime
    prediction: PredictionView
    mood: Factor | None
    position: PositionView
    others: tuple[PositionView, ...]
    state: StateView
    config: StrategyConfig
    outcome: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOrder:
    """What became of an ENTER or EXIT decision; `state` is None where no order was made."""

    symbol: str
    close_ms: int
    side: Side
    price: Decimal
    notional: Decimal
    is_flat: bool
    state: str | None = None
    reason: str = ""
    quantity: Decimal = Decimal(0)
    filled_quantity: Decimal = Decimal(0)
    filled_quote: Decimal = Decimal(0)
    filled_at: datetime | None = None


def compare_predictions(
    series: Series,
    recorded: Sequence[PredictionView],
    closes_ms: Sequence[int],
    models: Mapping[int, Forecaster],
    around: Surroundings,
    revised_ms: Sequence[int],
    findings: Findings,
) -> None:
    """Hold stored predictions of one symbol against what their models say of today's candles.

    Args:
        series: The symbol's candles, with the warm-up of the first prediction.
        recorded: As stored.
        closes_ms: The close of each.
        models: By version id, as trained; a version that is not there cannot be asked.
        around: What their features need besides the symbol's candles.
        revised_ms: Closes of candles, the references' too, that were changed after they were first
            stored.
        findings: Where the results go.
    """
    made: dict[int, Forecasts] = {}
    for view, close_ms in zip(recorded, closes_ms, strict=True):
        version = view.model_version_id
        live = _said(view)
        again: dict[str, Any] = {}
        model = None if version is None else models.get(version)
        if model is None or version is None:
            kind = Kind.MODEL_MISSING
        else:
            if version not in made:
                made[version] = forecast(series, [Serving(from_ms=0, model=model, around=around)])
            row = int(series.close_ms.searchsorted(close_ms))
            kind = Kind.CANDLES_MISSING
            if row < len(series) and int(series.close_ms[row]) == close_ms:
                found = made[version].view(row)
                again = _widened(_said(found), view.interval_scale)
                kind = _kind_of_prediction(
                    live,
                    again,
                    close_ms,
                    model.bundle.spec.warmup * series.timeframe.ms,
                    revised_ms,
                    is_scale_known=view.interval_scale is not None,
                )
                if found.state is PredictionState.TOO_FEW_CANDLES:
                    kind = Kind.CANDLES_MISSING
        findings.add(
            Stage.PREDICTION,
            kind,
            symbol=series.rules.symbol,
            close_ms=close_ms,
            live=live,
            replayed=again,
        )


def compare_decisions(
    series: Series,
    decisions: Sequence[LiveDecision],
    revised_ms: Sequence[int],
    findings: Findings,
) -> None:
    """Decide again with the inputs of each moment."""
    for decision in decisions:
        row = int(series.close_ms.searchsorted(decision.close_ms))
        kind, again = Kind.CANDLES_MISSING, {}
        if row < len(series) and int(series.close_ms[row]) == decision.close_ms:
            again = _decide(series, row, decision, decision.position)
            kind = Kind.EQUAL if again == decision.outcome else Kind.UNEXPLAINED
            if kind is Kind.UNEXPLAINED:
                kind = _explain(series, row, decision, revised_ms)
        findings.add(
            Stage.DECISION,
            kind,
            symbol=decision.symbol,
            close_ms=decision.close_ms,
            live=decision.outcome,
            replayed=again,
        )


def compare_orders(
    rules: InstrumentRules, series: Series, orders: Sequence[LiveOrder], findings: Findings
) -> None:
    """Hold orders and their fills against what the replay would send and fill at the next open."""
    for order in orders:
        wanted = order.quantity
        if order.side is Side.BUY:
            wanted = entry_quantity(notional=order.notional, price=order.price, rules=rules)
        kind = _kind_of_order(order, wanted)
        findings.add(
            Stage.ORDER,
            kind,
            symbol=order.symbol,
            close_ms=order.close_ms,
            live={"state": order.state, "reason": order.reason, "quantity": str(order.quantity)},
            replayed={"quantity": str(wanted)},
        )
        if kind is Kind.EQUAL:
            _compare_fill(series, order, findings)


def draft_to_json(draft: DecisionDraft) -> dict[str, Any]:
    """Return a decision in the form in which rows store it."""
    return {
        "action": draft.action.value,
        "reason": draft.reason.value,
        "confidence": draft.confidence,
        "edge_bps": draft.edge_bps,
        "target_notional": f"{draft.target_notional.normalize():f}",
        "vetoes": [veto.value for veto in draft.vetoes],
        "factors": [factor.to_json() for factor in draft.factors],
    }


def _kind_of_prediction(
    live: Mapping[str, Any],
    again: Mapping[str, Any],
    close_ms: int,
    reach_ms: int,
    revised_ms: Sequence[int],
    *,
    is_scale_known: bool,
) -> Kind:
    """Name the cause; what changes while a version serves is told apart from what may not."""
    if live == again:
        return Kind.EQUAL
    is_same = all(live[name] == again[name] for name in _POINT)
    is_scaled = any(live[name] != again[name] for name in _INTERVAL)
    is_suspended = (live["state"], again["state"]) == (PredictionState.NO_SKILL, PredictionState.OK)
    is_tracked = not is_scaled or (not is_scale_known and _is_tracked(live, again))
    if is_same and is_tracked:
        if is_suspended:
            return Kind.SUSPENDED
        if live["state"] == again["state"]:
            return Kind.INTERVAL_SCALED
    return Kind.DATA_REVISED if _is_touched(close_ms, reach_ms, revised_ms) else Kind.UNEXPLAINED


def _said(view: PredictionView) -> dict[str, Any]:
    return {"state": view.state, **{name: getattr(view, name) for name in (*_POINT, *_INTERVAL)}}


def _widened(said: dict[str, Any], scale: float | None) -> dict[str, Any]:
    """Return what was said with the interval as wide as it was served, where that is recorded."""
    middle = said["expected_return"]
    if scale is None or scale == 1.0 or middle is None:
        return said
    # As ``Calibrated.widened`` has it, to the bit.
    return said | {name: middle + (said[name] - middle) * scale for name in _INTERVAL}


def _is_tracked(live: Mapping[str, Any], again: Mapping[str, Any]) -> bool:
    """Tell whether one factor, of those that can serve, makes the trained interval the live one."""
    middle = again["expected_return"]
    trained = [again[name] - middle for name in _INTERVAL]
    served = [live[name] - middle for name in _INTERVAL]
    if not all(trained):
        return False
    low, high = (mine / other for mine, other in zip(served, trained, strict=True))
    return NARROWEST <= low <= WIDEST and math.isclose(low, high, rel_tol=1e-9)


def _is_touched(close_ms: int, reach_ms: int, revised_ms: Sequence[int]) -> bool:
    return any(close_ms - reach_ms < moment <= close_ms for moment in revised_ms)


def _decide(
    series: Series, row: int, decision: LiveDecision, position: PositionView
) -> dict[str, Any]:
    market = read_market(series.candles, row, from_ms(int(series.close_ms[row])))
    return draft_to_json(
        decide(
            prediction=decision.prediction,
            market=market,
            sentiment=decision.mood,
            position=position,
            config=decision.config,
            state=decision.state,
            now=decision.now,
        )
    )


def _explain(series: Series, row: int, decision: LiveDecision, revised_ms: Sequence[int]) -> Kind:
    for other in decision.others:
        if _decide(series, row, decision, other) == decision.outcome:
            return Kind.LATENCY
    reach = series.timeframe.ms * 100
    touched = _is_touched(decision.close_ms, reach, revised_ms)
    return Kind.DATA_REVISED if touched else Kind.UNEXPLAINED


def _kind_of_order(order: LiveOrder, wanted: Decimal) -> Kind:
    if order.state is None:
        return Kind.FLAT_ALREADY if order.is_flat else Kind.UNEXPLAINED
    if order.state == "DENIED":
        return Kind.DENIED
    if order.quantity != wanted:
        return Kind.UNEXPLAINED
    if order.state in ("LAPSED", "REJECTED", "NOT_ACCEPTED"):
        return Kind.NOT_SENT
    return Kind.EQUAL


def _compare_fill(series: Series, order: LiveOrder, findings: Findings) -> None:
    """Compare the mean price with the next open, what a replay without costs would pay."""
    row = int(series.candles.open_time_ms.searchsorted(order.close_ms))
    screen = float(series.candles.open[row]) if row < len(series) else None
    live: dict[str, Any] = {"quantity": str(order.filled_quantity)}
    again: dict[str, Any] = {"quantity": str(order.quantity), "price": screen}
    if not order.filled_quantity:
        kind = Kind.MISSED_FILL
    else:
        price = float(order.filled_quote / order.filled_quantity)
        live["price"] = price
        if order.filled_at is not None:
            live["latency_ms"] = to_ms(order.filled_at) - order.close_ms
        kind = Kind.EQUAL
        if screen is None:
            kind = Kind.CANDLES_MISSING
        else:
            sign = 1 if order.side is Side.BUY else -1
            slippage = sign * (price / screen - 1.0) * _BPS
            findings.slippage_bps.append(slippage)
            live["slippage_bps"] = slippage
            kind = Kind.SLIPPAGE if price != screen else Kind.EQUAL
        if order.filled_quantity < order.quantity:
            kind = Kind.PARTIAL_FILL
    findings.add(
        Stage.FILL,
        kind,
        symbol=order.symbol,
        close_ms=order.close_ms,
        live=live,
        replayed=again,
    )


def other_views(position: PositionView) -> tuple[PositionView, ...]:
    """Return what a decision may have seen when a booking came a moment after it."""
    return (
        replace(position, has_pending_order=not position.has_pending_order),
        replace(position, is_open=False, is_ours=True, opened_at=None),
        replace(position, is_open=False, is_ours=True, opened_at=None, has_pending_order=True),
    )

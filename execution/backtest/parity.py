"""Stored decisions against what ``decide`` says of the same inputs today.

The inputs of a decision (prediction, position, rules, kill switch) are those of its own moment,
as it kept them, so that one difference does not make a hundred others after it. What it was given
is held against the books and the stored sentiment by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from execution.backtest.findings import Findings, Kind, Stage
from execution.backtest.model_strategy import read_market
from execution.backtest.parity_predictions import is_touched
from execution.backtest.series import Series
from execution.domain.deciding import decide
from execution.domain.decision import DecisionDraft, PositionView
from execution.domain.factors import Factor
from execution.domain.inputs import DecisionInputs
from markets.domain.technicals import SCORE_BARS
from mlmodels.domain.prediction import PredictionView

_REACH_BARS = SCORE_BARS  # as far as factors look back


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveDecision:
    """A stored decision with the inputs of its moment.

    Attributes:
        now: When it was made.
        prediction: What was predicted, as stored.
        mood: The sentiment that it was given.
        given: Position, rules and kill switch: as it kept them, or by the books.
        is_recorded: It kept them; rows of another time did not.
        booked: What was held and under way by the books, at its moment and at the moments of the
            candle before: a fill may be booked after the decision that came after it.
        known_mood: The sentiment that was known at its close.
        outcome: action, reason, confidence, edge_bps, target_notional, vetoes, factors as stored.
    """

    symbol: str
    close_ms: int
    now: datetime
    prediction: PredictionView
    mood: Factor | None
    given: DecisionInputs
    is_recorded: bool
    booked: tuple[PositionView, ...]
    known_mood: Factor | None
    outcome: Mapping[str, Any]


def compare_decisions(
    series: Series,
    decisions: Sequence[LiveDecision],
    revised_ms: Sequence[int],
    findings: Findings,
) -> None:
    """Decide again with the inputs of each moment, and hold these against the books."""
    for decision in decisions:
        if decision.is_recorded:
            _compare_inputs(decision, findings)
        row = int(series.close_ms.searchsorted(decision.close_ms))
        kind, again = Kind.CANDLES_MISSING, {}
        if row < len(series) and int(series.close_ms[row]) == decision.close_ms:
            again = _decide(series, row, decision, decision.given.position)
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


def _compare_inputs(decision: LiveDecision, findings: Findings) -> None:
    seen, booked = _cooling(decision, decision.given.position), decision.booked
    kind = Kind.UNEXPLAINED
    if decision.mood == decision.known_mood:
        if seen == booked[0]:
            kind = Kind.EQUAL
        elif seen in booked:
            kind = Kind.LATENCY
    findings.add(
        Stage.INPUT,
        kind,
        symbol=decision.symbol,
        close_ms=decision.close_ms,
        live={"position": seen, "mood": decision.mood},
        replayed={"position": booked[0], "mood": decision.known_mood},
    )


def _cooling(decision: LiveDecision, position: PositionView) -> PositionView:
    """Forget a round trip that ended too long ago to matter: batches look back the longest."""
    config = decision.given.config
    longest = timedelta(seconds=config.cooldown_bars * config.bar_s)
    closed = position.last_closed_at
    is_over = closed is None or decision.now - closed >= longest
    return replace(position, last_closed_at=None) if is_over else position


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


def _decide(
    series: Series, row: int, decision: LiveDecision, position: PositionView
) -> dict[str, Any]:
    market = read_market(series, row)
    return draft_to_json(
        decide(
            prediction=decision.prediction,
            market=market,
            sentiment=decision.mood,
            position=position,
            config=decision.given.config,
            state=decision.given.state,
            weights=decision.given.weights,
            now=decision.now,
        )
    )


def _explain(series: Series, row: int, decision: LiveDecision, revised_ms: Sequence[int]) -> Kind:
    for other in decision.booked:
        if _decide(series, row, decision, other) == decision.outcome:
            return Kind.LATENCY
    reach = series.timeframe.ms * _REACH_BARS
    touched = is_touched(decision.close_ms, reach, revised_ms)
    return Kind.DATA_REVISED if touched else Kind.UNEXPLAINED

"""Holding what ran against a replay of the same moments."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from alerts.services.raising import raise_alert
from core.clock import to_ms
from execution.backtest.findings import Findings
from execution.backtest.forecasts import Forecaster
from execution.backtest.parity import (
    LiveDecision,
    LiveOrder,
    compare_decisions,
    compare_orders,
    compare_predictions,
    other_views,
)
from execution.backtest.series import Series
from execution.domain.decision import Action, PositionView
from execution.domain.factors import Factor
from execution.domain.order import Leg, OrderState, Side
from execution.models import Decision, Order, Position
from execution.services.decisions import config_of
from markets.domain.timeframe import Timeframe
from markets.selectors import list_revised_closes, list_rules, load_window
from markets.services.windows import CAPACITY
from mlmodels.domain.prediction import PredictionState, PredictionView
from mlmodels.domain.surroundings import Surroundings
from mlmodels.selectors import list_predictions
from mlmodels.services.inputs import ids_of, load_surroundings
from risk.domain.trading_state import Level, StateView
from risk.selectors import get_limits, list_state_changes

_WARMUP_BARS = CAPACITY  # as much as a live model or factor can look back
_NUMBERS = ("p_up", "expected_return", "lower", "upper", "sigma")
_MINE = (Leg.ENTRY.value, Leg.EXIT.value, Leg.MANUAL.value)
_FINAL = frozenset(state.value for state in OrderState if state.is_final)

LoadModels = Callable[[Iterable[int]], Mapping[int, Forecaster]]
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """Closes of one timeframe, with what all its symbols share.

    Attributes:
        start: First close.
        end: The first close that is left out.
        around: What the models' features need besides a symbol's own candles.
        revised_ms: Closes of the references' candles that were changed later.
    """

    timeframe: Timeframe
    start: datetime
    end: datetime
    models: Mapping[int, Forecaster]
    around: Surroundings
    revised_ms: Sequence[int]

    @property
    def warmup_start(self) -> datetime:
        return self.start - _WARMUP_BARS * self.timeframe.delta


@dataclass(frozen=True, slots=True, kw_only=True)
class _Books:
    """The rows of one symbol that decisions depended on."""

    positions: Sequence[Position]
    orders: Sequence[Order]
    states: Sequence[tuple[datetime, StateView]]


def check_parity(
    *, start: datetime, end: datetime, load_models: LoadModels, progress: Progress
) -> Findings:
    """Compare everything that was decided in [start, end) with a replay.

    Args:
        start: First close.
        end: The first close that is left out.
        load_models: Gives the model of each version id, as far as its files can be used.
        progress: Hears of the series that are done.
    """
    findings = Findings()
    rows = Decision.objects.filter(close_time__gte=start, close_time__lt=end)
    pairs = list(
        rows.order_by("timeframe", "instrument_id")
        .values_list("timeframe", "instrument_id")
        .distinct()
    )
    versions = set(
        list_predictions()
        .filter(close_time__gte=start, close_time__lt=end, is_shadow=False)
        .order_by()
        .values_list("model_version_id", flat=True)
        .distinct()
    )
    models = load_models(versions)
    spans = {
        timeframe: _load_span(
            Timeframe(timeframe),
            [key for name, key in pairs if name == timeframe],
            models,
            start=start,
            end=end,
        )
        for timeframe in dict(pairs)
    }
    for step, (timeframe, instrument_id) in enumerate(pairs):
        progress(step, len(pairs), "comparing")
        own = rows.filter(timeframe=timeframe, instrument_id=instrument_id)
        _compare_series(spans[timeframe], instrument_id, own, findings)
    progress(len(pairs), len(pairs), "compared")
    return findings


def report_parity(findings: Findings, *, now: datetime) -> None:
    """Raise an alert when something differs and nobody knows why."""
    if findings.unexplained:
        raise_alert(
            code="PARITY_BROKEN",
            severity="WARNING",
            message=f"{findings.unexplained} rows differ from a replay without a known cause; "
            "`manage.py parity` shows them",
            context=findings.to_json()["counts"],
            dedupe_key="PARITY_BROKEN",
            now=now,
        )


def _load_span(
    timeframe: Timeframe,
    instrument_ids: Sequence[int],
    models: Mapping[int, Forecaster],
    *,
    start: datetime,
    end: datetime,
) -> _Span:
    first = start - _WARMUP_BARS * timeframe.delta
    specs = [model.bundle.spec for model in models.values()]
    rules = list_rules(instrument_ids)
    around = load_surroundings(
        [spec for spec in specs if spec.interval_ms == timeframe.ms],
        timeframe=timeframe,
        symbols={key: found.symbol for key, found in rules.items()},
        start=first,
        end=end,
    )
    revised = {
        moment
        for key in ids_of(around.references).values()
        for moment in list_revised_closes(
            instrument_id=key, timeframe=timeframe, start=first, end=end
        )
    }
    return _Span(
        timeframe=timeframe,
        start=start,
        end=end,
        models=models,
        around=around,
        revised_ms=sorted(revised),
    )


def _compare_series(span: _Span, instrument_id: int, rows: Any, findings: Findings) -> None:
    timeframe = span.timeframe
    candles = load_window(
        instrument_id=instrument_id,
        timeframe=timeframe.value,
        start=span.warmup_start,
        end=span.end + timeframe.delta,
    )
    rules = list_rules([instrument_id])[instrument_id]
    series = Series(rules=rules, timeframe=timeframe, candles=candles)
    revised = list_revised_closes(
        instrument_id=instrument_id,
        timeframe=timeframe,
        start=span.warmup_start,
        end=span.end,
    )
    stored = list(
        list_predictions()
        .filter(
            instrument_id=instrument_id,
            timeframe=timeframe.value,
            close_time__gte=span.start,
            close_time__lt=span.end,
            is_shadow=False,
        )
        .order_by("close_time", "id")
    )
    compare_predictions(
        series,
        [_view(row) for row in stored],
        [to_ms(row.close_time) for row in stored],
        span.models,
        span.around,
        [*revised, *span.revised_ms],
        findings,
    )
    decisions = list(rows.select_related("strategy", "prediction").order_by("close_time", "id"))
    books = _load_books(decisions, instrument_id)
    lived = [_live_decision(row, rules.symbol, timeframe, books) for row in decisions]
    compare_decisions(series, lived, revised, findings)
    compare_orders(rules, series, _live_orders(decisions, rules.symbol, books), findings)


def _load_books(decisions: Sequence[Decision], instrument_id: int) -> _Books:
    accounts = {row.strategy.account_id for row in decisions}
    return _Books(
        positions=list(
            Position.objects.filter(account_id__in=accounts, instrument_id=instrument_id)
        ),
        orders=list(
            Order.objects.filter(
                account_id__in=accounts, instrument_id=instrument_id, leg__in=_MINE
            ).order_by("pk")
        ),
        states=_list_states(),
    )


def _list_states() -> list[tuple[datetime, StateView]]:
    """Return the kill switch after each of its changes, ascending."""
    return [
        (
            change.timestamp,
            StateView(
                level=Level(change.to_level), epoch=change.epoch, is_running=change.is_running
            ),
        )
        for change in list_state_changes().order_by("epoch")
    ]


def _state_at(states: Sequence[tuple[datetime, StateView]], now: datetime) -> StateView:
    """Return the kill switch of a moment; before its first change it is ACTIVE and stopped."""
    found = StateView(level=Level.ACTIVE, epoch=0, is_running=False)
    for moment, state in states:
        if moment > now:
            break
        found = state
    return found


def _live_decision(row: Decision, symbol: str, timeframe: Timeframe, books: _Books) -> LiveDecision:
    limits = get_limits()
    position = _position_at(row, timeframe, books)
    return LiveDecision(
        symbol=symbol,
        close_ms=to_ms(row.close_time),
        now=row.created_at,
        prediction=_prediction_of(row),
        mood=_mood_of(row),
        position=position,
        others=other_views(position),
        state=_state_at(books.states, row.created_at),
        config=config_of(
            row.strategy, timeframe, limits.max_position_size if limits else Decimal(0)
        ),
        outcome={
            "action": row.action,
            "reason": row.reason,
            "confidence": row.confidence,
            "edge_bps": row.edge_bps,
            "target_notional": f"{row.target_notional.normalize():f}",
            "vetoes": row.vetoes,
            "factors": row.factors,
        },
    )


def _prediction_of(row: Decision) -> PredictionView:
    if row.prediction is not None:
        return _view(row.prediction)
    # Without a row there was no prediction; which of the two reasons it was, the decision says.
    few = PredictionState.TOO_FEW_CANDLES
    state = few if few.value in row.vetoes else PredictionState.NO_MODEL
    return PredictionView(instrument_id=row.instrument_id, state=state)


def _view(row: Any) -> PredictionView:
    return PredictionView(
        instrument_id=row.instrument_id,
        state=PredictionState(row.state),
        prediction_id=row.pk,
        model_version_id=row.model_version_id,
        model_name=row.model_name,
        horizon_bars=row.horizon_bars,
        **{name: getattr(row, name) for name in _NUMBERS},
    )


def _mood_of(row: Decision) -> Factor | None:
    for factor in row.factors:
        if factor["name"] == "sentiment":
            return Factor(**factor)
    return None


def _position_at(row: Decision, timeframe: Timeframe, books: _Books) -> PositionView:
    """Return what the books say was held and under way when the decision was made."""
    now, account = row.created_at, row.strategy.account_id
    held: Position | None = None
    closed: datetime | None = None
    longest: timedelta = row.strategy.cooldown_bars * timeframe.delta
    for position in books.positions:
        if position.account_id != account or position.opened_at > now:
            continue
        if position.closed_at is None or position.closed_at > now:
            held = position
        elif position.closed_at > now - longest:
            closed = max(position.closed_at, closed or position.closed_at)
    is_pending = any(
        order.account_id == account
        and order.created_at <= now
        and (order.state not in _FINAL or order.updated_at > now)
        and order.decision_id != row.pk
        for order in books.orders
    )
    return PositionView(
        is_open=held is not None,
        is_ours=held is None or held.strategy_id == row.strategy_id,
        opened_at=None if held is None else held.opened_at,
        last_closed_at=closed,
        has_pending_order=is_pending,
    )


def _live_orders(decisions: Sequence[Decision], symbol: str, books: _Books) -> list[LiveOrder]:
    by_decision = {order.decision_id: order for order in books.orders if order.decision_id}
    found = []
    for row in decisions:
        if row.action == Action.HOLD.value:
            continue
        order = by_decision.get(row.pk)
        given: dict[str, Any] = {}
        if order is not None:
            first = order.fills.order_by("timestamp").values_list("timestamp", flat=True).first()
            given = {
                "state": order.state,
                "reason": order.reason,
                "quantity": order.quantity,
                "filled_quantity": order.filled_quantity,
                "filled_quote": order.filled_quote,
                "filled_at": first,
            }
        found.append(
            LiveOrder(
                symbol=symbol,
                close_ms=to_ms(row.close_time),
                side=Side.BUY if row.action == Action.ENTER.value else Side.SELL,
                price=row.price,
                notional=row.target_notional,
                is_flat=not any(
                    position.opened_at <= row.created_at
                    and (position.closed_at is None or position.closed_at > row.created_at)
                    for position in books.positions
                ),
                **given,
            )
        )
    return found

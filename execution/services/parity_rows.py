"""Stored rows of one symbol as a comparison with a replay wants them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from core.clock import to_ms
from execution.backtest.parity import LiveDecision
from execution.backtest.parity_orders import LiveOrder
from execution.domain.decision import Action, PositionView
from execution.domain.factors import Factor, sentiment_factor
from execution.domain.inputs import DecisionInputs
from execution.domain.order import Leg, OrderState, Side
from execution.models import Decision, Order, Position
from execution.services.decision_inputs import config_of
from markets.domain.timeframe import Timeframe
from mlmodels.domain.prediction import PredictionState, PredictionView
from risk.domain.trading_state import Level, StateView
from risk.selectors import get_limits, list_state_changes
from sentiment.domain.view import SentimentHistory

_NUMBERS = ("p_up", "expected_return", "lower", "upper", "sigma")
_MINE = (Leg.ENTRY.value, Leg.EXIT.value, Leg.MANUAL.value)
_INSTANT = timedelta(microseconds=1)
_FINAL = frozenset(state.value for state in OrderState if state.is_final)


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The rows of one symbol that decisions depended on."""

    positions: Sequence[Position]
    orders: Sequence[Order]
    states: Sequence[tuple[datetime, StateView]]


def load_books(decisions: Sequence[Decision], instrument_id: int) -> Books:
    """Return the rows that decisions on one symbol depended on."""
    accounts = {row.strategy.account_id for row in decisions}
    return Books(
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


def live_decision(
    row: Decision, symbol: str, timeframe: Timeframe, books: Books, moods: SentimentHistory
) -> LiveDecision:
    """Return a stored decision with the inputs of its moment."""
    kept = DecisionInputs.from_json(row.inputs)
    cooldown = kept.config.cooldown_bars if kept else row.strategy.cooldown_bars
    booked = _booked(row, timeframe, books, cooldown * timeframe.delta)
    return LiveDecision(
        symbol=symbol,
        close_ms=to_ms(row.close_time),
        now=row.created_at,
        prediction=_prediction_of(row),
        mood=_mood_of(row),
        given=kept or _by_the_books(row, timeframe, books, booked[0]),
        is_recorded=kept is not None,
        booked=booked,
        known_mood=sentiment_factor(moods.at(row.instrument_id, row.close_time)),
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


def _by_the_books(
    row: Decision, timeframe: Timeframe, books: Books, position: PositionView
) -> DecisionInputs:
    """Return what a decision that kept no inputs was given, as far as can be known today."""
    limits = get_limits()
    size = limits.max_position_size if limits else Decimal(0)
    return DecisionInputs(
        position=position,
        config=config_of(row.strategy, timeframe, size),
        state=_state_at(books.states, row.created_at),
    )


def _prediction_of(row: Decision) -> PredictionView:
    if row.prediction is not None:
        return prediction_view(row.prediction)
    # Without a row there was no prediction; which of the two reasons it was, the decision says.
    few = PredictionState.TOO_FEW_CANDLES
    state = few if few.value in row.vetoes else PredictionState.NO_MODEL
    return PredictionView(instrument_id=row.instrument_id, state=state)


def prediction_view(row: Any) -> PredictionView:
    """Return a stored prediction as live code got it."""
    return PredictionView(
        instrument_id=row.instrument_id,
        state=PredictionState(row.state),
        prediction_id=row.pk,
        model_version_id=row.model_version_id,
        model_name=row.model_name,
        horizon_bars=row.horizon_bars,
        **{name: getattr(row, name) for name in (*_NUMBERS, "dissimilarity", "interval_scale")},
    )


def _mood_of(row: Decision) -> Factor | None:
    for factor in row.factors:
        if factor["name"] == "sentiment":
            return Factor(**factor)
    return None


def _booked(
    row: Decision, timeframe: Timeframe, books: Books, cooldown: timedelta
) -> tuple[PositionView, ...]:
    """Return what the books say of the decision's moment, then of moments up to a candle before.

    They change only at an event, so that the moments just before each of them are all there are.
    The last views differ in the order under way: its row tells when it moved last, not before.
    """
    now, earliest = row.created_at, row.close_time - timeframe.delta
    events = {
        moment
        for position in books.positions
        for moment in (position.opened_at, position.closed_at)
        if moment is not None and earliest < moment <= now
    }
    moments = [now, *(event - _INSTANT for event in sorted(events, reverse=True))]
    views = [_position_at(row, books, moment, cooldown) for moment in moments]
    views += [replace(view, has_pending_order=not view.has_pending_order) for view in views]
    return tuple(views)


def _position_at(
    row: Decision, books: Books, moment: datetime, cooldown: timedelta
) -> PositionView:
    """Return what was held and under way at a moment, as the decision would have seen it."""
    account = row.strategy.account_id
    held: Position | None = None
    closed: datetime | None = None
    for position in books.positions:
        if position.account_id != account or position.opened_at > moment:
            continue
        if position.closed_at is None or position.closed_at > moment:
            held = position
        elif position.closed_at > row.created_at - cooldown:
            closed = max(position.closed_at, closed or position.closed_at)
    is_pending = any(
        order.account_id == account
        and order.created_at <= moment
        and (order.state not in _FINAL or order.updated_at > moment)
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


def live_orders(decisions: Sequence[Decision], symbol: str, books: Books) -> list[LiveOrder]:
    """Return what became of each decision to enter or exit."""
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

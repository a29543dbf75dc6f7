"""How a strategy decides."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from execution.domain.decision import (
    Action,
    DecisionDraft,
    Market,
    PositionView,
    Reason,
    StrategyConfig,
)
from execution.domain.factors import Factor
from execution.domain.odds import Odds, judge, model_factor
from execution.domain.scaling import has_moved, part_of_size, share_to_sell
from execution.domain.signals import weigh
from execution.domain.vetoes import list_vetoes
from mlmodels.domain.prediction import PredictionState, PredictionView
from risk.domain.sizing import size_entry
from risk.domain.trading_state import Level, StateView

# Prices move between decision and order; without this slack the gate would refuse the largest.
_ROOM_FRACTION = Decimal("0.98")
_NOTHING = Decimal(0)


def decide(
    *,
    prediction: PredictionView,
    market: Market,
    sentiment: Factor | None,
    position: PositionView,
    config: StrategyConfig,
    state: StateView,
    weights: Mapping[str, float] | None,
    now: datetime,
) -> DecisionDraft:
    """Decide what to do with one symbol at one candle close. Spot, long only.

    Enters when the expected return pays the costs with `min_edge_bps` to spare, the chance of a
    net gain is what the strategy's rule asks for and nothing vetoes. Without a model that has
    shown skill nothing is entered: indicators alone have shown none. Every veto is kept, whatever
    is decided.

    Args:
        prediction: Of the close.
        market: What the candles say.
        sentiment: For the record.
        position: What is held or under way.
        config: The strategy's rules.
        state: The kill switch.
        weights: Of the technical factors, as fitted with the model; None: the usual ones.
        now: Market time.
    """
    market = replace(market, factors=weigh(market.factors, weights))
    odds = judge(prediction, market, config)
    factors = market.factors + ((sentiment,) if sentiment else ())
    factors = (*model_factor(prediction, odds, config), *factors)
    target = _NOTHING if odds is None else _size(odds, config)
    vetoes = list_vetoes(
        prediction=prediction,
        market=market,
        odds=odds,
        position=position,
        config=config,
        state=state,
        now=now,
    )
    if not vetoes and target <= 0:
        vetoes = (Reason.NO_ROOM,)
    fraction = Decimal(1)
    if position.is_open:
        action, reason = _decide_open(prediction, odds, position, config, state, now)
        if reason is Reason.KEEP_POSITION and config.is_scaled:
            action, reason, fraction = _scale(market, position, config, vetoes)
    elif vetoes:
        action, reason = Action.HOLD, vetoes[0]
    else:
        action, reason = Action.ENTER, Reason.EDGE
    return DecisionDraft(
        action=action,
        reason=reason,
        confidence=None if odds is None else odds.confidence,
        edge_bps=None if odds is None else odds.edge_bps,
        target_notional=target if action is Action.ENTER else _NOTHING,
        factors=factors,
        vetoes=vetoes,
        exit_fraction=fraction,
    )


def _scale(
    market: Market, position: PositionView, config: StrategyConfig, vetoes: tuple[Reason, ...]
) -> tuple[Action, Reason, Decimal]:
    """Sell a part of a position that has gained enough, or add a part to one that may grow."""
    share = share_to_sell(
        price=market.price,
        average=position.average_price,
        exits=position.exits,
        parts=config.scale_out_parts,
        step_bps=config.scale_out_step_bps,
    )
    if share is not None:
        return Action.EXIT, Reason.SCALE_OUT, share
    may_grow = not vetoes and not position.exits and position.entries < config.scale_in_parts
    last, step_bps = position.last_entry_price, config.scale_in_step_bps
    if may_grow and has_moved(price=market.price, last=last, step_bps=step_bps):
        return Action.ENTER, Reason.SCALE_IN, Decimal(1)
    return Action.HOLD, Reason.KEEP_POSITION, Decimal(1)


def _size(odds: Odds, config: StrategyConfig) -> Decimal:
    whole = size_entry(
        base_notional=config.base_position_size,
        max_notional=config.max_position_size,
        room=config.max_position_size * _ROOM_FRACTION,
        net_return=odds.net_return,
        sigma=odds.sigma,
        confidence=odds.confidence,
    )
    return part_of_size(whole, config.scale_in_parts)


def _decide_open(
    prediction: PredictionView,
    odds: Odds | None,
    position: PositionView,
    config: StrategyConfig,
    state: StateView,
    now: datetime,
) -> tuple[Action, Reason]:
    """Decide on an open position: out when told to, when the signal turned, when time is up."""
    if not position.is_ours:
        return Action.HOLD, Reason.POSITION_NOT_OURS
    if position.has_pending_order:
        return Action.HOLD, Reason.ORDER_PENDING
    if state.level is Level.FLATTEN:
        return Action.EXIT, Reason.EXIT_FLATTEN
    if prediction.state is PredictionState.OK and odds is not None:
        # Leaving costs the same now or later, so only the gross expectation counts.
        gross_bps = odds.edge_bps + config.cost_bps
        if gross_bps <= -config.min_edge_bps:
            return Action.EXIT, Reason.EXIT_REVERSAL
    longest = timedelta(seconds=config.max_holding_bars * config.bar_s)
    if position.opened_at is not None and now - position.opened_at >= longest:
        return Action.EXIT, Reason.EXIT_MAX_HOLDING
    return Action.HOLD, Reason.KEEP_POSITION

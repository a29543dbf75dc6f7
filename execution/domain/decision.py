"""What a strategy can decide, and how it decides."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from execution.domain.factors import Factor, pool_log_odds
from execution.domain.scaling import has_moved, part_of_size, share_to_sell
from mlmodels.domain.prediction import PredictionState, PredictionView
from risk.domain.sizing import size_entry
from risk.domain.trading_state import Level, StateView

_BPS = 10_000.0
_STALE_BARS = 1
# Recent over usual volatility above which the past says little.
MAX_VOLATILITY_RATIO = 3.0
# A 90 % interval this many times wider than the market's own is not information.
MAX_INTERVAL_RATIO = 3.0
# Prices move between decision and order; without this slack the gate would refuse the largest.
_ROOM_FRACTION = Decimal("0.98")
INTERVAL_SIGMAS = 3.29  # width of a normal 90 % interval
_NOTHING = Decimal(0)


class Action(StrEnum):
    """What to do with a symbol until the next candle."""

    ENTER = "ENTER"
    EXIT = "EXIT"
    HOLD = "HOLD"


class Reason(StrEnum):
    """The one closing reason of a decision; those of HOLD are also its vetoes."""

    EDGE = "EDGE"
    EXIT_FLATTEN = "EXIT_FLATTEN"
    EXIT_REVERSAL = "EXIT_REVERSAL"
    EXIT_MAX_HOLDING = "EXIT_MAX_HOLDING"
    SCALE_OUT = "SCALE_OUT"
    SCALE_IN = "SCALE_IN"
    KEEP_POSITION = "KEEP_POSITION"
    # vetoes, the more fundamental first
    STOPPED = "STOPPED"
    KILL_SWITCH = "KILL_SWITCH"
    POSITION_NOT_OURS = "POSITION_NOT_OURS"
    ORDER_PENDING = "ORDER_PENDING"
    STALE = "STALE"
    TOO_FEW_CANDLES = "TOO_FEW_CANDLES"
    NO_MODEL = "NO_MODEL"
    NO_SKILL = "NO_SKILL"
    NOT_FINITE = "NOT_FINITE"
    COOLDOWN = "COOLDOWN"
    VOLATILITY_REGIME = "VOLATILITY_REGIME"
    INTERVAL_TOO_WIDE = "INTERVAL_TOO_WIDE"
    MIN_EDGE = "MIN_EDGE"
    MIN_CONFIDENCE = "MIN_CONFIDENCE"
    # Nothing like this close was in the training.
    UNFAMILIAR = "UNFAMILIAR"
    NO_ROOM = "NO_ROOM"


_STATE_VETOES = {
    PredictionState.NO_MODEL: Reason.NO_MODEL,
    PredictionState.NO_SKILL: Reason.NO_SKILL,
    PredictionState.TOO_FEW_CANDLES: Reason.TOO_FEW_CANDLES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyConfig:
    """The rules of one strategy; costs are a round trip: fees, spread and slippage.

    Attributes:
        scale_in_parts: Entries that the full size is reached by; 1: at once.
        scale_in_step_bps: Move since the last entry before the next; below 0: downwards.
        scale_out_parts: Sales that a winning position is closed by; 1: at once.
        scale_out_step_bps: Gain at which each part but the last is sold: once, twice … as much.
    """

    bar_s: int
    base_position_size: Decimal
    max_position_size: Decimal
    min_confidence: float
    min_edge_bps: float
    cost_bps: float
    cooldown_bars: int
    max_holding_bars: int
    scale_in_parts: int = 1
    scale_in_step_bps: float = 100.0
    scale_out_parts: int = 1
    scale_out_step_bps: float = 200.0

    @property
    def is_scaled(self) -> bool:
        return self.scale_in_parts > 1 or self.scale_out_parts > 1

    @property
    def cost(self) -> float:
        """Round-trip cost as a fraction."""
        return self.cost_bps / _BPS


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionView:
    """What is held or on its way in one symbol.

    Attributes:
        is_open: Something is held.
        is_ours: It was opened by the strategy that decides.
        opened_at: When; None when nothing is held.
        last_closed_at: When the previous round trip ended, if recent.
        has_pending_order: An entry or exit is live; protective orders do not count.
        entries: Entries of this round trip that bought something.
        exits: Parts of it that were sold at a gain.
        last_entry_price: Of the newest entry; None where parts do not matter.
        average_price: Of all entries; None with it.
    """

    is_open: bool = False
    is_ours: bool = True
    opened_at: datetime | None = None
    last_closed_at: datetime | None = None
    has_pending_order: bool = False
    entries: int = 0
    exits: int = 0
    last_entry_price: float | None = None
    average_price: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What the candles say: factors, the volatility of one candle, and when the last closed."""

    factors: tuple[Factor, ...]
    bar_sigma: float | None
    close_time: datetime | None
    price: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionDraft:
    """A decision with everything that led to it.

    Attributes:
        reason: The one that closed the matter.
        confidence: P(return over the horizon > costs); None without a prediction.
        edge_bps: Expected return less costs; None without a prediction.
        target_notional: Quote units to enter with; 0 unless ENTER.
        vetoes: Everything that speaks against entering, in order; for all actions.
        exit_fraction: Share of what is held that an EXIT sells.
    """

    action: Action
    reason: Reason
    confidence: float | None
    edge_bps: float | None
    target_notional: Decimal
    factors: tuple[Factor, ...]
    vetoes: tuple[Reason, ...]
    exit_fraction: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Odds:
    """What the prediction is worth after costs."""

    confidence: float
    net_return: float
    sigma: float

    @property
    def edge_bps(self) -> float:
        return self.net_return * _BPS


def break_even_confidence(*, cost: float, barrier: float) -> float:
    """Return the chance of a symmetric trade that just pays its costs: 0.5 + c / 2b.

    Args:
        cost: Round trip, fraction.
        barrier: Distance to win or lose, fraction above 0.
    """
    if barrier <= 0.0:
        raise ValueError(f"barrier must be above 0, was {barrier}")
    return min(1.0, 0.5 + cost / (2.0 * barrier))


def decide(
    *,
    prediction: PredictionView,
    market: Market,
    sentiment: Factor | None,
    position: PositionView,
    config: StrategyConfig,
    state: StateView,
    now: datetime,
) -> DecisionDraft:
    """Decide what to do with one symbol at one candle close. Spot, long only.

    Enters when the expected return pays the costs with `min_edge_bps` to spare, the chance of a
    net gain is at least `min_confidence` and nothing vetoes. Without a model that has shown skill
    nothing is entered: indicators alone have shown none. Every veto is kept, whatever is decided.
    """
    odds = _judge(prediction, market, config)
    factors = market.factors + ((sentiment,) if sentiment else ())
    factors = (*_model_factor(prediction, odds, config), *factors)
    target = _NOTHING if odds is None else _size(odds, config)
    vetoes = _list_vetoes(
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


def _judge(prediction: PredictionView, market: Market, config: StrategyConfig) -> _Odds | None:
    """Return the odds after costs; None: there is no prediction, or its numbers are none."""
    mean, sigma = prediction.expected_return, prediction.sigma
    lower, upper, p_up = prediction.lower, prediction.upper, prediction.p_up
    numbers = (mean, sigma, lower, upper, p_up)
    if (
        mean is None
        or sigma is None
        or not all(n is not None and math.isfinite(n) for n in numbers)
    ):
        return None
    confidence = pool_log_odds(prediction.p_net(config.cost), market.factors)
    return _Odds(confidence=confidence, net_return=mean - config.cost, sigma=sigma)


def _model_factor(
    prediction: PredictionView, odds: _Odds | None, config: StrategyConfig
) -> tuple[Factor, ...]:
    """Return the prediction as a factor, weight 0 unless it may be acted on."""
    if odds is None:
        return ()
    p_net = prediction.p_net(config.cost)
    detail = {
        "p_net": p_net,
        "expected_return": odds.net_return + config.cost,
        "sigma": odds.sigma,
        "cost": config.cost,
    }
    if prediction.dissimilarity is not None:
        detail["dissimilarity"] = prediction.dissimilarity
    if odds.sigma > 0:
        detail["break_even"] = break_even_confidence(cost=config.cost, barrier=odds.sigma)
    weight = 1.0 if prediction.state is PredictionState.OK else 0.0
    score = min(max(2.0 * p_net - 1.0, -1.0), 1.0)
    return (Factor(name="model", score=score, weight=weight, detail=detail),)


def _size(odds: _Odds, config: StrategyConfig) -> Decimal:
    whole = size_entry(
        base_notional=config.base_position_size,
        max_notional=config.max_position_size,
        room=config.max_position_size * _ROOM_FRACTION,
        net_return=odds.net_return,
        sigma=odds.sigma,
        confidence=odds.confidence,
    )
    return part_of_size(whole, config.scale_in_parts)


def _list_vetoes(
    *,
    prediction: PredictionView,
    market: Market,
    odds: _Odds | None,
    position: PositionView,
    config: StrategyConfig,
    state: StateView,
    now: datetime,
) -> tuple[Reason, ...]:
    """Return everything that forbids an entry, the more fundamental first."""
    bar = timedelta(seconds=config.bar_s)
    found = {
        Reason.STOPPED: not state.is_running,
        Reason.KILL_SWITCH: state.level is not Level.ACTIVE,
        Reason.POSITION_NOT_OURS: position.is_open and not position.is_ours,
        Reason.ORDER_PENDING: position.has_pending_order,
        Reason.STALE: market.close_time is None or now - market.close_time > _STALE_BARS * bar,
        **{
            reason: prediction.state is prediction_state
            for prediction_state, reason in _STATE_VETOES.items()
        },
        Reason.COOLDOWN: _is_cooling_down(position, config, now),
        Reason.VOLATILITY_REGIME: _is_wild(market.factors),
    }
    vetoes = [reason for reason in Reason if found.get(reason)]
    if prediction.state is PredictionState.OK:
        vetoes += _list_odds_vetoes(prediction, market, odds, config)
    return tuple(vetoes)


def _list_odds_vetoes(
    prediction: PredictionView, market: Market, odds: _Odds | None, config: StrategyConfig
) -> list[Reason]:
    if odds is None or odds.sigma <= 0:
        return [Reason.NOT_FINITE]
    found = {
        Reason.INTERVAL_TOO_WIDE: _is_too_wide(prediction, market),
        Reason.MIN_EDGE: odds.edge_bps < config.min_edge_bps,
        Reason.MIN_CONFIDENCE: odds.confidence < config.min_confidence,
        Reason.UNFAMILIAR: prediction.is_unfamiliar,
    }
    return [reason for reason, applies in found.items() if applies]


def _is_cooling_down(position: PositionView, config: StrategyConfig, now: datetime) -> bool:
    if position.last_closed_at is None:
        return False
    return now - position.last_closed_at < timedelta(seconds=config.cooldown_bars * config.bar_s)


def _is_wild(factors: tuple[Factor, ...]) -> bool:
    ratios = [factor.detail.get("ratio", 0.0) for factor in factors if factor.name == "volatility"]
    return any(ratio > MAX_VOLATILITY_RATIO for ratio in ratios)


def _is_too_wide(prediction: PredictionView, market: Market) -> bool:
    """Compare the interval with the one that the market's own volatility would give."""
    lower, upper, bars = prediction.lower, prediction.upper, prediction.horizon_bars
    if market.bar_sigma is None or lower is None or upper is None or not bars:
        return True
    usual = INTERVAL_SIGMAS * market.bar_sigma * math.sqrt(bars)
    return upper - lower > MAX_INTERVAL_RATIO * usual


def _decide_open(
    prediction: PredictionView,
    odds: _Odds | None,
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

"""What speaks against an entry."""

import math
from datetime import datetime, timedelta

from execution.domain.decision import (
    ConfidenceMode,
    Market,
    PositionView,
    Reason,
    StrategyConfig,
)
from execution.domain.factors import Factor
from execution.domain.odds import Odds
from mlmodels.domain.prediction import PredictionState, PredictionView
from risk.domain.trading_state import Level, StateView

# Recent over usual volatility above which the past says little.
MAX_VOLATILITY_RATIO = 3.0
# A 90 % interval this many times wider than the market's own is not information.
MAX_INTERVAL_RATIO = 3.0
INTERVAL_SIGMAS = 3.29  # width of a normal 90 % interval
STATE_VETOES = {
    PredictionState.NO_MODEL: Reason.NO_MODEL,
    PredictionState.NO_SKILL: Reason.NO_SKILL,
    PredictionState.TOO_FEW_CANDLES: Reason.TOO_FEW_CANDLES,
}
CONFIDENCE_VETOES = {
    ConfidenceMode.ABSOLUTE: Reason.MIN_CONFIDENCE,
    ConfidenceMode.EDGE: Reason.BREAK_EVEN,
}
_STALE_BARS = 1


def list_vetoes(
    *,
    prediction: PredictionView,
    market: Market,
    odds: Odds | None,
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
            for prediction_state, reason in STATE_VETOES.items()
        },
        Reason.COOLDOWN: _is_cooling_down(position, config, now),
        Reason.VOLATILITY_REGIME: _is_wild(market.factors),
    }
    vetoes = [reason for reason in Reason if found.get(reason)]
    if prediction.state is PredictionState.OK:
        vetoes += _list_odds_vetoes(prediction, market, odds, config)
    return tuple(vetoes)


def _list_odds_vetoes(
    prediction: PredictionView, market: Market, odds: Odds | None, config: StrategyConfig
) -> list[Reason]:
    if odds is None or odds.sigma <= 0:
        return [Reason.NOT_FINITE]
    found = {
        Reason.INTERVAL_TOO_WIDE: _is_too_wide(prediction, market),
        Reason.MIN_EDGE: odds.edge_bps < config.min_edge_bps,
        CONFIDENCE_VETOES[config.confidence_mode]: odds.confidence < odds.needed,
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

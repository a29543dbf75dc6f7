"""The market and the rule that every backtester is given: the same candles, the same signals."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

STEP_MS = 300_000
_START_MS = 1_700_000_100_000 // STEP_MS * STEP_MS
# Round trips in 100,000 candles; another count means that something else was compared.
TRADES = 1125
_HIDDEN = 0.15  # share of the hidden state in a return

Column = NDArray[np.float64]


def candles(count: int, seed: int = 100) -> tuple[NDArray[np.int64], ...]:
    """Return (open time in ms, open, high, low, close, volume) of a seeded random walk.

    Drift and volatility change slowly; high and low enclose open and close.
    """
    rng = np.random.default_rng(seed)
    volatility = 0.0015 * np.exp(0.3 * np.sin(np.arange(count) / 900.0))
    drift = 0.00015 * np.sin(np.arange(count) / 350.0)
    returns = drift + volatility * rng.standard_normal(count)
    close = 100.0 * np.exp(np.cumsum(returns - returns.mean()))
    opened = np.concatenate([[100.0], close[:-1]])
    wick = np.abs(rng.standard_normal((2, count))) * volatility * close
    high, low = np.maximum(opened, close) + wick[0], np.minimum(opened, close) - wick[1]
    volume = np.exp(rng.normal(3.0, 0.8, count))
    times = _START_MS + STEP_MS * np.arange(count, dtype="int64")
    return times, opened, high, low, close, volume


def series(count: int, seed: int = 100) -> Any:
    """Return them as what our engine replays."""
    from execution.backtest.series import Series
    from markets.domain.instrument import InstrumentRules
    from markets.domain.timeframe import Timeframe
    from markets.domain.windows import Window

    times, opened, high, low, close, volume = candles(count, seed)
    unknown = np.full(count, np.nan)
    return Series(
        rules=InstrumentRules(
            instrument_id=1,
            symbol="AAAUSDT",
            base_asset="AAA",
            quote_asset="USDT",
            status="TRADING",
            tick_size=Decimal("0.0001"),
            step_size=Decimal("0.0001"),
            min_quantity=Decimal("0.0001"),
            min_notional=Decimal(5),
        ),
        timeframe=Timeframe.M5,
        candles=Window(
            open_time_ms=times,
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
            quote_volume=unknown,
            taker_buy_base=unknown,
        ),
    )


def planted(count: int) -> Any:
    """Return the candles with a slow hidden state in their returns, which taker flow shows."""
    rng = np.random.default_rng(11)
    shocks = rng.standard_normal((3, count))
    state, level = np.empty(count), 0.0
    for place, shock in enumerate(shocks[0].tolist()):
        level = 0.95 * level + (1.0 - 0.95**2) ** 0.5 * shock
        state[place] = level
    returns = 0.0015 * (shocks[1] + _HIDDEN * np.concatenate([[0.0], state[:-1]]))
    found = series(count)
    close = 100.0 * np.exp(np.cumsum(returns - returns.mean()))
    opened = np.concatenate([[100.0], close[:-1]])
    wick = 0.001 * np.abs(shocks[2]) * close
    volume = 1000.0 * found.candles.volume
    candles = replace(
        found.candles,
        open=opened,
        high=np.maximum(opened, close) + wick,
        low=np.minimum(opened, close) - wick,
        close=close,
        volume=volume,
        taker_buy_base=volume * np.clip(0.5 + 0.1 * state, 0.05, 0.95),
    )
    return replace(found, candles=candles)


def rule_setup() -> Any:
    """Return the account of the comparison: 0.1 % fee in quote, a stop of 5 %, no target."""
    from execution.backtest.costs import Costs
    from execution.backtest.engine import Setup
    from risk.domain.limits import RiskLimits

    return Setup(
        limits=RiskLimits(
            stop_loss_fraction=Decimal("0.05"),
            take_profit_fraction=Decimal(1),
            max_drawdown_fraction=Decimal("0.5"),
        ),
        costs=Costs(
            half_spread_bps=Decimal(0),
            impact=0.0,
            participation=None,
            latency_ms=0,
            is_fee_in_quote=True,
        ),
    )


def rule() -> Any:
    """Return EMA 12/48 with RSI 14 below 75, 100 quote units an entry."""
    from execution.backtest.rules import RuleStrategy, ema_rsi

    return RuleStrategy(name="ema_rsi", signals=ema_rsi, notional=Decimal(100))

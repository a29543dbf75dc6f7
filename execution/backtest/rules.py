"""Strategies that are a rule and need no model: for research, and as something to beat.

Signals are made for all candles at once; each looks at its own close and what came before it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from core.errors import InvalidInput
from execution.backtest.plans import ASK, CODE_OF, NO_SIGNAL, SIGNAL, Call, Codes
from execution.backtest.series import Series
from execution.domain.decision import Action, PositionView, Reason
from execution.domain.protection import DEFAULT_TERMS, ProtectionTerms
from risk.domain.trading_state import StateView

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Signals:
    """Where a rule wants in and out; each shape (n,)."""

    enter: Bools
    leave: Bools


@dataclass(frozen=True, slots=True, eq=False)
class RulePlan:
    """A rule's signals on one symbol."""

    flat: Codes
    held: Codes
    notional: Decimal
    cooldown_ms: int = 0
    longest_ms: int | None = None
    protection: ProtectionTerms = DEFAULT_TERMS

    @property
    def is_scaled(self) -> bool:
        return False

    def ask(self, row: int, *, position: PositionView, state: StateView, now: datetime) -> Call:
        """Enter where the rule says so and nothing is held; leave where it says so."""
        if position.is_open and self.held[row] == ASK:
            return Call(action=Action.EXIT, reason=Reason.EXIT_REVERSAL.value)
        if not position.is_open and self.flat[row] == ASK:
            return Call(action=Action.ENTER, reason=SIGNAL, notional=self.notional)
        return Call(action=Action.HOLD, reason=NO_SIGNAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleStrategy:
    """A rule with its parameters and the size of its entries (quote units)."""

    name: str
    signals: Callable[[Series], Signals]
    notional: Decimal
    protection: ProtectionTerms = DEFAULT_TERMS

    def plan(self, series: Series) -> RulePlan:
        """Turn the rule's signals on a symbol into codes."""
        found = self.signals(series)
        no_signal, keep = CODE_OF[NO_SIGNAL], CODE_OF[Reason.KEEP_POSITION.value]
        return RulePlan(
            flat=np.where(found.enter, ASK, no_signal).astype(np.uint8),
            held=np.where(found.leave, ASK, keep).astype(np.uint8),
            notional=self.notional,
            protection=self.protection,
        )


def ema_rsi(
    series: Series, *, fast: int = 12, slow: int = 48, rsi: int = 14, ceiling: float = 75.0
) -> Signals:
    """In where the fast average crosses above the slow one and RSI is below `ceiling`.

    Out where it crosses below. The first ``slow + rsi`` candles only warm up. Sources: Appel 1979
    (exponential averages), Wilder 1978, ch. 6 (RSI).
    """
    for name, span in (("fast", fast), ("slow", slow), ("rsi", rsi)):
        if span < 1:
            raise InvalidInput(f"{name} must be 1 or more, was {span}", field=name, value=str(span))
    if fast >= slow:
        raise InvalidInput(
            f"fast must be below slow ({slow}), was {fast}", field="fast", value=str(fast)
        )
    close = series.candles.close
    is_above = _smooth(close, 2.0 / (fast + 1.0)) > _smooth(close, 2.0 / (slow + 1.0))
    crosses = np.zeros(close.shape, dtype=bool)
    crosses[1:] = is_above[1:] != is_above[:-1]
    crosses[: slow + rsi] = False
    return Signals(
        enter=crosses & is_above & (wilder_rsi(close, rsi) < ceiling),
        leave=crosses & ~is_above,
    )


def momentum(series: Series, *, bars: int = 24) -> Signals:
    """In while the price is above that of `bars` candles ago, out while it is not."""
    if bars < 1:
        raise InvalidInput(f"bars must be 1 or more, was {bars}", field="bars", value=str(bars))
    close = series.candles.close
    is_up = np.zeros(close.shape, dtype=bool)
    is_up[bars:] = close[bars:] > close[:-bars]
    return Signals(enter=is_up, leave=~is_up)


def wilder_rsi(close: Floats, period: int) -> Floats:
    """Return the relative strength index, 0-100, with Wilder's smoothing; shape (n,)."""
    change = np.diff(close, prepend=close[:1])
    gains = _smooth(np.maximum(change, 0.0), 1.0 / period)
    losses = _smooth(np.maximum(-change, 0.0), 1.0 / period)
    both = gains + losses
    found = np.full(close.shape, 50.0)
    np.divide(100.0 * gains, both, out=found, where=both > 0)
    return found


def _smooth(values: Floats, weight: float) -> Floats:
    """Return the recursive average ``mean += weight * (value - mean)``, shape (n,).

    A plain loop on floats: 0.1 microseconds a candle, and no library to wait for at the start.
    """
    return np.fromiter(_averages(values, weight), np.float64, len(values))


def _averages(values: Floats, weight: float) -> Iterator[float]:
    return accumulate(values.tolist(), lambda mean, value: mean + weight * (value - mean))

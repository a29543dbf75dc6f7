"""One backtest to the cent: the engine against a slow reference written independently.

The reference knows nothing of the engine: it walks candle by candle, keeps money in decimals and
fills by its own few lines. Market and rule are those of the speed comparison with other systems,
where 1,125 round trips in 100,000 candles are what a well-known system finds.
"""

import os
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext

import numpy as np
import pytest

from execution.backtest.costs import Costs
from execution.backtest.engine import Setup, replay
from execution.backtest.rules import RuleStrategy, ema_rsi
from execution.backtest.series import Series
from markets.domain.timeframe import Timeframe
from markets.domain.windows import Window
from risk.domain.limits import RiskLimits
from tests.unit.execution.backtest.market import rules

D = Decimal
TICK, STEP, STOP, FEE = D("0.0001"), D("0.0001"), D("0.05"), D("0.001")
NOTIONAL = D(100)
CANDLES = 100_000 if os.environ.get("NIGHTLY") else 20_000


def candles(count):
    """Return a seeded random walk with slowly changing drift and volatility."""
    rng = np.random.default_rng(100)
    places = np.arange(count)
    volatility = 0.0015 * np.exp(0.3 * np.sin(places / 900.0))
    returns = 0.00015 * np.sin(places / 350.0) + volatility * rng.standard_normal(count)
    close = 100.0 * np.exp(np.cumsum(returns - returns.mean()))
    opened = np.concatenate([[100.0], close[:-1]])
    wick = np.abs(rng.standard_normal((2, count))) * volatility * close
    return Window(
        open_time_ms=1_700_000_100_000 + 300_000 * np.arange(count, dtype=np.int64),
        open=opened,
        high=np.maximum(opened, close) + wick[0],
        low=np.minimum(opened, close) - wick[1],
        close=close,
        volume=np.exp(rng.normal(3.0, 0.8, count)),
        quote_volume=np.full(count, np.nan),
        taker_buy_base=np.full(count, np.nan),
    )


def wishes(close):
    """Return what the rule wants at each close, "in", "out" or nothing, by its textbook form."""
    fast = slow = close[0]
    gain = loss = 0.0
    was_above, found = False, [""]
    for row in range(1, len(close)):
        change = close[row] - close[row - 1]
        fast += 2.0 / 13.0 * (close[row] - fast)
        slow += 2.0 / 49.0 * (close[row] - slow)
        gain += 1.0 / 14 * (max(change, 0.0) - gain)
        loss += 1.0 / 14 * (max(-change, 0.0) - loss)
        is_above = fast > slow
        is_cross = row >= 62 and is_above != was_above
        is_strong = 100.0 * gain / (gain + loss) >= 75.0
        up = "" if is_strong else "in"
        found.append((up if is_above else "out") if is_cross else "")
        was_above = is_above
    return found


def grid(price, rounding):
    return (price / TICK).to_integral_value(rounding) * TICK


def fee_of(quote):
    return (quote * FEE).quantize(D("1e-8"), ROUND_FLOOR)


def reference(window):
    """Return (profit of each round trip, cash at the end) by walking candle by candle."""
    opened, low, close = (getattr(window, n).tolist() for n in ("open", "low", "close"))
    wanted = ["", *wishes(close)]
    cash, trades = D(100_000), []
    held = cost = stop = D(0)
    for row in range(len(close) + 1):
        price = D(repr(opened[row] if row < len(close) else close[-1]))
        sold = None
        if wanted[row] == "in" and not held and row < len(close):
            paid = grid(price, ROUND_CEILING)
            held = (NOTIONAL / D(repr(close[row - 1])) / STEP).to_integral_value(ROUND_FLOOR) * STEP
            cost = held * paid + fee_of(held * paid)
            cash -= cost
            stop = grid(paid * (1 - STOP), ROUND_CEILING)
        elif held and (wanted[row] == "out" or row == len(close)):
            sold = grid(price, ROUND_FLOOR)
        if held and sold is None and low[row] <= float(stop):
            sold = grid(min(price, stop), ROUND_FLOOR)
        if sold is not None:
            proceeds = held * sold - fee_of(held * sold)
            cash += proceeds
            trades.append(proceeds - cost)
            held = D(0)
    return trades, cash


@pytest.fixture(scope="module")
def found():
    window = candles(CANDLES)
    series = Series(
        rules=rules(tick_size=TICK, step_size=STEP, min_quantity=STEP),
        timeframe=Timeframe.M5,
        candles=window,
    )
    setup = Setup(
        limits=RiskLimits(
            stop_loss_fraction=STOP, take_profit_fraction=D(1), max_drawdown_fraction=D("0.5")
        ),
        costs=Costs(
            taker_fee=FEE,
            half_spread_bps=D(0),
            impact=0.0,
            participation=None,
            latency_ms=0,
            is_fee_in_quote=True,
        ),
    )
    strategy = RuleStrategy(name="ema_rsi", signals=ema_rsi, notional=NOTIONAL)
    return window, replay([series], [strategy], setup)


def test_it_equals_the_slow_reference_to_the_last_digit(found):
    window, outcome = found
    with localcontext(prec=60):
        trades, cash = reference(window)

    assert [trade.pnl for trade in outcome.trades] == trades
    assert outcome.end_equity == cash
    assert outcome.end_equity - outcome.start_cash == sum(trades)


def test_it_is_pinned_to_the_cent(found):
    _, outcome = found
    pinned = {20_000: (199, "100028.39"), 100_000: (1125, "100023.92")}

    cents = outcome.end_equity.quantize(D("0.01"))
    assert (len(outcome.trades), str(cents)) == pinned[CANDLES]

"""A replay's outcome as one document of plain JSON: figures, curves, tables and the verdict.

Money is text, exact to the cent; statistics are floats; what is undefined is null.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import numpy as np

from execution.backtest import measures
from execution.backtest.benchmarks import buy_and_hold, follow_momentum
from execution.backtest.measures import Floats
from execution.backtest.monte_carlo import (
    chance_of_random_entries,
    lowest_mean,
    resample_days,
    shuffle_trades,
)
from execution.backtest.outcome import Outcome, Trade
from execution.backtest.series import DAY_MS, Series
from execution.backtest.skill import months_of
from execution.backtest.verdict import judge

VERSION = 1
SEED = 20_240_101
RUNS = 1000
_POINTS = 800  # of a curve: more than a screen shows
_TRADES = 2000  # in the document; the totals are of all
_CENT = Decimal("0.01")
_BLOCK_DAYS = 10.0


def build_report(
    outcome: Outcome,
    series: Sequence[Series],
    *,
    request: Mapping[str, Any],
    cost: float,
    trials: int = 1,
    skill: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the report.

    Args:
        outcome: Of the replay.
        series: What was replayed.
        request: What was asked for, to be shown.
        cost: One way, fraction: what the benchmarks pay too.
        trials: How many configurations were tried on these candles, this one counted.
        skill: How good the forecasts were, if there were any.
    """
    cash = float(outcome.start_cash)
    hold = buy_and_hold(series, outcome.timeline, cash=cash, cost=cost)
    trend = follow_momentum(series, outcome.timeline, cash=cash, cost=cost)
    figures = summarize(outcome, hold=hold, trend=trend, trials=trials)
    reasons = {name: dict(counts) for name, counts in outcome.reasons.items()}
    return {
        "version": VERSION,
        "request": dict(request),
        "verdict": judge(figures, reasons),
        "summary": figures,
        "curves": _curves(outcome, hold, trend),
        "monthly": _monthly(outcome, hold),
        "reasons": reasons,
        "denials": dict(outcome.denials),
        "monte_carlo": {**_monte_carlo(outcome), "random_entries": _significance(outcome, series)},
        "skill": None if skill is None else dict(skill),
        "charts": [_chart(item, outcome) for item in series],
        "trades": [_trade(trade) for trade in outcome.trades[-_TRADES:]],
        "cost_curve": [],
        "sensitivity": [],
    }


def summarize(outcome: Outcome, *, hold: Floats, trend: Floats, trials: int = 1) -> dict[str, Any]:
    """Return the figures of one replay, benchmarks beside them."""
    start = float(outcome.start_cash)
    _, daily = measures.daily_returns(outcome.timeline, outcome.equity, start)
    found = measures.moments(daily)
    days = float(outcome.timeline[-1] - outcome.timeline[0]) / DAY_MS
    total = float(outcome.end_equity / outcome.start_cash) - 1.0
    depth = float(measures.drawdowns(outcome.equity, start).max())
    growth = measures.annual_growth(total, days=days)
    return {
        "start_cash": money(outcome.start_cash),
        "end_equity": money(outcome.end_equity),
        "pnl": money(outcome.end_equity - outcome.start_cash),
        "return": total,
        "annual_growth": growth,
        "buy_and_hold": float(hold[-1]) / start - 1.0,
        "buy_and_hold_drawdown": float(measures.drawdowns(hold, start).max()),
        "momentum": float(trend[-1]) / start - 1.0,
        "days": days,
        "closes": len(outcome.timeline),
        "sharpe": None if found is None else measures.annual(found.sharpe),
        "sharpe_error": None if found is None else measures.annual(measures.sharpe_error(found)),
        "sortino": measures.sortino(daily),
        "probabilistic_sharpe": None if found is None else measures.probabilistic_sharpe(found),
        "deflated_sharpe": (
            None if found is None else measures.deflated_sharpe(found, trials=trials)
        ),
        "trials": trials,
        "shortest_record_days": None if found is None else measures.shortest_record(found),
        "max_drawdown": depth,
        "calmar": growth / depth if growth is not None and depth > 0 else None,
        "exposure": float(outcome.exposure.mean()),
        "turnover": money(outcome.turnover),
        "executions": outcome.executions,
        "expired": outcome.expired,
        "rejected": outcome.rejected,
        "written_off": outcome.written_off,
        **_trade_figures(outcome.trades),
    }


def money(number: Decimal) -> str:
    """Return an amount on the cent."""
    return f"{number.quantize(_CENT, rounding=ROUND_HALF_EVEN):f}"


def _trade_figures(trades: Sequence[Trade]) -> dict[str, Any]:
    nothing = {
        "trades": 0,
        "win_rate": None,
        "profit_factor": None,
        "net_bps": None,
        "net_bps_low": None,
        "net_bps_t": None,
        "fees": "0.00",
        "break_even_bps": None,
        "mean_bars": None,
        "best": None,
        "worst": None,
    }
    if not trades:
        return nothing
    returns = np.array([trade.net_return for trade in trades])
    gains = sum((t.pnl for t in trades if t.pnl > 0), Decimal(0))
    losses = -sum((t.pnl for t in trades if t.pnl < 0), Decimal(0))
    low = lowest_mean(returns, runs=RUNS, rng=np.random.default_rng(SEED))  # noqa: TID251 - seeded
    return {
        **nothing,
        "trades": len(trades),
        "win_rate": float(np.mean(returns > 0)),
        "profit_factor": float(gains / losses) if losses else None,
        "net_bps": float(returns.mean()) * 1e4,
        "net_bps_low": None if low is None else low * 1e4,
        "net_bps_t": measures.t_of_mean(returns),
        "fees": money(sum((t.fees for t in trades), Decimal(0))),
        "break_even_bps": break_even_bps(trades),
        "mean_bars": float(np.mean([t.bars for t in trades])),
        "best": float(returns.max()),
        "worst": float(returns.min()),
    }


def break_even_bps(trades: Sequence[Trade]) -> float | None:
    """Return the round-trip cost at which the same trades would have earned nothing, bps.

    Below 0: they lose at any cost. None without trades.
    """
    notional = sum((trade.notional for trade in trades), Decimal(0))
    if not notional:
        return None
    earned = sum((trade.screen_pnl for trade in trades), Decimal(0))
    return float(earned / notional) * 1e4


def _curves(outcome: Outcome, hold: Floats, trend: Floats) -> dict[str, Any]:
    """Return curves of at most `_POINTS` points; each drawdown is the deepest of its stretch."""
    count = len(outcome.timeline)
    edges = np.unique(np.linspace(0, count, min(count, _POINTS) + 1).astype(np.int64))
    last = edges[1:] - 1
    depth = measures.drawdowns(outcome.equity, float(outcome.start_cash))
    return {
        "time_ms": outcome.timeline[last].tolist(),
        "equity": _rounded(outcome.equity[last]),
        "buy_and_hold": _rounded(hold[last]),
        "momentum": _rounded(trend[last]),
        "drawdown": _rounded(np.maximum.reduceat(depth, edges[:-1]), 5),
        "exposure": _rounded(np.add.reduceat(outcome.exposure, edges[:-1]) / np.diff(edges), 4),
    }


def _monthly(outcome: Outcome, hold: Floats) -> list[dict[str, Any]]:
    months = np.array(months_of(outcome.timeline))
    last = np.flatnonzero(np.append(months[1:] != months[:-1], np.True_))
    rows = []
    before = {"equity": float(outcome.start_cash), "hold": float(outcome.start_cash)}
    for place in last.tolist():
        rows.append(
            {
                "month": str(months[place]),
                "return": float(outcome.equity[place]) / before["equity"] - 1.0,
                "buy_and_hold": float(hold[place]) / before["hold"] - 1.0,
            }
        )
        before = {"equity": float(outcome.equity[place]), "hold": float(hold[place])}
    return rows


def _monte_carlo(outcome: Outcome) -> dict[str, Any]:
    rng = np.random.default_rng(SEED)  # noqa: TID251 - seeded
    start = float(outcome.start_cash)
    pnl = np.array([float(trade.pnl) for trade in outcome.trades])
    shuffled = shuffle_trades(pnl, start=start, runs=RUNS, rng=rng)
    _, daily = measures.daily_returns(outcome.timeline, outcome.equity, start)
    drawn = resample_days(daily, runs=RUNS, mean_block=_BLOCK_DAYS, rng=rng)
    return {
        "seed": SEED,
        "runs": RUNS,
        "shuffled_drawdown": None if shuffled is None else list(shuffled.quantiles),
        "resampled_return": None if drawn is None else list(drawn[0].quantiles),
        "resampled_drawdown": None if drawn is None else list(drawn[1].quantiles),
    }


def _significance(outcome: Outcome, series: Sequence[Series]) -> float | None:
    """Return the chance that entries at random moments would have earned as much."""
    if not outcome.trades:
        return None
    closes, held = [], []
    for item in series:
        begin = int(item.close_ms.searchsorted(outcome.timeline[0]))
        own = [t.bars for t in outcome.trades if t.symbol == item.rules.symbol]
        closes.append(item.candles.close[begin:])
        held.append(np.array(own, dtype=np.int64))
    earned = [float(trade.screen_pnl / trade.notional) for trade in outcome.trades]
    return chance_of_random_entries(
        closes,
        held,
        earned=float(np.mean(earned)),
        runs=RUNS,
        rng=np.random.default_rng(SEED),  # noqa: TID251 - seeded
    )


def _chart(series: Series, outcome: Outcome) -> dict[str, Any]:
    """Return one symbol's price with its entries and exits."""
    begin = int(series.close_ms.searchsorted(outcome.timeline[0]))
    places = np.unique(np.linspace(begin, len(series) - 1, _POINTS).astype(np.int64))
    own = [trade for trade in outcome.trades if trade.symbol == series.rules.symbol]
    return {
        "symbol": series.rules.symbol,
        "time_ms": series.close_ms[places].tolist(),
        "close": series.candles.close[places].tolist(),
        "trades": [
            {
                "opened_ms": trade.opened_ms,
                "closed_ms": trade.closed_ms,
                "entry": float(trade.entry_price),
                "exit": float(trade.exit_price),
                "is_win": trade.pnl > 0,
            }
            for trade in own[-_TRADES:]
        ],
        "trade_count": len(own),
    }


def _trade(trade: Trade) -> dict[str, Any]:
    return {
        "symbol": trade.symbol,
        "strategy": trade.strategy,
        "opened_ms": trade.opened_ms,
        "closed_ms": trade.closed_ms,
        "quantity": f"{trade.quantity.normalize():f}",
        "entry_price": f"{float(trade.entry_price):.10g}",
        "exit_price": f"{float(trade.exit_price):.10g}",
        "pnl": money(trade.pnl),
        "fees": money(trade.fees),
        "net_return": trade.net_return,
        "exit_reason": trade.exit_reason,
        "bars": trade.bars,
    }


def _rounded(values: Floats, digits: int = 2) -> list[float]:
    return [round(value, digits) for value in values.tolist()]

"""Carrying out a backtest on stored candles."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from core.clock import from_ms
from core.errors import InvalidInput
from execution.backtest.engine import Progress
from execution.backtest.outcome import Outcome
from execution.backtest.request import BacktestRequest
from execution.backtest.run import Backtest, Train, run_backtest
from execution.backtest.series import Series
from execution.selectors import count_trials
from markets.domain.timeframe import Timeframe
from markets.domain.windows import Window
from markets.selectors import get_rules_by_symbol, load_window
from markets.services.windows import CAPACITY
from risk.domain.limits import RiskLimits
from risk.selectors import get_limits
from sentiment.domain.view import SentimentHistory
from sentiment.selectors import list_view_history


def load_series(request: BacktestRequest, *, progress: Progress) -> list[Series]:
    """Return the stored candles of a request, with the history that a start needs before it.

    Raises:
        NotFound: A symbol is unknown.
        InvalidInput: There are no candles of a symbol, or its details are missing.
    """
    found = []
    for step, symbol in enumerate(request.symbols):
        progress(step, len(request.symbols), f"loading {symbol}")
        rules = get_rules_by_symbol(symbol)
        candles = _load(request, rules.instrument_id, symbol, request.interval)
        detail = None
        if request.detail is not None:
            detail = _load(request, rules.instrument_id, symbol, request.detail)
        found.append(
            Series(
                rules=rules,
                timeframe=request.interval,
                candles=candles,
                detail=detail,
                detail_timeframe=request.detail,
            )
        )
    return found


def run_stored(
    request: BacktestRequest, *, train: Train, progress: Progress, is_thorough: bool = True
) -> tuple[dict[str, Any], Outcome]:
    """Load, replay and report.

    Raises:
        NotFound, InvalidInput: As ``load_series``.
    """
    series = load_series(request, progress=progress)
    backtest = Backtest(
        request=request,
        series=series,
        limits=get_limits() or RiskLimits(),
        moods=load_moods(series),
        trials=max(1, count_trials(symbols=request.symbols, interval=request.interval)),
        is_thorough=is_thorough,
    )
    return run_backtest(backtest, train=train, progress=progress)


def load_moods(series: Sequence[Series]) -> SentimentHistory:
    """Return what was known of each symbol's mood at any close."""
    return SentimentHistory(
        list_view_history(
            instrument_ids=[item.rules.instrument_id for item in series],
            start=from_ms(min(int(item.close_ms[0]) for item in series)),
            end=from_ms(max(int(item.close_ms[-1]) for item in series)),
        )
    )


def history_needed(request: BacktestRequest) -> timedelta:
    """Return how much is loaded before the start: as much as a live model can look back.

    And, for models that are trained on the way, what the first one learns from.
    """
    bars = CAPACITY
    if request.model_parameters is not None:
        bars += int(request.model_parameters["train_bars"])
    return bars * request.interval.delta


def _load(
    request: BacktestRequest, instrument_id: int, symbol: str, timeframe: Timeframe
) -> Window:
    start = request.start
    window = load_window(
        instrument_id=instrument_id,
        timeframe=timeframe.value,
        start=None if start is None else start - history_needed(request),
        end=request.end,
    )
    check_candles(window, symbol=symbol, timeframe=timeframe, request=request)
    return window


def check_candles(
    window: Window, *, symbol: str, timeframe: Timeframe, request: BacktestRequest
) -> None:
    """Refuse a window that has nothing to replay.

    Raises:
        InvalidInput: It is empty, or ends before the start.
    """
    start_ms = 0 if request.start is None else int(request.start.timestamp() * 1000)
    if not len(window) or int(window.open_time_ms[-1]) + timeframe.ms < start_ms:
        raise InvalidInput(
            f"There are no {timeframe.value} candles of {symbol} in that time. Load them with "
            f"`manage.py backfill --symbol {symbol} --interval {timeframe.value} --start …`",
            field="symbols",
            value=symbol,
        )

"""Backtests and parity from end to end: the one place that brings training and replay together.

The replay may not know how models are trained (labels are the future), so the roof hands it a
function that gives the models of each moment.
"""

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from typing import Any

import django

from core.clock import from_ms, get_clock
from core.errors import TradingError
from execution.backtest.engine import Progress
from execution.backtest.forecasts import Forecaster, Serving
from execution.backtest.request import LIVE, REGISTRY, BacktestRequest
from execution.backtest.run import ModelHistory
from execution.backtest.series import Series
from execution.services import backtests, parity
from execution.services.replays import run_stored
from mlmodels.domain.surroundings import Surroundings
from mlmodels.ports import silent
from mlmodels.services.inputs import load_surroundings
from mlmodels.services.walk_forward import Mapper, WalkPlan, plan_like_live
from mlmodels.tasks import (
    list_past_models,
    live_past_models,
    load_past_models,
    train_past_models,
)

_TELL_EVERY_S = 0.5
_PARITY_SPAN = timedelta(days=1)


def give_models(
    series: Sequence[Series],
    request: BacktestRequest,
    progress: Progress,
    *,
    workers: int = 1,
    has_database: bool = True,
) -> ModelHistory:
    """Return the models of a request over time: the registry's, or trained on the way.

    Args:
        series: The candles to train on.
        request: What was asked for.
        progress: Hears of the trainings.
        workers: Processes to train in, with 1 this one does it. What is trained when live
            training would have been depends on the trainings before it, and needs one.
        has_database: Settings are stored; without a database they are the defaults.
    """
    candles = {item.rules.instrument_id: item.candles for item in series}
    around = partial(
        load_surroundings,
        timeframe=request.interval,
        symbols={item.rules.instrument_id: item.rules.symbol for item in series},
        start=from_ms(min(int(item.candles.open_time_ms[0]) for item in series)),
        end=from_ms(max(int(item.close_ms[-1]) for item in series)),
        known={item.rules.symbol: item.candles for item in series},
    )
    if request.models == REGISTRY:
        found = list_past_models(request.interval.value)
        given = around([model.bundle.spec for _, model in found])
        return _history(found, given)
    plan = _plan(series, request, has_database=has_database)
    given = around([plan.spec])
    if request.models == LIVE:
        threshold = (request.model_parameters or {})["retrain_error_threshold"]
        walk = live_past_models(
            candles, plan=plan, error_threshold=threshold, progress=progress, around=given
        )
        serving = [
            Serving(from_ms=item.from_ms, model=item.model, around=given, scales=item.scales)
            for item in walk.stretches
        ]
        return ModelHistory(serving=serving, events=[asdict(event) for event in walk.events])
    with side_by_side(workers) as mapper:
        found = train_past_models(
            candles, plan=plan, progress=progress, around=given, mapper=mapper
        )
    return _history(found, given)


def _history(found: Sequence[tuple[int, Forecaster]], around: Surroundings) -> ModelHistory:
    return ModelHistory(
        serving=[Serving(from_ms=moment, model=model, around=around) for moment, model in found]
    )


def _plan(series: Sequence[Series], request: BacktestRequest, *, has_database: bool) -> WalkPlan:
    first = max(int(item.close_ms[0]) for item in series)
    given = request.model_parameters or {}
    pool = sorted(series, key=lambda item: item.rules.instrument_id)
    return plan_like_live(
        [item.rules.symbol for item in pool],
        timeframe=request.interval,
        horizon_bars=int(given["horizon_bars"]),
        begin_ms=first if request.start is None else int(request.start.timestamp() * 1000),
        every_bars=int(given["retrain_bars"]),
        train_bars=int(given["train_bars"]),
        has_database=has_database,
    )


@contextmanager
def side_by_side(workers: int) -> Iterator[Mapper]:
    """Give a ``map`` that works in so many processes; the plain one for a single worker."""
    if workers < 2:
        yield map
        return
    # Fresh processes: a fork would take our threads' locks and database connections with it.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=django.setup) as pool:
        yield pool.map


def carry_out(backtest_id: int) -> None:
    """Run a stored backtest once; whoever comes second finds it taken."""
    request = backtests.begin_backtest(backtest_id=backtest_id, now=get_clock().now())
    if request is None:
        return
    try:
        report, _outcome = run_stored(request, train=give_models, progress=_teller(backtest_id))
    except TradingError as error:
        backtests.fail_backtest(backtest_id=backtest_id, why=error.message, now=get_clock().now())
    except BaseException as error:
        why = f"{type(error).__name__}: {error}"
        backtests.fail_backtest(backtest_id=backtest_id, why=why, now=get_clock().now())
        raise
    else:
        backtests.finish_backtest(backtest_id=backtest_id, report=report, now=get_clock().now())


def compare_last_day() -> None:
    """Hold the last day against a replay; an alert tells of what nobody can explain."""
    now = get_clock().now()
    findings = parity.check_parity(
        start=now - _PARITY_SPAN, end=now, load_models=load_past_models, progress=silent
    )
    parity.report_parity(findings, now=now)


def _teller(backtest_id: int) -> Progress:
    """Return a progress that is stored and pushed twice a second at most, and at every stage."""
    last: dict[str, Any] = {"at": 0.0, "stage": ""}

    def tell(done: int, total: int, message: str) -> None:
        moment = time.monotonic()
        if message == last["stage"] and moment - last["at"] < _TELL_EVERY_S:
            return
        last.update(at=moment, stage=message)
        backtests.tell_progress(
            backtest_id=backtest_id,
            fraction=done / total if total else 1.0,
            stage=message,
            now=get_clock().now(),
        )

    return tell

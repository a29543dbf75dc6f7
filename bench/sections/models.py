"""Training, features, prediction and the whole serving stage, by the real services."""

import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from bench import market, servers, system
from bench.sample import median, percentile

_SYMBOLS = 100
_YEAR_HOURS = 8760
_WINDOW = 600
_ROUNDS = 40


def measure(folder: Path) -> dict[str, float]:
    """Train on a year of hours, then serve 1 and 100 symbols from the windows in memory."""
    with ExitStack() as stack:
        broker = stack.enter_context(servers.broker(folder))
        database = stack.enter_context(servers.postgres(folder))
        given = {"DATABASE_URL": database} if database else {}
        system.set_up(folder, REDIS_URL=broker, **given)
        return _measure()


def _measure() -> dict[str, float]:
    from markets.domain.timeframe import Timeframe
    from markets.services.windows import WindowStore
    from mlmodels.adapters.factory import get_all_trainers, get_artifact_store
    from mlmodels.domain.features import compute_last
    from mlmodels.selectors import get_champion
    from mlmodels.services.serving import ModelCache, load_model

    frame = Timeframe("1h")
    ids = market.make_instruments(_SYMBOLS)
    end = frame.floor(datetime.now(UTC))
    _store(frame, ids, end)
    figures = {"train_8760x40_s": _train(frame, ids[0], end)}
    system.say(f"trained on {_YEAR_HOURS} candles in {figures['train_8760x40_s']} s")
    windows = WindowStore()
    end_ms = int(end.timestamp() * 1000)
    windows.ensure(timeframe=frame, instrument_ids=ids, close_time_ms=end_ms)
    cache = ModelCache(store=get_artifact_store(), trainers=get_all_trainers())
    model = cache.champion(frame.value)
    champion = get_champion(frame.value)
    if model is None or champion is None:
        raise RuntimeError("the first model of a timeframe was not promoted")
    spec = model.bundle.spec
    held = [windows.window(timeframe=frame, instrument_id=key, length=spec.warmup) for key in ids]
    matrix = compute_last(held, spec).values
    figures["features_100_ms"] = system.median_ms(lambda: compute_last(held, spec), rounds=_ROUNDS)
    figures |= _predict(model, matrix)
    figures["model_load_ms"] = system.median_ms(
        lambda: load_model(champion, store=get_artifact_store(), trainers=get_all_trainers()),
        rounds=10,
    )
    figures |= _serve(frame, ids, windows, cache, end)
    return {name: round(value, 3) for name, value in figures.items()}


def _store(frame: Any, ids: list[int], end: datetime) -> None:
    from markets.services.ingestion import store_candles

    end_ms = int(end.timestamp() * 1000)
    for key in ids:
        rows = market.planted_rows(
            key,
            interval_ms=frame.ms,
            end_ms=end_ms,
            count=_YEAR_HOURS if key == ids[0] else _WINDOW,
            last_price=100.0,
        )
        store_candles(timeframe=frame, rows=rows, now=end)


def _train(frame: Any, instrument_id: int, end: datetime) -> float:
    from mlmodels.adapters.factory import get_artifact_store, get_trainers
    from mlmodels.services.training import train_model

    begun = time.perf_counter()
    train_model(
        timeframe=frame,
        instrument_ids=[instrument_id],
        horizon_bars=12,
        trigger="manual",
        seed=7,
        trainers=get_trainers(),
        store=get_artifact_store(),
        now=end,
        progress=lambda _done, _total, _message: None,
    )
    return round(time.perf_counter() - begun, 2)


def _predict(model: Any, matrix: np.ndarray) -> dict[str, float]:
    """Time the ensemble, and the bare library call on the same trees, in turns."""
    trees = next(member for member in model.members if member.name == "xgboost")._booster
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(5 * _ROUNDS):
        begun = time.perf_counter()
        model.margins(matrix)
        middle = time.perf_counter()
        trees.inplace_predict(matrix, predict_type="margin", validate_features=False)
        ended = time.perf_counter()
        ours.append((middle - begun) * 1000)
        bare.append((ended - middle) * 1000)
    return {"predict_100_ms": median(ours), "inplace_predict_100_ms": median(bare)}


def _serve(frame: Any, ids: list[int], windows: Any, cache: Any, end: datetime) -> dict[str, float]:
    """Time features, prediction and storing at fresh closes: what the chain's stage does."""
    from mlmodels.services.inference import predict_close

    times: dict[int, list[float]] = {1: [], _SYMBOLS: []}
    end_ms = int(end.timestamp() * 1000)
    for step in range(1, _ROUNDS + 1):
        for key in ids:
            row = [key, end_ms + (step - 1) * frame.ms]
            windows.extend(
                timeframe=frame,
                rows=[[*row, "100", "101", "99", "100", "5", "500", 3, "2", "200"]],
            )
        close_time = end + step * timedelta(milliseconds=frame.ms)
        for chosen in (ids[:1], ids):
            begun = time.perf_counter()
            views = predict_close(
                timeframe=frame,
                close_time=close_time,
                instrument_ids=chosen,
                windows=windows,
                models=cache,
                now=close_time,
            )
            times[len(chosen)].append((time.perf_counter() - begun) * 1000)
            if any(view.prediction_id is None for view in views):
                raise RuntimeError("a symbol was not predicted")
    return {
        **{f"serve_{count}_ms": median(found) for count, found in times.items()},
        "serve_1_p99_ms": percentile(times[1], 99),
    }

"""THE chain: ingest, predict, decide, place. The only file that knows all the stages.

One chain per chunk of symbols and candle close, never one per symbol: a hundred chains cost 600 ms
when empty, two chunks 22 ms. Each stage stores its result under a unique constraint before it
enqueues the next, so a message delivered twice, or lost, changes nothing that matters: the
guardian places what was decided and not placed, the gap filler brings what was not ingested.

Every worker knows these tasks, one runs them: what only the stages need is imported there.
"""

from operator import itemgetter
from typing import Any

from celery import Task, shared_task
from django.conf import settings

from core.clock import from_ms, get_clock
from execution.tasks import place_orders_task
from markets.domain.timeframe import Timeframe
from markets.services.ingestion import store_candles
from mlmodels.domain.prediction import PredictionView

# A second chunk saves a fifth of a millisecond per symbol, and costs the orders' worker a second
# batch to approve, claim and book: some forty milliseconds.
_CHUNK_FROM_SYMBOLS = 200
_CONTEXT_SYMBOLS = 10

Batch = dict[str, Any]


def start_chain(*, timeframe: str, close_time_ms: int, rows: list[list[Any]]) -> int:
    """Start the chain for the candles of one close.

    Args:
        timeframe: Of all the rows, such as ``5m``.
        close_time_ms: When these candles closed.
        rows: Closed candles in the row form of ``markets.domain.candle``.

    Returns:
        How many chunks were enqueued.
    """
    # The first of the pool are the market that features compare with (mlmodels.services.inputs).
    context = sorted(rows, key=itemgetter(0))[:_CONTEXT_SYMBOLS]
    chunks = min(settings.PIPELINE_WORKERS, 1 + len(rows) // _CHUNK_FROM_SYMBOLS)
    for chunk in range(chunks):
        own = rows[chunk::chunks]
        batch = {
            "timeframe": timeframe,
            "close_time_ms": close_time_ms,
            "chunk": chunk,
            "rows": own,
            "context": [row for row in context if row not in own] if chunks > 1 else [],
        }
        _enqueue(ingest, batch=batch)
    return chunks


def load_ahead() -> None:
    """Import what the stages need, so that the first close does not wait for it."""
    from execution.services import decisions  # noqa: F401 - only to have it imported
    from mlmodels.services import inference  # noqa: F401 - the same
    from mlmodels.tasks import load_ahead as load_models

    load_models()


@shared_task(name="pipeline.ingest", queue="pipeline.0")
def ingest(*, batch: Batch) -> None:
    """Store the closed candles."""
    store_candles(
        timeframe=Timeframe(batch["timeframe"]), rows=batch["rows"], now=get_clock().now()
    )
    _enqueue(predict, batch=batch)


@shared_task(name="pipeline.predict", queue="pipeline.0")
def predict(*, batch: Batch) -> None:
    """Predict every symbol of the chunk from the windows in this process's memory."""
    from markets.services.windows import get_window_store
    from mlmodels.services.inference import predict_close
    from mlmodels.tasks import after_close, get_model_cache

    windows = get_window_store()
    windows.extend(timeframe=Timeframe(batch["timeframe"]), rows=batch["rows"])
    # Other symbols of this close that features look at; their own chunk stores them.
    windows.extend(timeframe=Timeframe(batch["timeframe"]), rows=batch.get("context", []))
    views = predict_close(
        timeframe=Timeframe(batch["timeframe"]),
        close_time=from_ms(batch["close_time_ms"]),
        instrument_ids=[row[0] for row in batch["rows"]],
        windows=windows,
        models=get_model_cache(),
        now=get_clock().now(),
    )
    # The last candles travel on: the next stage may run in a process that has not seen them.
    _enqueue(decide, batch=batch, predictions=[view.to_message() for view in views])
    after_close.apply_async(
        kwargs={
            "timeframe": batch["timeframe"],
            "close_time_ms": batch["close_time_ms"],
            "instrument_ids": [row[0] for row in batch["rows"]],
        }
    )


@shared_task(name="pipeline.decide", queue="pipeline.0")
def decide(*, batch: Batch, predictions: list[dict[str, Any]]) -> None:
    """Decide for every symbol; only entries and exits go on to the exchange."""
    from execution.services.decisions import decide_close
    from markets.services.windows import get_window_store

    windows = get_window_store()
    windows.extend(timeframe=Timeframe(batch["timeframe"]), rows=batch["rows"])
    decision_ids = decide_close(
        timeframe=Timeframe(batch["timeframe"]),
        close_time=from_ms(batch["close_time_ms"]),
        predictions=[PredictionView.from_message(message) for message in predictions],
        windows=windows,
        now=get_clock().now(),
    )
    if decision_ids:
        place_orders_task.apply_async(kwargs={"decision_ids": decision_ids})


def _enqueue(task: Task, *, batch: Batch, **more: Any) -> None:
    """Send the next stage to the queue of the batch's chunk, after the commit of this one."""
    task.apply_async(kwargs={"batch": batch, **more}, queue=f"pipeline.{batch['chunk']}")

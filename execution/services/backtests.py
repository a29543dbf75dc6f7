"""A backtest's life as a row: asked for, run once, told of, finished or failed."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from alerts import push
from core.errors import Conflict, NotFound
from execution.backtest.request import BacktestRequest, parse_request
from execution.models import Backtest

logger = logging.getLogger(__name__)

# What is not done this long after it was asked for was lost.
LEASE = timedelta(hours=6)
PATIENCE = timedelta(minutes=1)
_MAX_WAITING = 20


def create_backtest(*, request: BacktestRequest, actor: str, now: datetime) -> Backtest:
    """Store a request; the caller enqueues its run.

    Raises:
        Conflict: Too many are waiting already.
    """
    waiting = Backtest.objects.filter(
        state__in=[Backtest.State.QUEUED, Backtest.State.RUNNING]
    ).count()
    if waiting >= _MAX_WAITING:
        raise Conflict(
            f"{waiting} backtests are waiting or running; ask again when some are done",
            limit=_MAX_WAITING,
        )
    row = Backtest.objects.create(
        request=request.to_json(),
        symbols=",".join(sorted(request.symbols)),
        interval=request.interval.value,
        strategy=request.strategy,
        created_by=actor,
        created_at=now,
    )
    _announce(row, now=now)
    return row


def begin_backtest(*, backtest_id: int, now: datetime) -> BacktestRequest | None:
    """Take a waiting backtest; None: somebody has taken it already.

    Raises:
        NotFound: There is none.
    """
    if not Backtest.objects.filter(pk=backtest_id).exists():
        raise NotFound(f"Backtest {backtest_id} does not exist", field="id", value=backtest_id)
    taken = Backtest.objects.filter(pk=backtest_id, state=Backtest.State.QUEUED).update(
        state=Backtest.State.RUNNING, started_at=now, stage="loading candles"
    )
    if not taken:
        return None
    row = Backtest.objects.get(pk=backtest_id)
    _announce(row, now=now)
    return parse_request(row.request)


def tell_progress(*, backtest_id: int, fraction: float, stage: str, now: datetime) -> None:
    """Note how far a running backtest is and push it."""
    moved = Backtest.objects.filter(pk=backtest_id, state=Backtest.State.RUNNING).update(
        progress=min(max(fraction, 0.0), 1.0), stage=stage[:64]
    )
    if moved:
        _announce(Backtest.objects.defer("report").get(pk=backtest_id), now=now)


def finish_backtest(*, backtest_id: int, report: Mapping[str, Any], now: datetime) -> None:
    """Keep the report of a running backtest."""
    verdict = report["verdict"]
    moved = Backtest.objects.filter(pk=backtest_id, state=Backtest.State.RUNNING).update(
        state=Backtest.State.DONE,
        progress=1.0,
        stage="",
        verdict=verdict["word"],
        verdict_text=verdict["text"][:400],
        summary=report["summary"],
        report=dict(report),
        finished_at=now,
    )
    if moved:
        _announce(Backtest.objects.defer("report").get(pk=backtest_id), now=now)
        logger.info("backtest.done backtest_id=%s verdict=%s", backtest_id, verdict["word"])


def fail_backtest(*, backtest_id: int, why: str, now: datetime) -> None:
    """Note why a backtest could not be finished."""
    moved = Backtest.objects.filter(
        pk=backtest_id, state__in=[Backtest.State.QUEUED, Backtest.State.RUNNING]
    ).update(state=Backtest.State.FAILED, error=why[:2000], finished_at=now)
    if moved:
        _announce(Backtest.objects.defer("report").get(pk=backtest_id), now=now)
        logger.warning("backtest.failed backtest_id=%s why=%s", backtest_id, why)


def list_waiting(*, now: datetime) -> list[int]:
    """Return backtests whose message was lost, or whose worker is busy, the oldest first."""
    rows = Backtest.objects.filter(state=Backtest.State.QUEUED, created_at__lt=now - PATIENCE)
    return list(rows.order_by("created_at", "id").values_list("pk", flat=True))


def fail_lost_backtests(*, now: datetime, lease: timedelta = LEASE) -> int:
    """Fail what no worker took, or whose worker died; return how many.

    Args:
        now: Market time.
        lease: How much market time a backtest may take from request to report.
    """
    lost = Backtest.objects.filter(
        state__in=[Backtest.State.QUEUED, Backtest.State.RUNNING], created_at__lt=now - lease
    )
    return lost.update(state=Backtest.State.FAILED, error="no worker finished it", finished_at=now)


def _announce(row: Backtest, *, now: datetime) -> None:
    push.publish(
        push.BacktestMessage(
            type="backtest",
            at=now,
            backtest_id=row.pk,
            state=row.state,
            stage=row.stage,
            progress=row.progress,
            verdict=row.verdict,
        )
    )

"""Tasks of backtests. Every worker knows them; the one that runs them imports what they need."""

from typing import Any

from celery import shared_task

from core.celery_outbox import enqueue_on_commit
from core.clock import get_clock
from execution.services.backtests import LEASE, fail_lost_backtests, list_waiting


def enqueue_backtest(backtest_id: int) -> None:
    """Send a stored backtest to the training worker once the transaction, if any, is committed."""
    enqueue_on_commit(run_backtest.name, kwargs={"backtest_id": backtest_id}, queue="train")


@shared_task(name="pipeline.run_backtest", queue="train", ignore_result=True)
def run_backtest(*, backtest_id: int, **_: Any) -> None:
    """Carry out a stored backtest."""
    from tradingsite.replaying import carry_out

    carry_out(backtest_id)


@shared_task(name="pipeline.check_parity", queue="train", ignore_result=True)
def check_parity(**_: Any) -> None:
    """Hold the last day's decisions against a replay."""
    from tradingsite.replaying import compare_last_day

    compare_last_day()


@shared_task(name="pipeline.sweep_backtests", queue="default", ignore_result=True)
def sweep_backtests(**_: Any) -> None:
    """Send what waits again, and give up what no worker finished."""
    clock = get_clock()
    now = clock.now()
    fail_lost_backtests(now=now, lease=clock.protocol(LEASE))
    for backtest_id in list_waiting(now=now):
        enqueue_backtest(backtest_id)

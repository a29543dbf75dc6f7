"""Tasks of execution. Messages are nudges: the guardian finishes what is lost."""

import time
from typing import Any

from celery import shared_task
from django.conf import settings

from core.clock import get_clock
from core.errors import ExchangeError
from execution.adapters.factory import get_broker
from execution.selectors import find_account_id
from execution.services.equity import record_equity
from execution.services.orders import place_orders
from execution.services.reconciliation import reconcile_account


def load_ahead() -> None:
    """Import what placing needs, so that the first order does not wait for it."""
    from execution.adapters import binance_broker  # noqa: F401 - only to have it imported


@shared_task(bind=True, name="execution.place_orders", queue="orders", acks_late=True)
def place_orders_task(self: Any, *, decision_ids: list[int], **_: Any) -> list[int]:
    """Place the orders of these decisions."""
    return place_orders(decision_ids=decision_ids, broker=get_broker(), clock=get_clock())


@shared_task(
    bind=True,
    name="execution.reconcile",
    queue="default",
    acks_late=True,
    autoretry_for=(ExchangeError,),
    max_retries=2,
    retry_backoff=2,
)
def reconcile_task(self: Any, **_: Any) -> bool | None:
    """Compare the account's books with the exchange's."""
    account_id = find_account_id(settings.ACCOUNT_NAME)
    if account_id is None:
        return None
    return reconcile_account(
        account_id=account_id, broker=get_broker(), clock=get_clock(), pause=time.sleep
    ).is_green


@shared_task(bind=True, name="execution.record_equity", queue="default", acks_late=True)
def record_equity_task(self: Any, **_: Any) -> None:
    """Value the account at market."""
    account_id = find_account_id(settings.ACCOUNT_NAME)
    if account_id is not None:
        record_equity(account_id=account_id, now=get_clock().now())

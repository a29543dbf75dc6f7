"""What others may read of execution."""

from collections.abc import Sequence
from typing import TypeVar

from django.db.models import QuerySet

from core.errors import NotFound
from execution.models import Account, Backtest, Decision, Fill, Order, Position, Reconciliation

Row = TypeVar("Row", Position, Order, Fill, Reconciliation)


def get_account(name: str) -> Account:
    """Return an account by name.

    Raises:
        NotFound: There is none; ``open_account`` makes it.
    """
    account = Account.objects.filter(name=name).first()
    if account is None:
        raise NotFound(f"Account {name!r} does not exist", field="account", value=name)
    return account


def find_account_id(name: str) -> int | None:
    """Return the account's key; None before it is opened."""
    return Account.objects.filter(name=name).values_list("pk", flat=True).first()


# --- lists for the API and the pages, newest first ---------------------------------------------


def list_positions(*, account_id: int | None = None) -> QuerySet[Position]:
    """Return positions, the newest first."""
    return _of_account(Position.objects.order_by("-opened_at", "-id"), account_id)


def list_orders(*, account_id: int | None = None) -> QuerySet[Order]:
    """Return orders with their instruments, the newest first."""
    rows = Order.objects.select_related("instrument").order_by("-created_at", "-id")
    return _of_account(rows, account_id)


def list_fills(*, account_id: int | None = None) -> QuerySet[Fill]:
    """Return executions, the newest first."""
    return _of_account(Fill.objects.order_by("-timestamp", "-id"), account_id)


def list_decisions() -> QuerySet[Decision]:
    """Return decisions with instrument and strategy, the newest first."""
    return Decision.objects.select_related("instrument", "strategy").order_by("-close_time", "-id")


def list_accounts() -> QuerySet[Account]:
    """Return accounts with their balances."""
    return Account.objects.prefetch_related("balances").order_by("-created_at", "-id")


def list_backtests() -> QuerySet[Backtest]:
    """Return backtests without their reports, the newest first."""
    return Backtest.objects.defer("report").order_by("-created_at", "-id")


def get_backtest(backtest_id: int) -> Backtest:
    """Return one backtest with its report.

    Raises:
        NotFound: There is none.
    """
    row = Backtest.objects.filter(pk=backtest_id).first()
    if row is None:
        raise NotFound(f"Backtest {backtest_id} does not exist", field="id", value=backtest_id)
    return row


def count_trials(*, symbols: Sequence[str], interval: str) -> int:
    """Return how many backtests these very symbols and candles have seen, failed ones left out."""
    rows = Backtest.objects.filter(symbols=",".join(sorted(symbols)), interval=interval)
    return rows.exclude(state=Backtest.State.FAILED).count()


def latest_reconciliation(*, account_id: int | None = None) -> Reconciliation | None:
    """Return the newest comparison with the exchange; None before the first."""
    rows = _of_account(Reconciliation.objects.order_by("-timestamp", "-id"), account_id)
    return rows.first()


def _of_account(rows: QuerySet[Row], account_id: int | None) -> QuerySet[Row]:
    return rows if account_id is None else rows.filter(account_id=account_id)

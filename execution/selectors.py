"""What others may read of execution."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from django.db.models import Q, QuerySet

from core.errors import NotFound
from execution.domain.order import LIVE_STATES, UNRESOLVED_STATES, Leg, OrderState, OrderType, Side
from execution.models import (
    Account,
    Backtest,
    Balance,
    Decision,
    Difference,
    Fill,
    Order,
    Position,
    Reconciliation,
)
from markets.domain.ticker import Mark
from markets.selectors import list_marks, list_rules
from risk.domain.snapshot import PortfolioSnapshot, RecentOrder, SymbolExposure
from risk.selectors import latest_metrics

Row = TypeVar("Row", Position, Order, Fill, Reconciliation)

ZERO = Decimal(0)
_RECENT = timedelta(minutes=1)
_LIVE = sorted(state.value for state in LIVE_STATES)
_IN_DOUBT = {*(state.value for state in UNRESOLVED_STATES), OrderState.QUARANTINED.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Valuation:
    """What an account is worth at market, quote units.

    Attributes:
        exposure: Open positions and the dust of closed ones, at market.
        missing_marks: Symbols without any price; not empty: the sums are not complete.
    """

    cash: Decimal
    exposure: Decimal
    unrealized_pnl: Decimal
    realized_pnl: Decimal
    open_positions: int
    missing_marks: tuple[str, ...] = ()

    @property
    def equity(self) -> Decimal:
        return self.cash + self.exposure


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


def build_portfolio(*, account_id: int, now: datetime) -> PortfolioSnapshot:
    """Return the account for the gate: a fixed number of queries, whatever its history.

    Read inside the transaction that holds ``lock_account``. Everything live counts whole.
    """
    account = Account.objects.get(pk=account_id)
    balances = {row.asset: row.total for row in Balance.objects.filter(account_id=account_id)}
    positions = _held_positions(account_id)
    orders = list(Order.objects.filter(account_id=account_id, state__in=_LIVE).order_by("pk"))
    touched = {row.instrument_id for row in positions}
    touched |= {row.instrument_id for row in orders}
    marks = list_marks(touched) if touched else {}
    metrics = latest_metrics(account_id=account_id)
    value = _value(account=account, balances=balances, positions=positions, marks=marks)
    equity = None if value.missing_marks else value.equity
    # Not compared since the start, or something is left to settle: nothing new.
    is_closed = account.ready_at is None or has_open_differences(account_id=account_id)
    return PortfolioSnapshot(
        account_id=account_id,
        as_of=now,
        equity=equity,
        day_start_equity=metrics.day_start_equity if metrics else equity,
        high_water_mark=metrics.high_water_mark if metrics else equity,
        quote_balance=value.cash,
        reserved_quote=sum((order.reserved_quantity for order in orders), ZERO),
        exposures=_exposures(
            positions=positions, orders=orders, marks=marks, balances=balances, ids=touched
        ),
        live_keys=frozenset(intent_key(order) for order in orders),
        recent_orders=_recent_orders(account_id=account_id, now=now),
        last_reconciled_at=None if is_closed else account.reconciled_at,
    )


def has_open_differences(*, account_id: int) -> bool:
    """Tell whether our books and the exchange's differ in something that nobody has settled."""
    return Difference.objects.filter(account_id=account_id, status=Difference.Status.OPEN).exists()


def value_account(*, account_id: int) -> Valuation:
    """Return the account's worth at market now."""
    account = Account.objects.get(pk=account_id)
    positions = _held_positions(account_id)
    balances = {row.asset: row.total for row in Balance.objects.filter(account_id=account_id)}
    ids = {row.instrument_id for row in positions}
    value = _value(
        account=account,
        balances=balances,
        positions=positions,
        marks=list_marks(ids) if ids else {},
    )
    closed = Position.objects.filter(account_id=account_id, status=Position.Status.CLOSED)
    realized = sum((row.realized_pnl for row in positions), ZERO) + sum(
        closed.exclude(has_dust=True).values_list("realized_pnl", flat=True).iterator(), ZERO
    )
    return replace(value, realized_pnl=realized)


def intent_key(order: Order) -> str:
    """Return the gate's name of the intent that the order came from."""
    if order.decision_id is not None:
        key = f"decision:{order.decision_id}"
    elif order.idempotency_key is not None:
        key = f"manual:{order.idempotency_key}"
    else:
        key = f"position:{order.position_id}"
    return f"{key}:{order.leg}:{order.attempt}"


def _held_positions(account_id: int) -> list[Position]:
    return list(
        Position.objects.filter(
            Q(status=Position.Status.OPEN) | Q(has_dust=True), account_id=account_id
        ).order_by("pk")
    )


def _value(
    *,
    account: Account,
    balances: dict[str, Decimal],
    positions: Sequence[Position],
    marks: dict[int, Mark],
) -> Valuation:
    exposure = unrealized = ZERO
    missing = []
    for row in positions:
        mark = marks.get(row.instrument_id)
        if mark is None:
            missing.append(row.symbol)
            continue
        held = (row.quantity or row.dust_quantity) * mark.price
        exposure += held
        unrealized += held - row.cost_quote
    return Valuation(
        cash=balances.get(account.quote_asset, ZERO),
        exposure=exposure,
        unrealized_pnl=unrealized,
        realized_pnl=ZERO,
        open_positions=sum(row.status == Position.Status.OPEN for row in positions),
        missing_marks=tuple(sorted(missing)),
    )


def _exposures(
    *,
    positions: Sequence[Position],
    orders: Sequence[Order],
    marks: dict[int, Mark],
    balances: dict[str, Decimal],
    ids: Iterable[int],
) -> dict[int, SymbolExposure]:
    rules = list_rules(ids)
    exposures = {
        key: SymbolExposure(
            instrument_id=key,
            symbol=rule.symbol,
            mark_price=marks[key].price if key in marks else None,
            base_balance=balances.get(rule.base_asset, ZERO),
        )
        for key, rule in rules.items()
    }
    for row in positions:
        if row.status == Position.Status.OPEN.value and row.instrument_id in exposures:
            before = exposures[row.instrument_id]
            exposures[row.instrument_id] = replace(before, position_quantity=row.quantity)
    for order in orders:
        if order.instrument_id in exposures:
            before = exposures[order.instrument_id]
            exposures[order.instrument_id] = _with_order(before, order)
    return exposures


def _with_order(exposure: SymbolExposure, order: Order) -> SymbolExposure:
    """Count one live order with its whole unfilled quantity."""
    left = max(ZERO, order.quantity - order.filled_quantity)
    is_list = order.type == OrderType.OCO.value
    is_leg = order.parent_id is not None
    exposure = replace(
        exposure,
        has_unresolved=exposure.has_unresolved or order.state in _IN_DOUBT,
        open_orders=exposure.open_orders + (not is_list),
        open_algo_orders=exposure.open_algo_orders + (not is_list and order.stop_price is not None),
    )
    if is_leg:
        return exposure  # the list stands for both: it locks its quantity once
    if order.side == Side.BUY.value:
        price = max(order.price or ZERO, exposure.mark_price or ZERO)
        return replace(
            exposure,
            pending_buy_quantity=exposure.pending_buy_quantity + left,
            pending_buy_notional=exposure.pending_buy_notional + left * price,
        )
    if order.leg == Leg.PROTECT.value:
        return replace(exposure, protective_quantity=exposure.protective_quantity + left)
    return replace(exposure, pending_exit_quantity=exposure.pending_exit_quantity + left)


def _recent_orders(*, account_id: int, now: datetime) -> tuple[RecentOrder, ...]:
    rows = (
        Order.objects.filter(account_id=account_id, created_at__gte=now - _RECENT)
        .exclude(state__in=[OrderState.DENIED.value, OrderState.LAPSED.value])
        .filter(leg__in=[Leg.ENTRY.value, Leg.EXIT.value, Leg.MANUAL.value])
        .order_by("pk")
        .values_list("instrument_id", "strategy_id", "side", "quantity", "price", "created_at")
    )
    return tuple(
        RecentOrder(
            instrument_id=instrument_id,
            strategy_id=strategy_id,
            side=side,
            quantity=quantity,
            price=price,
            created_at=created_at,
        )
        for instrument_id, strategy_id, side, quantity, price, created_at in rows
    )


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

"""The account as gate and charts see it: what is held, what may yet be, what it is worth."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from django.db.models import Max

from execution.domain.order import RESTING_STATES, UNRESOLVED_STATES, Leg, OrderState, Side
from execution.models import Account, Balance, LedgerEntry, Position
from execution.services.portfolio_rows import (
    HeldRow,
    LegRow,
    LiveRow,
    list_held,
    list_legs,
    list_orders,
    list_owned,
)
from markets.domain.ticker import Mark
from markets.selectors import list_marks, list_rules
from risk.domain.metrics import Worth
from risk.domain.order_forms import FORMS, worst_price
from risk.domain.snapshot import PortfolioSnapshot, SymbolExposure
from risk.selectors import latest_basis, latest_point

ZERO = Decimal(0)
_Row = TypeVar("_Row", LiveRow, LegRow)
_RESTING = {state.value for state in RESTING_STATES}
_IN_DOUBT = {*(state.value for state in UNRESOLVED_STATES), OrderState.QUARANTINED.value}
# Compared with every row, and reading them from their enumeration takes longer than comparing.
_OPEN, _BUY, _PROTECT = Position.Status.OPEN.value, Side.BUY.value, Leg.PROTECT.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Valuation(Worth):
    """What an account is worth at market; the dust of closed positions counts.

    Attributes:
        missing_marks: Symbols without any price; not empty: the sums are not complete.
    """

    missing_marks: tuple[str, ...] = ()


class Intended(Protocol):
    """What names the intent that an order came from; a row, or these columns of one."""

    @property
    def intent_key(self) -> str: ...
    @property
    def decision_id(self) -> int | None: ...
    @property
    def idempotency_key(self) -> str | None: ...
    @property
    def position_id(self) -> int | None: ...
    @property
    def leg(self) -> str: ...
    @property
    def attempt(self) -> int: ...


def build_portfolio(
    *, account_id: int, now: datetime, without: Collection[int] = ()
) -> PortfolioSnapshot:
    """Return the account for the gate: a fixed number of queries, whatever its history.

    Read inside the transaction that holds ``lock_account``. Everything live counts whole, but for
    the orders in `without`: those that are gone before what is asked for can exist.
    """
    owned = list_owned(account_id)
    quote_asset, ready_at, reconciled_at, has_differences = owned[0][:4]
    balances = {row.asset: row.total for row in owned if row.asset is not None}
    positions = list_held(account_id)
    orders, recent = list_orders(account_id=account_id, now=now, without=without)
    legs = list_legs(account_id)
    rows: list[HeldRow | LiveRow | LegRow] = [*positions, *orders, *legs]
    touched = {row.instrument_id for row in rows}
    marks = list_marks(touched) if touched else {}
    metrics = latest_point(account_id=account_id)
    value = _value(
        cash=balances.get(quote_asset, ZERO), positions=positions, marks=marks, realized=ZERO
    )
    equity = None if value.missing_marks else value.equity
    # Not compared since the start, or something is left to settle: nothing new.
    is_closed = ready_at is None or has_differences
    return PortfolioSnapshot(
        account_id=account_id,
        as_of=now,
        equity=equity,
        day_start_equity=metrics.day_start_equity if metrics else equity,
        high_water_mark=metrics.high_water_mark if metrics else equity,
        quote_balance=value.cash,
        reserved_quote=sum((order.reserved_quantity for order in orders), ZERO),
        exposures=_exposures(
            positions=positions,
            orders=orders,
            legs=legs,
            marks=marks,
            balances=balances,
            ids=touched,
        ),
        live_keys=frozenset(intent_key(order) for order in orders),
        recent_orders=recent,
        last_reconciled_at=None if is_closed else reconciled_at,
    )


def value_account(*, account_id: int) -> Valuation:
    """Return the account's worth at market now.

    For figures that belong to one moment the caller holds ``lock_account``.
    """
    account = Account.objects.get(pk=account_id)
    balances = dict(Balance.objects.filter(account=account).values_list("asset", "total"))
    positions = list_held(account_id)
    ids = {row.instrument_id for row in positions}
    closed = Position.objects.filter(account_id=account_id, status=Position.Status.CLOSED)
    realized = sum((row.realized_pnl for row in positions), ZERO) + sum(
        closed.exclude(has_dust=True).values_list("realized_pnl", flat=True).iterator(), ZERO
    )
    marks = list_marks(ids) if ids else {}
    value = _value(
        cash=balances.get(account.quote_asset, ZERO),
        positions=positions,
        marks=marks,
        realized=realized,
    )
    basis = {
        "entry": LedgerEntry.objects.filter(account=account).aggregate(Max("pk"))["pk__max"],
        "marks": {str(key): format(marks[key].price, "f") for key in sorted(marks)},
    }
    flow = _flow_since(account, latest_basis(account_id=account_id).get("entry"))
    return replace(value, flow=flow, basis=basis)


def _flow_since(account: Account, entry_id: int | None) -> Decimal:
    """Return deposits less withdrawals of quote since an entry; None: since nothing yet."""
    if entry_id is None:
        return ZERO
    rows = LedgerEntry.objects.filter(
        account=account,
        kind=LedgerEntry.Kind.EXTERNAL,
        asset=account.quote_asset,
        pk__gt=entry_id,
    )
    return sum(rows.values_list("change", flat=True), ZERO)


def intent_key(order: Intended) -> str:
    """Return the gate's name of the intent that the order came from."""
    if order.intent_key:
        return order.intent_key
    if order.decision_id is not None:
        key = f"decision:{order.decision_id}"
    elif order.idempotency_key is not None:
        key = f"manual:{order.idempotency_key}"
    else:
        key = f"position:{order.position_id}"
    return f"{key}:{order.leg}:{order.attempt}"


def _value(
    *, cash: Decimal, positions: Sequence[HeldRow], marks: Mapping[int, Mark], realized: Decimal
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
        cash=cash,
        exposure=exposure,
        unrealized_pnl=unrealized,
        realized_pnl=realized,
        open_positions=sum(row.status == _OPEN for row in positions),
        missing_marks=tuple(sorted(missing)),
    )


def _exposures(
    *,
    positions: Sequence[HeldRow],
    orders: Sequence[LiveRow],
    legs: Sequence[LegRow],
    marks: Mapping[int, Mark],
    balances: Mapping[str, Decimal],
    ids: Iterable[int],
) -> dict[int, SymbolExposure]:
    held = {row.instrument_id: row.quantity for row in positions if row.status == _OPEN}
    live, live_legs = _by_instrument(orders), _by_instrument(legs)
    return {
        key: SymbolExposure(
            instrument_id=key,
            symbol=rule.symbol,
            position_quantity=held.get(key, ZERO),
            mark_price=marks[key].price if key in marks else None,
            base_balance=balances.get(rule.base_asset, ZERO),
            **_of_orders(live[key], live_legs[key], mark=marks.get(key)),
        )
        for key, rule in list_rules(ids).items()
    }


def _by_instrument(rows: Iterable[_Row]) -> defaultdict[int, list[_Row]]:
    found: defaultdict[int, list[_Row]] = defaultdict(list)
    for row in rows:
        found[row.instrument_id].append(row)
    return found


@dataclass(slots=True)
class _Pending:
    """Sums over a symbol's live orders, each with its whole unfilled quantity."""

    buy_quantity: Decimal = ZERO
    buy_notional: Decimal = ZERO
    exit_quantity: Decimal = ZERO
    protective_quantity: Decimal = ZERO


def _of_orders(
    orders: Sequence[LiveRow], legs: Sequence[LegRow], *, mark: Mark | None
) -> dict[str, Any]:
    """Return what a symbol's live orders add to its exposure."""
    pending = _Pending()
    for order in orders:
        if not _waits(order):
            # A list stands for both of its legs: it locks its quantity once.
            _add(pending, order, mark_price=mark.price if mark else ZERO)
    rows: list[LiveRow | LegRow] = [*orders, *legs]
    at_exchange = [FORMS[row.type] for row in rows if not FORMS[row.type].legs]
    return {
        "pending_buy_quantity": pending.buy_quantity,
        "pending_buy_notional": pending.buy_notional,
        "pending_exit_quantity": pending.exit_quantity,
        "protective_quantity": pending.protective_quantity,
        "has_unresolved": any(row.state in _IN_DOUBT for row in rows),
        "open_orders": len(at_exchange),
        "open_algo_orders": sum(form.algo_orders for form in at_exchange),
    }


def _add(pending: _Pending, order: LiveRow, *, mark_price: Decimal) -> None:
    left = max(ZERO, order.quantity - order.filled_quantity)
    if order.side == _BUY:
        pending.buy_quantity += left
        worst = worst_price(
            reference=mark_price,
            price=order.price,
            stop_price=order.stop_price,
            stop_limit_price=order.leg_limit_price,
            trailing_delta_bps=order.trailing_delta_bps,
        )
        pending.buy_notional += left * (worst or ZERO)
    elif order.leg == _PROTECT or _is_attached_stop(order):
        pending.protective_quantity += left
    else:
        pending.exit_quantity += left


def _waits(order: LiveRow) -> bool:
    """Tell whether it is a pair whose entry is not filled yet: it would sell nothing of now."""
    return order.working_id is not None and order.state not in _RESTING


def _is_attached_stop(order: LiveRow) -> bool:
    """Tell whether it is somebody else's stop that protects a position: an exit cancels it."""
    is_theirs = order.leg == Leg.EXTERNAL.value and order.position_id is not None
    return is_theirs and order.stop_price is not None

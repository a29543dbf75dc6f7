"""What the gate reads of an account: columns, not rows of models, and prepared queries.

It does so for every batch of orders, and the orders wait meanwhile.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Exists, Q, QuerySet

from core.prepared import PreparedQuery
from execution.domain.order import LIVE_STATES, Leg, OrderState
from execution.models import Account, Difference, Order, Position
from risk.domain.snapshot import RecentOrder

_RECENT = timedelta(minutes=1)
_LIVE = sorted(state.value for state in LIVE_STATES)
# What may be a repetition: wanted by somebody, and not refused here.
_WANTED = (Leg.ENTRY.value, Leg.EXIT.value, Leg.MANUAL.value)
_REFUSED = (OrderState.DENIED.value, OrderState.LAPSED.value)


class OwnedRow(NamedTuple):
    """An account beside one of its balances; one without any beside nothing."""

    quote_asset: str
    ready_at: datetime | None
    reconciled_at: datetime | None
    has_differences: bool
    asset: str | None
    total: Decimal


class HeldRow(NamedTuple):
    """Columns of a position that is open or has left dust."""

    instrument_id: int
    symbol: str
    status: str
    quantity: Decimal
    dust_quantity: Decimal
    cost_quote: Decimal
    realized_pnl: Decimal


class LiveRow(NamedTuple):
    """Columns of an order that is not final, or that is of the last minute; of lists the whole."""

    pk: int
    created_at: datetime
    strategy_id: int | None
    instrument_id: int
    working_id: int | None
    leg: str
    type: str
    side: str
    state: str
    quantity: Decimal
    filled_quantity: Decimal
    price: Decimal | None
    stop_price: Decimal | None
    leg_limit_price: Decimal | None
    trailing_delta_bps: int | None
    reserved_quantity: Decimal
    intent_key: str
    decision_id: int | None
    idempotency_key: str | None
    position_id: int | None
    attempt: int


class LegRow(NamedTuple):
    """Columns of a list's leg that is not final; the list stands for all else."""

    instrument_id: int
    type: str
    state: str


def _owned(account_id: Any) -> QuerySet[Any, Any]:
    differences = Difference.objects.filter(account_id=account_id, status=Difference.Status.OPEN)
    columns = ("quote_asset", "ready_at", "reconciled_at", Exists(differences))
    rows = Account.objects.filter(pk=account_id)
    return rows.values_list(*columns, "balances__asset", "balances__total")


def _held(account_id: Any) -> QuerySet[Any, Any]:
    rows = Position.objects.filter(Q(status=Position.Status.OPEN) | Q(has_dust=True))
    return rows.filter(account_id=account_id).order_by("pk").values_list(*HeldRow._fields)


def _live_or_recent(account_id: Any, since: Any) -> QuerySet[Any, Any]:
    recent = Q(created_at__gte=since, leg__in=_WANTED) & ~Q(state__in=_REFUSED)
    wholes = Order.objects.filter(account_id=account_id, parent__isnull=True)
    rows = wholes.filter(Q(state__in=_LIVE) | recent)
    return rows.order_by("pk").values_list(*LiveRow._fields)


def _legs(account_id: Any) -> QuerySet[Any, Any]:
    rows = Order.objects.filter(account_id=account_id, parent__isnull=False, state__in=_LIVE)
    return rows.values_list(*LegRow._fields)


_OWNED = PreparedQuery(_owned, "account_id")
_HELD = PreparedQuery(_held, "account_id")
_LIVE_OR_RECENT = PreparedQuery(_live_or_recent, "account_id", "since")
_LEGS = PreparedQuery(_legs, "account_id")


def list_owned(account_id: int) -> list[OwnedRow]:
    """Return the account beside each of its balances."""
    return [OwnedRow(*row) for row in _OWNED(account_id=account_id)]


def list_held(account_id: int) -> list[HeldRow]:
    """Return what is held, with the dust of what was."""
    return [HeldRow(*row) for row in _HELD(account_id=account_id)]


def list_orders(
    *, account_id: int, now: datetime, without: Collection[int]
) -> tuple[list[LiveRow], tuple[RecentOrder, ...]]:
    """Return what is live, without legs, and what was wanted within the last minute."""
    since = now - _RECENT
    rows = [LiveRow(*row) for row in _LIVE_OR_RECENT(account_id=account_id, since=since)]
    rows = [row for row in rows if row.pk not in without]
    recent = (
        RecentOrder(
            instrument_id=row.instrument_id,
            strategy_id=row.strategy_id,
            side=row.side,
            quantity=row.quantity,
            price=row.price,
            created_at=row.created_at,
        )
        for row in rows
        if row.created_at >= since and row.leg in _WANTED and row.state not in _REFUSED
    )
    return [row for row in rows if row.state in _LIVE], tuple(recent)


def list_legs(account_id: int) -> list[LegRow]:
    """Return the legs that are live."""
    return [LegRow(*row) for row in _LEGS(account_id=account_id)]

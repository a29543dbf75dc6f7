"""Comparing our books with the exchange's, exactly.

Missed reports and trades are booked; what is left over after that is a difference, and a
difference closes the door for entries.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from alerts.services.raising import raise_alert
from core.build import get_build
from core.clock import Clock
from core.crashpoints import crashpoint
from core.recording.calls import taped
from execution.domain.order import LIST_TYPES, RESTING_STATES, OrderState
from execution.models import Account, Order, Position, Reconciliation
from execution.ports import Broker
from execution.services.balances import compare_balances, take_opening
from execution.services.cancels import refresh_orders
from execution.services.completing import record_complete
from execution.services.differences import note_differences
from execution.services.loose_orders import find_loose_orders
from execution.services.replay import find_wrong_positions
from execution.services.trade_check import check_trades
from markets.selectors import list_rules
from risk.domain.trading_state import Level
from risk.services.trading_state import raise_level

logger = logging.getLogger(__name__)

Pause = Callable[[float], None]
_RESTING = [state.value for state in RESTING_STATES]


@dataclass(slots=True, kw_only=True)
class Comparison:
    """One comparison while it is made; differences as the stored row keeps them."""

    differences: list[dict[str, Any]] = field(default_factory=list)
    orders: int = 0
    trades: int = 0
    assets: int = 0


def sync_orders(*, account_id: int, broker: Broker, clock: Clock) -> Comparison:
    """Compare open orders, and book what we missed of them: one request plus one per difference.

    Raises:
        ExchangeError: The exchange could not answer.
    """
    found = Comparison()
    reports = broker.open_orders()
    at_venue = {report.client_order_id for report in reports}
    numbers = {report.venue_order_id for report in reports}
    rows = Order.objects.filter(
        account_id=account_id, state__in=[*_RESTING, OrderState.PENDING_NEW.value]
    )
    # What waits for an entry that rests is asked for with the entry.
    waiting = Q(state=OrderState.PENDING_NEW.value, parent__working__state__in=_RESTING)
    shown = list(
        rows.exclude(type__in=[kind.value for kind in LIST_TYPES]).exclude(waiting).order_by("pk")
    )
    found.orders = len(reports)
    record_complete(account_id=account_id, reports=reports, broker=broker, now=clock.now())
    gone = [
        order
        for order in shown
        if order.client_order_id not in at_venue and order.venue_order_id not in numbers
    ]
    refresh_orders(orders=gone, broker=broker, clock=clock)
    after = dict(Order.objects.filter(pk__in=[row.pk for row in gone]).values_list("pk", "state"))
    found.differences += [
        {"kind": "ORDER_NOT_AT_EXCHANGE", "order_id": row.pk, "name": row.client_order_id}
        for row in gone
        # No document says that the exchange lists what waits among what is open.
        if after[row.pk] == row.state != OrderState.PENDING_NEW.value
    ]
    return found


@taped
def reconcile_account(
    *,
    account_id: int,
    broker: Broker,
    clock: Clock,
    pause: Pause,
    accept_external: str = "",
) -> Reconciliation:
    """Compare orders, trades, balances and positions to the last digit; store the result.

    The first run takes the opening balances. Green lets the gate pass entries; red raises the
    kill switch to REDUCE_ONLY and alerts.

    Args:
        account_id: Whose books.
        broker: The exchange.
        clock: The market's time.
        pause: Waits wall seconds between two looks at balances that move.
        accept_external: A person's reason to enter unexplained differences into the ledger as
            deposits or withdrawals; empty accepts none.

    Raises:
        ExchangeError: The exchange could not answer; nothing is concluded.
    """
    account = Account.objects.get(pk=account_id)
    if account.opened_at is None:
        take_opening(account=account, broker=broker, clock=clock)
    comparison = sync_orders(account_id=account_id, broker=broker, clock=clock)
    checked = check_trades(
        account=account, instrument_ids=_active(account), broker=broker, clock=clock
    )
    comparison.trades += checked.compared
    comparison.differences += checked.differences
    balances = compare_balances(
        account=account,
        broker=broker,
        clock=clock,
        pause=pause,
        accept_external=accept_external,
    )
    comparison.assets = balances.compared
    comparison.trades += balances.trades_compared
    comparison.differences += balances.differences
    comparison.differences += find_wrong_positions(account_id=account_id)
    comparison.differences += find_loose_orders(account_id=account_id, clock=clock)
    crashpoint("reconcile.before_conclude")
    return _conclude(account=account, comparison=comparison, clock=clock)


def _active(account: Account) -> Sequence[int]:
    """Return the instruments that may have traded since the last green comparison."""
    changed = Q(updated_at__gte=account.reconciled_at) if account.reconciled_at else Q()
    live = Q(state__in=_RESTING)
    orders = Order.objects.filter(changed | live, account=account)
    held = Position.objects.filter(account=account, status=Position.Status.OPEN)
    ids = {*orders.values_list("instrument_id", flat=True)}
    ids |= {*held.values_list("instrument_id", flat=True)}
    return sorted(ids & set(list_rules()))


def close_gate(*, account_id: int) -> None:
    """Let nothing leave until a comparison with the exchange is complete: the system starts."""
    Account.objects.filter(pk=account_id).update(ready_at=None)


def _conclude(*, account: Account, comparison: Comparison, clock: Clock) -> Reconciliation:
    now = clock.now()
    red = note_differences(account_id=account.pk, found=comparison.differences, now=now)
    is_green = not red
    # Complete, whatever it found: what differs closes the door for entries by the level below.
    Account.objects.filter(pk=account.pk, ready_at__isnull=True).update(
        ready_at=now, ready_build=get_build()
    )
    row = Reconciliation.objects.create(
        account=account,
        is_green=is_green,
        differences=comparison.differences,
        orders_compared=comparison.orders,
        trades_compared=comparison.trades,
        assets_compared=comparison.assets,
        timestamp=now,
    )
    if is_green:
        Account.objects.filter(pk=account.pk).update(reconciled_at=now)
        return row
    first = red[0]
    raise_alert(
        code="RECONCILE_MISMATCH",
        severity="CRITICAL",
        message=f"Our books differ from the exchange's: {first}",
        context={"differences": red, "reconciliation_id": row.pk},
        dedupe_key=f"RECONCILE_MISMATCH:{account.pk}",
        now=now,
    )
    if _looks_wiped(account, comparison):
        # A test network begins anew now and then: there is nothing to protect or to sell there.
        level = Level.HALT
        reason = "the exchange knows none of our orders and other balances: it was wiped"
    else:
        level, reason = Level.REDUCE_ONLY, f"reconciliation is red: {first.get('kind')}"
    raise_level(level=level, reason=reason, actor="auto:reconciliation", now=now)
    return row


def _looks_wiped(account: Account, comparison: Comparison) -> bool:
    """Tell whether every order that should rest is unknown there, and balances differ too."""
    kinds = Counter(item["kind"] for item in comparison.differences)
    resting = Order.objects.filter(account=account, state__in=_RESTING).exclude(
        type__in=[kind.value for kind in LIST_TYPES]
    )
    vanished = kinds["ORDER_NOT_AT_EXCHANGE"]
    return bool(vanished and kinds["BALANCE_DIFFERS"] and vanished == resting.count())

"""Keeping every open position under its protective orders."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from django.db import transaction

from alerts.services.raising import raise_alert
from core.clock import Clock
from core.crashpoints import crashpoint
from execution.domain.order import RESTING_STATES, Leg, OrderState, OrderType
from execution.models import Account, Order, Position
from execution.ports import Broker
from execution.services.books import live_orders_of
from execution.services.cancels import cancel_orders
from execution.services.claims import claim_orders
from execution.services.exits import exit_positions, release_protection
from execution.services.mending import mend
from execution.services.protective_parts import list_full_symbols
from execution.services.protective_rows import insert_pairs, plan_for, uncovered
from execution.services.sending import send_claims
from markets.selectors import list_rules
from risk.domain.trading_state import Purpose
from risk.selectors import get_limits
from risk.services.trading_state import lock_account, read_states

logger = logging.getLogger(__name__)

# Without a stop at the exchange for this long, a position is sold.
LONGEST_UNPROTECTED = timedelta(seconds=10)


def send_protection(*, list_ids: Sequence[int], broker: Broker, clock: Clock) -> None:
    """Send protective orders that wait; one that is refused closes its position at once.

    Unless the fault was ours and is mended: then it is planned anew, once.
    """
    refused = _send(list_ids, broker=broker, clock=clock)
    if refused.mended:
        again = [
            order_id
            for account_id, keys in refused.mended.items()
            for order_id in _insert(account_id=account_id, position_ids=keys, clock=clock)
        ]
        second = _send(again, broker=broker, clock=clock)
        for account_id, keys in [*second.mended.items(), *second.final.items()]:
            refused.final.setdefault(account_id, []).extend(keys)
    for account_id, position_ids in refused.final.items():
        _exit_unprotected(
            account_id=account_id,
            position_ids=position_ids,
            why="the exchange refused the protective orders",
            broker=broker,
            clock=clock,
        )


@dataclass(slots=True)
class _Refused:
    """Positions whose protection was refused, by account: for a mended cause, or for good."""

    mended: dict[int, list[int]] = field(default_factory=dict)
    final: dict[int, list[int]] = field(default_factory=dict)


def _send(list_ids: Sequence[int], *, broker: Broker, clock: Clock) -> _Refused:
    refused = _Refused()
    if not list_ids:
        return refused
    crashpoint("protect.before_claim")
    release_protection(order_ids=list_ids, broker=broker, clock=clock)
    claims = claim_orders(order_ids=list_ids, clock=clock)
    sent = send_claims(claims=claims, broker=broker, clock=clock)
    mended = mend(
        {order.pk: order for order in sent.rejected}, sent.mendable, broker=broker, clock=clock
    )
    for order in sent.rejected:
        # What a person chose and the exchange refused is replaced by our own in the next round.
        if order.position_id is None or order.idempotency_key is not None:
            continue
        where = refused.mended if order.pk in mended else refused.final
        where.setdefault(order.account_id, []).append(order.position_id)
    return refused


def protect_positions(*, account_id: int, broker: Broker, clock: Clock) -> int:
    """Find open positions without orders that cover them, and protect or close them.

    Returns:
        How many positions were found wanting.
    """
    states = read_states()
    rows = Position.objects.filter(account_id=account_id, status=Position.Status.OPEN)
    positions = {
        row.pk: row
        for row in rows.select_related("account")
        if states.of(row.scopes).permits(Purpose.PROTECT)
    }
    if not positions:
        return 0
    live: dict[int, list[Order]] = {key: [] for key in positions}
    for order in live_orders_of(positions, (Leg.PROTECT, Leg.EXIT)):
        if order.position_id is not None:
            live[order.position_id].append(order)
    stopped = _with_live_stops(live)
    waiting: list[int] = []
    bare: list[int] = []
    useless: list[Order] = []
    grown: list[list[Order]] = []
    for key, position in positions.items():
        need = _need(position, live[key], stopped=stopped)
        if need == "SEND":
            waiting += [row.pk for row in live[key] if row.state == OrderState.APPROVED.value]
        elif need == "INSERT":
            bare.append(key)
            ours = _ours(live[key])
            without_stop = [row for row in ours if row.pk not in stopped]
            useless += without_stop
            if ours and not without_stop:
                grown.append(ours)
    useless += _in_the_way(account_id, grown)
    cancel_orders(orders=useless, broker=broker, clock=clock)
    waiting += _insert(account_id=account_id, position_ids=bare, clock=clock)
    send_protection(list_ids=waiting, broker=broker, clock=clock)
    _close_overdue(account_id=account_id, position_ids=bare, broker=broker, clock=clock)
    return len(waiting) + len(bare)


def _with_live_stops(live: dict[int, list[Order]]) -> set[int]:
    """Return the orders whose stop rests: a take-profit that fills in part ends its stop."""
    orders = [order for rows in live.values() for order in rows]
    lists = [order.pk for order in orders if OrderType(order.type).is_list]
    legs = Order.objects.filter(
        parent_id__in=lists,
        leg=Leg.STOP_LOSS.value,
        state__in=[state.value for state in RESTING_STATES],
    )
    alone = {
        order.pk
        for order in orders
        if order.pk not in {*lists} and OrderType(order.type).form.is_stop
    }
    return alone | {key for key in legs.values_list("parent_id", flat=True) if key is not None}


def _ours(orders: Sequence[Order]) -> list[Order]:
    """Return the protective orders that no person placed."""
    return [row for row in orders if row.leg == Leg.PROTECT.value and row.idempotency_key is None]


def _need(position: Position, live: Sequence[Order], *, stopped: set[int]) -> str:
    """Return what the position lacks: SEND, INSERT, or nothing (empty)."""
    rules = list_rules([position.instrument_id])[position.instrument_id]
    guards = [row for row in live if row.leg == Leg.PROTECT.value or row.is_attached]
    exits = [order for order in live if order.leg == Leg.EXIT.value]
    wanted = rules.quantize_quantity(max(Decimal(0), position.quantity - _left(exits)))
    if not wanted:
        return ""
    if any(order.state == OrderState.APPROVED.value for order in guards):
        return "SEND"
    if any(OrderState(order.state) not in RESTING_STATES for order in guards):
        return ""  # being sent or in doubt: the resolver's business
    left = wanted - _left([order for order in guards if order.pk in stopped])
    if left <= 0:
        return ""
    limits = get_limits()
    if guards and all(order.pk in stopped for order in guards) and limits is not None:
        # A part that is too small for a stop of its own waits until more is bought, or all is sold.
        plan = plan_for(position, limits=limits, rules=rules, quantity=left)
        return "" if plan is None else "INSERT"
    return "INSERT"


def _in_the_way(account_id: int, grown: Sequence[Sequence[Order]]) -> list[Order]:
    """Return the smallest order of each position that grew where no further stop is taken.

    It alone is given up for a moment: what comes in its place covers the new part too.
    """
    instruments = {orders[0].instrument_id for orders in grown}
    full = list_full_symbols(
        account_id=account_id, instrument_ids=instruments, rules=list_rules(instruments)
    )
    return [
        min(orders, key=lambda order: order.quantity - order.filled_quantity)
        for orders in grown
        if orders[0].instrument_id in full
    ]


def _left(orders: Sequence[Order]) -> Decimal:
    return sum((order.quantity - order.filled_quantity for order in orders), Decimal(0))


@transaction.atomic
def _insert(*, account_id: int, position_ids: Sequence[int], clock: Clock) -> list[int]:
    """Insert pairs for positions that still lack one now that the account is locked."""
    if not position_ids:
        return []
    lock_account(account_id)
    rows = Position.objects.filter(pk__in=position_ids, status=Position.Status.OPEN)
    positions = {row.pk: row for row in rows.select_for_update()}
    rules = list_rules({row.instrument_id for row in positions.values()})
    left = uncovered(positions, rules=rules)
    return insert_pairs(
        account=Account.objects.get(pk=account_id),
        positions={key: positions[key] for key in left},
        quantities=left,
        rules=rules,
        now=clock.now(),
    )


def _close_overdue(
    *, account_id: int, position_ids: Sequence[int], broker: Broker, clock: Clock
) -> None:
    """Sell what has been without protection for too long; write off what nobody would buy."""
    deadline = clock.now() - clock.protocol(LONGEST_UNPROTECTED)
    rows = Position.objects.filter(
        pk__in=list(position_ids), status=Position.Status.OPEN, updated_at__lt=deadline
    )
    covered = {order.position_id for order in live_orders_of(position_ids, (Leg.PROTECT, Leg.EXIT))}
    overdue = []
    for position in rows:
        if position.pk in covered:
            continue
        if _is_unsellable(position):
            _write_off(position, clock=clock)
        else:
            overdue.append(position.pk)
    if overdue:
        _exit_unprotected(
            account_id=account_id,
            position_ids=overdue,
            why="no protective pair could be placed",
            broker=broker,
            clock=clock,
        )


def _is_unsellable(position: Position) -> bool:
    """Tell whether the exchange would take neither a pair nor a sale of so little."""
    limits = get_limits()
    rules = list_rules([position.instrument_id])[position.instrument_id]
    if limits is None or plan_for(position, limits=limits, rules=rules) is not None:
        return False
    worth = rules.quantize_quantity(position.quantity) * position.average_entry_price
    return worth < rules.min_notional or position.quantity < rules.min_quantity


@transaction.atomic
def _write_off(position: Position, *, clock: Clock) -> None:
    """Close a position that is too small to sell; the next one in the symbol carries it on."""
    lock_account(position.account_id)
    now = clock.now()
    # An older dust of the symbol was carried by this very position when it opened.
    Position.objects.filter(
        pk=position.pk, status=Position.Status.OPEN, updated_at=position.updated_at
    ).update(
        status=Position.Status.CLOSED,
        dust_quantity=position.quantity,
        quantity=0,
        has_dust=True,
        closed_at=now,
        updated_at=now,
    )


def _exit_unprotected(
    *, account_id: int, position_ids: Sequence[int], why: str, broker: Broker, clock: Clock
) -> None:
    order_ids = exit_positions(
        account_id=account_id, position_ids=position_ids, broker=broker, clock=clock
    )
    raise_alert(
        code="POSITION_UNPROTECTED",
        severity="CRITICAL",
        message=f"Closing at market: {why}"
        if order_ids
        else f"A position is without protection and may not be closed: {why}",
        context={"position_ids": list(position_ids), "order_ids": order_ids},
        dedupe_key=f"POSITION_UNPROTECTED:{sorted(position_ids)}",
        now=clock.now(),
    )

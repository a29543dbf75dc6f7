"""Limits at every moment of the history: I11."""

from collections.abc import Iterable
from datetime import datetime

from execution.domain.invariants import Answer, Finding
from execution.domain.order import Leg, OrderState, OrderType
from execution.domain.request import Restriction
from execution.models import Order, Position
from execution.services.order_rows import RESTRICTION
from execution.services.portfolio import intent_key
from execution.services.world.rows import World
from risk.selectors import counts_by_version, list_verdicts


def check_limits(world: World) -> Answer:
    """I11: at each approval of an entry what is held and live, it included, is within its limits.

    Exposure grows by nothing but approvals, so these moments stand for all. The limits are those
    of the version that the gate judged by; an order counts from its approval to its end.
    """
    counts = counts_by_version()
    if not counts:
        return Answer(compared=0, not_checked="there is no row of limits")
    versions = _versions(world)
    rows = sorted(world.orders, key=lambda order: (order.created_at, order.pk))
    entries = [order for order in rows if _is_entry(order)]
    findings = []
    live: list[Order] = []
    waiting = iter(rows)
    upcoming = next(waiting, None)
    for entry in entries:
        while upcoming is not None and _key(upcoming) < _key(entry):
            live.append(upcoming)
            upcoming = next(waiting, None)
        live = [order for order in live if _is_live(order, entry.created_at)]
        limits = counts.get(versions.get(intent_key(entry), -1))
        if limits is not None:
            findings += _judge(world, entry, _without_replaced(entry, live), limits)
    return Answer(compared=len(entries), findings=tuple(findings))


def _versions(world: World) -> dict[str, int]:
    """Return by which version of the limits each intent was approved."""
    rows = list_verdicts().filter(account_id=world.account.pk, approved=True)
    pairs = rows.values_list("intent_key", "limits_version")
    return {key: version for key, version in pairs if version is not None}


def _key(order: Order) -> tuple[datetime, int]:
    return order.created_at, order.pk


def _is_entry(order: Order) -> bool:
    is_own = order.leg in (Leg.ENTRY.value, Leg.MANUAL.value) and order.parent_id is None
    return is_own and not order.is_reduce_only and order.state != OrderState.DENIED.value


def _is_live(order: Order, at: datetime) -> bool:
    if order.leg == Leg.EXTERNAL.value:
        return False
    return order.ended_at is None or order.ended_at > at


def _without_replaced(entry: Order, live: Iterable[Order]) -> list[Order]:
    """Leave out the order that must be gone before this one can exist."""
    is_exclusive = entry.context.get(RESTRICTION) == Restriction.ONLY_NEW.value
    gone = entry.supersedes_id if is_exclusive else None
    return [order for order in live if order.pk != gone]


def _judge(world: World, entry: Order, live: list[Order], limits: tuple[int, int]) -> list[Finding]:
    max_positions, max_orders = limits
    at = entry.created_at
    exposed = {order.instrument_id for order in live if _is_entry(order)}
    exposed |= {row.instrument_id for row in world.positions if _is_held(row, at)}
    exposed.add(entry.instrument_id)
    # A list stands for its legs, which are rows of their own.
    singles = [order for order in live if not OrderType(order.type).is_list]
    count = len(singles) + OrderType(entry.type).form.orders
    if any(order.working_id == entry.pk for order in world.orders if entry.has_bracket):
        count += OrderType.OCO.form.orders
    found = []
    if len(exposed) > max_positions:
        what = f"made {len(exposed)} symbols with exposure of at most {max_positions}"
        found.append(Finding(subject=f"order:{entry.pk}", problem=what))
    if count > max_orders:
        what = f"made {count} open orders of at most {max_orders}"
        found.append(Finding(subject=f"order:{entry.pk}", problem=what))
    return found


def _is_held(position: Position, at: datetime) -> bool:
    return position.opened_at < at and (position.closed_at is None or position.closed_at > at)

"""Changing a resting order: another in its place, in one request whose halves are both on record.

The exchange cancels first and places only if that succeeded, and only if the order is as filled as
the gate saw it: an order that fills in between stays, and nothing is placed. So the two never add
up to more than was approved.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, connection, transaction

from core.audit import record
from core.clock import Clock
from core.errors import Conflict, InvalidInput, NotFound
from core.recording.calls import taped
from execution.domain.order import RESTING_STATES, Leg, OrderState, OrderType, Side, TimeInForce
from execution.domain.request import Restriction
from execution.models import Order
from execution.ports import Broker
from execution.services.intents import Intent, insert_judged
from execution.services.manual import raise_if_denied
from execution.services.order_rows import RESTRICTION, Wish
from execution.services.proposals import ENTRY_LIFETIME
from execution.services.protection import protect_positions
from execution.services.submitting import send_orders
from risk.services.trading_state import lock_account

_LEGS = (Leg.ENTRY.value, Leg.MANUAL.value, Leg.PROTECT.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What shall be different; None stays as it is. Base and quote units, bps."""

    quantity: Decimal | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None
    trailing_delta_bps: int | None = None

    def to_json(self) -> dict[str, str]:
        """Return what is asked for, in plain text."""
        return {
            name: f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)
            for name in self.__slots__
            if (value := getattr(self, name)) is not None
        }


@taped
def replace_order(
    *,
    account_id: int,
    order_id: int,
    changes: Changes,
    idempotency_key: str,
    actor: str,
    reason: str,
    broker: Broker,
    clock: Clock,
) -> Order:
    """Replace a resting order by one with other figures; return the new one.

    The gate judges the new order as it judges any, without what the old one would have cost if
    nothing of it has filled. The same key with the same changes returns the first replacement.

    Raises:
        NotFound: The account has no such order.
        Conflict: It does not rest, is part of a list, or the key belongs to something else.
        InvalidInput: Nothing would change, or the order has no such parameter.
        Denied: The gate refused; the old order rests on.
    """
    if not reason.strip():
        raise InvalidInput("a reason is needed", field="reason", value=reason, fix="say why")
    try:
        order, is_new = _approve(
            account_id=account_id,
            order_id=order_id,
            changes=changes,
            key=idempotency_key,
            actor=actor,
            reason=reason,
            clock=clock,
        )
    except IntegrityError as error:
        raise Conflict(
            "This order is being replaced, or the Idempotency-Key used, right now; look again",
            order_id=order_id,
        ) from error
    if is_new and order.state == OrderState.APPROVED.value:
        send_orders(order_ids=[order.pk], broker=broker, clock=clock)
        order.refresh_from_db()
        if order.leg == Leg.PROTECT.value and OrderState(order.state).is_final:
            # The old stop may be gone and the new one refused: not a moment without one.
            protect_positions(account_id=account_id, broker=broker, clock=clock)
    raise_if_denied(order)
    return order


@transaction.atomic
def _approve(
    *,
    account_id: int,
    order_id: int,
    changes: Changes,
    key: str,
    actor: str,
    reason: str,
    clock: Clock,
) -> tuple[Order, bool]:
    now = clock.now()
    lock_account(account_id)
    asked = {"replaces": str(order_id), **changes.to_json()}
    before = Order.objects.filter(account_id=account_id, idempotency_key=key).first()
    if before is not None:
        if before.context.get("asked") != asked:
            raise Conflict("This Idempotency-Key belongs to another order", order_id=before.pk)
        return before, False
    old = find_resting(account_id=account_id, order_id=order_id)
    order = _insert(old, changes, key=key, asked=asked, clock=clock)
    if order.state == OrderState.DENIED.value:
        # It never takes the old one's place: another attempt may.
        Order.objects.filter(pk=order.pk).update(supersedes=None)
        order.supersedes = None
    record(
        actor=actor,
        action="order.replace",
        subject=f"order:{old.pk}",
        before=_figures(old),
        after={**_figures(order), "order_id": order.pk, "state": order.state},
        reason=reason,
        now=now,
    )
    return order, True


def _insert(
    old: Order, changes: Changes, *, key: str, asked: dict[str, str], clock: Clock
) -> Order:
    """Ask the gate, and insert the new order with what the old one must be like."""
    now = clock.now()
    is_untouched = not old.filled_quantity and old.state == OrderState.NEW.value
    restriction = Restriction.ONLY_NEW if is_untouched else Restriction.ONLY_PARTIALLY_FILLED
    wish = Wish(
        **_terms(old, changes),
        account=old.account,
        instrument_id=old.instrument_id,
        key=f"manual:{key}",
        leg=Leg.PROTECT if old.leg == Leg.PROTECT.value else Leg.MANUAL,
        side=Side(old.side),
        position=old.position if old.is_reduce_only else None,
        strategy_id=old.strategy_id,
        is_reduce_only=old.is_reduce_only,
        idempotency_key=key,
        scopes=tuple(old.scopes),
        supersedes=old,
        expires_at=now + clock.protocol(ENTRY_LIFETIME),
    )
    context = {"asked": asked, RESTRICTION: restriction.value}
    (order,) = insert_judged(
        account=old.account,
        intents=[Intent(wish=wish, is_manual=True, context=context)],
        now=now,
        # What has filled in part may fill further before the cancel: it counts beside the new one.
        without=[old.pk] if is_untouched else [],
    )
    return order


def find_resting(*, account_id: int, order_id: int) -> Order:
    """Return a single order that rests, locked until the transaction ends.

    Raises:
        NotFound: The account has no such order.
        Conflict: It does not rest, is external, or is part of a list.
    """
    rows = Order.objects.filter(pk=order_id, account_id=account_id)
    if connection.features.has_select_for_update:
        rows = rows.select_for_update(of=("self",))
    order = rows.select_related("account", "position", "instrument").first()
    if order is None:
        raise NotFound(f"Order {order_id} does not exist", field="order_id", value=order_id)
    if order.parent_id is not None or OrderType(order.type).is_list:
        raise Conflict(
            f"Order {order_id} is part of a pair, which cannot be changed in one request; place a"
            " new pair or stop for the position: it takes the place of this one",
            order_id=order_id,
        )
    if order.has_bracket:
        raise Conflict(
            f"Order {order_id} has a stop and a target of its own, which belong to it as it is;"
            " cancel it and place another",
            order_id=order_id,
        )
    if OrderState(order.state) not in RESTING_STATES or order.leg not in _LEGS:
        raise Conflict(f"Order {order_id} is {order.state}: it does not rest", state=order.state)
    return order


def _terms(old: Order, changes: Changes) -> dict[str, Any]:
    left = old.quantity - old.filled_quantity
    for name in ("price", "stop_price", "trailing_delta_bps"):
        value = getattr(changes, name)
        if value is not None and getattr(old, name) is None:
            raise InvalidInput(
                f"{old.type} has no {name}", field=name, value=str(value), fix="leave it out"
            )
    terms = {
        "type": OrderType(old.type),
        "quantity": left if changes.quantity is None else changes.quantity,
        "time_in_force": TimeInForce(old.time_in_force) if old.time_in_force else None,
    }
    for name in ("price", "stop_price", "trailing_delta_bps"):
        value = getattr(changes, name)
        terms[name] = getattr(old, name) if value is None else value
    same = terms["quantity"] == left and all(
        terms[name] == getattr(old, name) for name in ("price", "stop_price", "trailing_delta_bps")
    )
    if same:
        raise InvalidInput(
            "the new order would be the same as the old",
            field="price",
            value=str(old.price),
            fix="change price, stop_price, trailing_delta_bps or quantity",
        )
    return terms


def _figures(order: Order) -> dict[str, Any]:
    return {
        "quantity": order.quantity,
        "price": order.price,
        "stop_price": order.stop_price,
        "trailing_delta_bps": order.trailing_delta_bps,
    }

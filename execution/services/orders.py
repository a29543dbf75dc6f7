"""Placing orders. There is no second way to the exchange.

Decisions, a person's orders and closings all pass the same gate, the same write-ahead and the
same sender; the guardian finishes with the same functions what a process left behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db import IntegrityError, transaction

from core.audit import record
from core.clock import Clock
from core.crashpoints import crashpoint
from core.errors import Conflict, Denied, InvalidInput, NotFound
from execution.domain.order import Leg, OrderState, OrderType, Side, TimeInForce
from execution.models import Account, Order, Position
from execution.ports import Broker
from execution.services.cancels import request_cancel
from execution.services.claims import claim_orders
from execution.services.exits import exit_positions, release_protection
from execution.services.intents import Intent, approve_decisions, insert_judged
from execution.services.order_rows import Wish
from execution.services.proposals import ENTRY_LIFETIME, scopes_by_hand
from execution.services.protection import send_protection
from execution.services.sending import send_claims
from markets.selectors import get_rules_by_symbol
from risk.services.trading_state import lock_account

__all__ = [
    "ManualOrder",
    "close_position",
    "place_manual_order",
    "place_orders",
    "request_cancel",
    "send_orders",
]

_BY_HAND = frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.LIMIT_MAKER})


def place_orders(*, decision_ids: Sequence[int], broker: Broker, clock: Clock) -> list[int]:
    """Place the orders of decisions: approve, claim, send, book, protect.

    Safe to run twice and at once: each order is approved once, claimed once and sent once.

    Returns:
        Ids of the orders that this call handled.
    """
    order_ids = approve_decisions(decision_ids=decision_ids, clock=clock)
    crashpoint("intent.committed")
    send_orders(order_ids=order_ids, broker=broker, clock=clock)
    return order_ids


def send_orders(*, order_ids: Sequence[int], broker: Broker, clock: Clock) -> None:
    """Claim and send approved orders, then protect what they bought."""
    if not order_ids:
        return
    release_protection(order_ids=order_ids, broker=broker, clock=clock)
    claims = claim_orders(order_ids=order_ids, clock=clock)
    crashpoint("claim.committed")
    sent = send_claims(claims=claims, broker=broker, clock=clock)
    send_protection(list_ids=sent.protect_ids, broker=broker, clock=clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualOrder:
    """What a person asks for; quantity in base units, price in quote per base."""

    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    price: Decimal | None = None
    time_in_force: TimeInForce | None = None


def place_manual_order(
    *,
    account_id: int,
    wanted: ManualOrder,
    idempotency_key: str,
    actor: str,
    broker: Broker,
    clock: Clock,
) -> Order:
    """Place a person's order through the same gate as the machine's.

    The same key with the same order returns the first order; it is never placed again.

    Raises:
        InvalidInput: The type cannot be placed by hand.
        NotFound: The symbol is unknown.
        Conflict: The key belongs to another order.
        Denied: The gate refused; ``code`` is the first reason.
    """
    if wanted.type not in _BY_HAND:
        raise InvalidInput(f"{wanted.type} cannot be placed by hand", field="type")
    try:
        order, is_new = _approve_manual(
            account_id=account_id,
            wanted=wanted,
            key=idempotency_key,
            actor=actor,
            clock=clock,
        )
    except IntegrityError as error:
        # The same key at the same time, in another process: that one places it.
        raise Conflict(
            "This Idempotency-Key is being used right now; ask again", key=idempotency_key
        ) from error
    if is_new and order.state == OrderState.APPROVED.value:
        send_orders(order_ids=[order.pk], broker=broker, clock=clock)
        order.refresh_from_db()
    if order.state == OrderState.DENIED.value:
        denied = Denied(
            f"The risk gate refused the order: {order.reason}",
            order_id=order.pk,
            **{key: order.context.get(key, "") for key in ("limit", "value")},
        )
        denied.code = order.reason
        raise denied
    return order


@transaction.atomic
def _approve_manual(
    *, account_id: int, wanted: ManualOrder, key: str, actor: str, clock: Clock
) -> tuple[Order, bool]:
    now = clock.now()
    rules = get_rules_by_symbol(wanted.symbol)
    lock_account(account_id)
    before = Order.objects.filter(account_id=account_id, idempotency_key=key).first()
    if before is not None:
        if not _is_same(before, wanted, rules.instrument_id):
            raise Conflict("This Idempotency-Key belongs to another order", order_id=before.pk)
        return before, False
    account = Account.objects.get(pk=account_id)
    wish = Wish(
        account=account,
        instrument_id=rules.instrument_id,
        key=f"manual:{key}",
        leg=Leg.MANUAL,
        side=wanted.side,
        type=wanted.type,
        quantity=wanted.quantity,
        price=wanted.price,
        time_in_force=wanted.time_in_force,
        is_reduce_only=wanted.side is Side.SELL,
        idempotency_key=key,
        scopes=scopes_by_hand(account, symbol=rules.symbol),
        expires_at=now + clock.protocol(ENTRY_LIFETIME),
    )
    order = insert_judged(
        account=wish.account, intents=[Intent(wish=wish, is_manual=True)], now=now
    )[0]
    record(
        actor=actor,
        action="order.place",
        subject=f"order:{order.pk}",
        after={
            "symbol": rules.symbol,
            "side": order.side,
            "type": order.type,
            "quantity": str(order.quantity),
            "price": str(order.price) if order.price is not None else None,
            "state": order.state,
        },
        reason=order.reason,
        now=now,
    )
    return order, True


def _is_same(order: Order, wanted: ManualOrder, instrument_id: int) -> bool:
    return (
        order.instrument_id == instrument_id
        and order.side == wanted.side.value
        and order.type == wanted.type.value
        and order.quantity == wanted.quantity
        and order.price == wanted.price
        and order.time_in_force == (wanted.time_in_force.value if wanted.time_in_force else "")
    )


def close_position(
    *, account_id: int, symbol: str | None, actor: str, broker: Broker, clock: Clock
) -> list[Order]:
    """Close the open position of a symbol, or all of them, at the market.

    Raises:
        NotFound: There is no such open position.
        Denied: The gate refused to close.
    """
    positions = Position.objects.filter(account_id=account_id, status=Position.Status.OPEN)
    if symbol is not None:
        positions = positions.filter(symbol=symbol.upper())
    ids = list(positions.order_by("pk").values_list("pk", flat=True))
    if not ids and symbol is not None:
        raise NotFound(f"There is no open position in {symbol}", field="symbol", value=symbol)
    if not Account.objects.filter(pk=account_id, ready_at__isnull=False).exists():
        raise Denied("The books are being compared with the exchange after a start; ask again")
    order_ids = exit_positions(
        account_id=account_id, position_ids=ids, is_manual=True, broker=broker, clock=clock
    )
    orders = list(Order.objects.filter(pk__in=order_ids).order_by("pk"))
    record(
        actor=actor,
        action="position.close",
        subject=symbol or "all",
        after={"position_ids": ids, "order_ids": order_ids},
        now=clock.now(),
    )
    if ids and not orders:
        latest = Order.objects.filter(position__in=ids, leg=Leg.EXIT.value).order_by("-pk").first()
        if latest is not None and latest.state == OrderState.DENIED.value:
            raise Denied(f"The risk gate refused to close: {latest.reason}", **latest.context)
    return orders

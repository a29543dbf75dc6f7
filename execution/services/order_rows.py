"""Rows of orders, built in one way whoever wants them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from core.clock import to_ms
from execution.domain.ids import client_order_id
from execution.domain.order import Leg, OrderState, OrderType, Side, TimeInForce
from execution.domain.request import CancelRequest, OcoRequest, OrderRequest
from execution.models import Account, Order, Position
from risk.domain.trading_state import Purpose

_PROTECTIVE = frozenset({Leg.PROTECT, Leg.TAKE_PROFIT, Leg.STOP_LOSS})
# A protective order has no hour: it is wanted as long as the position is.
PROTECTION_LIFETIME = timedelta(days=3650)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """An order that somebody wants, before it is a row.

    Attributes:
        key: What it is for: ``decision:7``, ``position:3`` or ``manual:KEY``.
        position: The round trip that it closes or protects; None for entries.
        scopes: Kill switches that it stands under beside the global one.
    """

    account: Account
    instrument_id: int
    key: str
    leg: Leg
    attempt: int = 1
    side: Side
    type: OrderType
    quantity: Decimal
    expires_at: datetime
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce | None = None
    position: Position | None = None
    strategy_id: int | None = None
    decision_id: int | None = None
    is_reduce_only: bool = False
    idempotency_key: str | None = None
    scopes: tuple[str, ...] = ()

    @property
    def intent_key(self) -> str:
        """Identity of the wish for the gate: one verdict, for ever."""
        return f"{self.key}:{self.leg.value}:{self.attempt}"


def build_order(
    wish: Wish, *, now: datetime, epoch: int, state: OrderState = OrderState.APPROVED
) -> Order:
    """Return an unsaved row; its client id follows from account, key, leg and attempt."""
    return Order(
        account=wish.account,
        instrument_id=wish.instrument_id,
        position=wish.position,
        strategy_id=wish.strategy_id,
        decision_id=wish.decision_id,
        leg=wish.leg.value,
        attempt=wish.attempt,
        client_order_id=client_order_id(
            account=_identity(wish.account), key=wish.key, leg=wish.leg, attempt=wish.attempt
        ),
        idempotency_key=wish.idempotency_key,
        side=wish.side.value,
        type=wish.type.value,
        time_in_force=wish.time_in_force.value if wish.time_in_force else "",
        quantity=wish.quantity,
        price=wish.price,
        stop_price=wish.stop_price,
        state=state.value,
        scopes=list(wish.scopes),
        approved_epoch=epoch,
        is_reduce_only=wish.is_reduce_only,
        expires_at=wish.expires_at,
        created_at=now,
        updated_at=now,
    )


def _identity(account: Account) -> str:
    """Return what tells this account's ids from those of every other database.

    Keys such as ``decision:7`` start again in a new database, while the exchange remembers; an
    order in doubt must never be taken for an old one of the same number.
    """
    return f"{account.name}@{to_ms(account.created_at)}"


def purpose_of(order: Order) -> Purpose:
    """Return what the order is for, as the kill switch sees it."""
    if Leg(order.leg) in _PROTECTIVE:
        return Purpose.PROTECT
    return Purpose.EXIT if order.is_reduce_only else Purpose.ENTRY


def to_request(order: Order, *, symbol: str) -> OrderRequest:
    """Return what is asked of the exchange for a single order."""
    return OrderRequest(
        symbol=symbol,
        side=Side(order.side),
        type=OrderType(order.type),
        quantity=order.quantity,
        client_order_id=order.client_order_id,
        price=order.price,
        time_in_force=TimeInForce(order.time_in_force) if order.time_in_force else None,
    )


def to_oco_request(order: Order, *, legs: dict[str, Order], symbol: str) -> OcoRequest:
    """Return what is asked of the exchange for a protective pair."""
    take_profit, stop = legs[Leg.TAKE_PROFIT.value], legs[Leg.STOP_LOSS.value]
    if take_profit.price is None or stop.stop_price is None:
        raise ValueError(f"the legs of order {order.pk} have no prices")
    return OcoRequest(
        symbol=symbol,
        quantity=order.quantity,
        list_client_order_id=order.client_order_id,
        take_profit_client_order_id=take_profit.client_order_id,
        take_profit_price=take_profit.price,
        stop_client_order_id=stop.client_order_id,
        stop_price=stop.stop_price,
    )


def to_cancel(order: Order, *, symbol: str) -> CancelRequest:
    """Return the request that cancels an order, or the whole list of a pair."""
    return CancelRequest(
        symbol=symbol,
        client_order_id=order.client_order_id,
        is_list=order.type == OrderType.OCO.value,
    )

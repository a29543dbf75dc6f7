"""Rows of orders, built in one way whoever wants them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Q, QuerySet

from core.clock import to_ms
from execution.domain.ids import client_order_id
from execution.domain.order import BRACKET, Leg, OrderState, OrderType, Side, TimeInForce
from execution.domain.protection import Bracket
from execution.domain.request import (
    CancelRequest,
    OcoRequest,
    OrderRequest,
    OtocoRequest,
    ReplaceRequest,
    Restriction,
    SubmitRequest,
    Terms,
)
from execution.models import Account, Order, Position
from risk.domain.trading_state import Purpose

_PROTECTIVE = frozenset({Leg.PROTECT, Leg.TAKE_PROFIT, Leg.STOP_LOSS})
# A protective order has no hour: it is wanted as long as the position is.
# In the context of an order that replaces another: what state that one must be in.
RESTRICTION = "cancel_restriction"
PROTECTION_LIFETIME = timedelta(days=3650)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """An order that somebody wants, before it is a row.

    Attributes:
        key: What it is for: ``decision:7``, ``position:3`` or ``manual:KEY``.
        position: The round trip that it closes or protects; None for entries.
        scopes: Kill switches that it stands under beside the global one.
        legs: The orders of a list; their quantity is the list's.
        bracket: The stop and the target that a person gave an entry.
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
    leg_limit_price: Decimal | None = None
    trailing_delta_bps: int | None = None
    time_in_force: TimeInForce | None = None
    position: Position | None = None
    strategy_id: int | None = None
    decision_id: int | None = None
    is_reduce_only: bool = False
    idempotency_key: str | None = None
    scopes: tuple[str, ...] = ()
    legs: tuple["Wish", ...] = ()
    bracket: Bracket | None = None
    supersedes: Order | None = None

    @property
    def intent_key(self) -> str:
        """Identity of the wish for the gate: one verdict, for ever."""
        return f"{self.key}:{self.leg.value}:{self.attempt}"

    @property
    def purpose(self) -> Purpose:
        """What it is for, as gate and kill switch see it."""
        return _purpose(self.leg, is_reduce_only=self.is_reduce_only)


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
        intent_key=wish.intent_key,
        supersedes=wish.supersedes,
        side=wish.side.value,
        type=wish.type.value,
        time_in_force=wish.time_in_force.value if wish.time_in_force else "",
        quantity=wish.quantity,
        price=wish.price,
        stop_price=wish.stop_price,
        leg_limit_price=wish.leg_limit_price,
        trailing_delta_bps=wish.trailing_delta_bps,
        state=state.value,
        context={} if wish.bracket is None else {BRACKET: wish.bracket.to_json()},
        scopes=list(wish.scopes),
        approved_epoch=epoch,
        is_reduce_only=wish.is_reduce_only,
        expires_at=wish.expires_at,
        created_at=now,
        updated_at=now,
        # What the gate refused is over before it begins.
        ended_at=now if state.is_final else None,
    )


def build_legs(parent: Order, legs: Sequence[Wish], *, now: datetime, epoch: int) -> list[Order]:
    """Return the unsaved rows of a list's legs, in the state of their list."""
    rows = [build_order(leg, now=now, epoch=epoch, state=OrderState(parent.state)) for leg in legs]
    for row in rows:
        # The list stands for its legs at the gate and by its key.
        row.parent, row.intent_key, row.reason = parent, "", parent.reason
    return rows


def _identity(account: Account) -> str:
    """Return what tells this account's ids from those of every other database.

    Keys such as ``decision:7`` start again in a new database, while the exchange remembers; an
    order in doubt must never be taken for an old one of the same number.
    """
    return f"{account.name}@{to_ms(account.created_at)}"


def purpose_of(order: Order) -> Purpose:
    """Return what the order is for, as the kill switch sees it."""
    return _purpose(Leg(order.leg), is_reduce_only=order.is_reduce_only)


def _purpose(leg: Leg, *, is_reduce_only: bool) -> Purpose:
    if not is_reduce_only:
        return Purpose.ENTRY
    return Purpose.PROTECT if leg in _PROTECTIVE else Purpose.EXIT


def bracket_of(order: Order) -> Bracket | None:
    """Return the stop and the target that a person gave the entry, if any."""
    return Bracket.from_json(order.context[BRACKET]) if order.has_bracket else None


def goes_alone(order: Order) -> bool:
    """Tell whether no other row goes in this order's request."""
    return not (order.has_bracket or OrderType(order.type).is_list)


def followers(*orders: Order) -> QuerySet[Order]:
    """Return the rows that go in these orders' requests and share their way to the exchange.

    A list's legs; of an entry with a bracket the pair that waits for it, and the pair's legs.
    """
    bracketed = [order.pk for order in orders if order.has_bracket]
    pairs = []
    if bracketed:
        pairs = list(Order.objects.filter(working__in=bracketed).values_list("pk", flat=True))
    lists = [order.pk for order in orders if OrderType(order.type).is_list]
    if not lists and not pairs:
        return Order.objects.none()
    return Order.objects.filter(Q(pk__in=pairs) | Q(parent__in=[*lists, *pairs]))


def leader_of(order: Order) -> int:
    """Return the key of the order in whose request this one goes; its `parent` is loaded."""
    whole = order.parent or order
    return whole.working_id or whole.pk


def replaced_by(order: Order) -> Order | None:
    """Return the resting order that this one asks to cancel in the same request, if any."""
    return order.supersedes if RESTRICTION in order.context else None


def to_submit(order: Order, *, legs: Sequence[Order], symbol: str) -> SubmitRequest:
    """Return what is asked of the exchange for an order or a list.

    Args:
        order: A row without a parent.
        legs: Rows of what goes in the requests of lists and of entries with a bracket, this one's
            among them.
        symbol: Its name at the exchange.
    """
    if OrderType(order.type).is_list:
        return _to_pair(order, legs=legs, symbol=symbol)
    request = to_request(order, symbol=symbol)
    if order.has_bracket:
        for pair in legs:
            if pair.working_id == order.pk:
                pending = _to_pair(pair, legs=legs, symbol=symbol)
                return OtocoRequest(working=request, pending=pending)
    replaced = replaced_by(order)
    if replaced is None:
        return request
    return ReplaceRequest(
        order=request,
        canceled_client_order_id=replaced.client_order_id,
        restriction=Restriction(order.context[RESTRICTION]),
    )


def _to_pair(order: Order, *, legs: Sequence[Order], symbol: str) -> OcoRequest:
    own = {leg.leg: leg for leg in legs if leg.parent_id == order.pk}
    return OcoRequest(
        symbol=symbol,
        side=Side(order.side),
        quantity=order.quantity,
        list_client_order_id=order.client_order_id,
        take_profit=_terms(own[Leg.TAKE_PROFIT.value]),
        stop=_terms(own[Leg.STOP_LOSS.value]),
    )


def _terms(order: Order) -> Terms:
    return Terms(
        type=OrderType(order.type),
        client_order_id=order.client_order_id,
        price=order.price,
        stop_price=order.stop_price,
        trailing_delta_bps=order.trailing_delta_bps,
        time_in_force=TimeInForce(order.time_in_force) if order.time_in_force else None,
    )


def to_request(order: Order, *, symbol: str) -> OrderRequest:
    """Return what is asked of the exchange for a single order."""
    terms = _terms(order)
    return OrderRequest(
        symbol=symbol,
        side=Side(order.side),
        type=terms.type,
        quantity=order.quantity,
        client_order_id=terms.client_order_id,
        price=terms.price,
        stop_price=terms.stop_price,
        trailing_delta_bps=terms.trailing_delta_bps,
        time_in_force=terms.time_in_force,
    )


def name_at_venue(order: Order) -> str:
    """Return the client id that the exchange knows an order by; somebody else's has its own."""
    if order.leg == Leg.EXTERNAL.value:
        return str(order.context.get("client_order_id", ""))
    return order.client_order_id


def to_cancel(order: Order, *, symbol: str) -> CancelRequest:
    """Return the request that cancels an order, or the whole list of a pair."""
    return CancelRequest(
        symbol=symbol,
        client_order_id=name_at_venue(order),
        is_list=OrderType(order.type).is_list,
    )

"""A person's orders: the same gate, the same write-ahead and the same sender as the machine's."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction

from core.audit import record
from core.clock import Clock
from core.errors import Conflict, Denied, InvalidInput
from core.recording.calls import taped
from execution.domain.order import Leg, OrderState, OrderType, Side, TimeInForce
from execution.domain.protection import Bracket
from execution.models import Account, Order, Position
from execution.ports import Broker
from execution.services.intents import Intent, insert_judged
from execution.services.order_rows import Wish
from execution.services.proposals import ENTRY_LIFETIME, scopes_by_hand
from execution.services.protective_rows import plan_for, protective_wish
from execution.services.submitting import send_orders
from markets.domain.instrument import InstrumentRules
from markets.selectors import get_rules_by_symbol
from risk.domain.order_forms import find_wrong_parameter
from risk.selectors import get_limits
from risk.services.trading_state import lock_account

_AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualOrder:
    """What a person asks for; quantity in base units, prices in quote per base.

    Attributes:
        stop_limit_price: The limit of an OCO's stop leg; None: it trades at the market.
        trailing_delta_bps: How far a trailing stop follows, hundredths of 1 %.
        stop_loss_price: Of a resting entry the stop that protects it once it is filled.
        take_profit_price: And the target beside that stop: both or neither.
    """

    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    price: Decimal | None = None
    stop_price: Decimal | None = None
    stop_limit_price: Decimal | None = None
    trailing_delta_bps: int | None = None
    time_in_force: TimeInForce | None = None
    stop_loss_price: Decimal | None = None
    take_profit_price: Decimal | None = None

    @property
    def bracket(self) -> Bracket | None:
        """The stop and the target of an entry, if it has them."""
        if self.stop_loss_price is None or self.take_profit_price is None:
            return None
        return Bracket(stop_price=self.stop_loss_price, take_profit_price=self.take_profit_price)

    def to_json(self) -> dict[str, str]:
        """Return what was asked for, as the order keeps it; equal orders give equal values."""
        values = asdict(self)
        values["symbol"] = self.symbol.upper()
        return {
            name: f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)
            for name, value in values.items()
            if value is not None
        }

    @property
    def rests_without_stop(self) -> bool:
        """Whether it would stay at the exchange and limits no loss."""
        form = self.type.form
        return form.is_resting and not form.is_stop and not self.takes_at_once

    @property
    def takes_at_once(self) -> bool:
        """Whether it trades now or not at all."""
        form = self.type.form
        return not form.is_resting or (not form.trigger and self.time_in_force in _AT_ONCE)


@taped
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

    The same key with the same order returns the first order; it is never placed again. A sale of
    what a position holds leaves no part of it without a stop: one that trades at once shrinks the
    position's protection, one that is a stop takes its place, and a resting target becomes the
    upper half of a pair with the position's own stop.

    Raises:
        InvalidInput: The parameters do not make an order of that type.
        NotFound: The symbol is unknown.
        Conflict: The key belongs to another order.
        Denied: The gate refused; ``code`` is the first reason.
    """
    check_parameters(wanted)
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
    raise_if_denied(order)
    return _latest(order)


def _latest(order: Order) -> Order:
    """Return the second attempt of an order that was refused for our own fault, if there is one."""
    if order.state != OrderState.REJECTED.value:
        return order
    return order.superseded_by.order_by("-pk").first() or order


def raise_if_denied(order: Order) -> None:
    """Tell a person why the gate refused.

    Raises:
        Denied: It did.
    """
    if order.state != OrderState.DENIED.value:
        return
    denied = Denied(
        f"The risk gate refused the order: {order.reason}",
        order_id=order.pk,
        **{key: order.context.get(key, "") for key in ("limit", "value")},
    )
    denied.code = order.reason
    raise denied


def check_parameters(wanted: ManualOrder) -> None:
    """Refuse parameters that the type does not have, and miss those that it needs.

    Raises:
        InvalidInput: With field, value and fix.
    """
    given = [name for name, value in asdict(wanted).items() if value is not None]
    wrong = find_wrong_parameter(wanted.type.value, given)
    if wrong is not None:
        name, fix = wrong
        value = getattr(wanted, name)
        raise InvalidInput(fix, field=name, value="" if value is None else str(value), fix=fix)
    if wanted.bracket is not None:
        _check_bracket(wanted, wanted.bracket)


def _check_bracket(wanted: ManualOrder, bracket: Bracket) -> None:
    field, fix = "", ""
    if wanted.side is not Side.BUY:
        field, fix = "side", "a stop and a target belong to an entry: leave them out of a sale"
    elif wanted.takes_at_once:
        field, fix = "time_in_force", "must be GTC: what trades at once is protected by its fill"
    elif wanted.price is not None and bracket.stop_price >= wanted.price:
        field, fix = "stop_loss_price", f"must be below the price, {wanted.price:f}"
    elif wanted.price is not None and bracket.take_profit_price <= wanted.price:
        field, fix = "take_profit_price", f"must be above the price, {wanted.price:f}"
    if fix:
        value = getattr(wanted, field)
        raise InvalidInput(f"{field} {fix}", field=field, value=str(value), fix=fix)


@transaction.atomic
def _approve_manual(
    *, account_id: int, wanted: ManualOrder, key: str, actor: str, clock: Clock
) -> tuple[Order, bool]:
    now = clock.now()
    rules = get_rules_by_symbol(wanted.symbol)
    lock_account(account_id)
    before = Order.objects.filter(account_id=account_id, idempotency_key=key).first()
    asked = wanted.to_json()
    if before is not None:
        if before.context.get("asked", asked) != asked:
            raise Conflict("This Idempotency-Key belongs to another order", order_id=before.pk)
        return before, False
    account = Account.objects.get(pk=account_id)
    wish = _wish(account=account, wanted=wanted, key=key, rules=rules, now=now, clock=clock)
    intent = Intent(wish=wish, is_manual=True, context={"asked": asked})
    order = insert_judged(account=account, intents=[intent], now=now)[0]
    record(
        actor=actor,
        action="order.place",
        subject=f"order:{order.pk}",
        after={**asked, "placed_as": order.type, "state": order.state},
        reason=order.reason,
        now=now,
    )
    return order, True


def _wish(
    *,
    account: Account,
    wanted: ManualOrder,
    key: str,
    rules: InstrumentRules,
    now: datetime,
    clock: Clock,
) -> Wish:
    position = _held(account, wanted, rules)
    by_hand = scopes_by_hand(account, symbol=rules.symbol)
    common: dict[str, Any] = {
        "account": account,
        "instrument_id": rules.instrument_id,
        "key": f"manual:{key}",
        "leg": _leg(wanted, position),
        "side": wanted.side,
        "quantity": wanted.quantity,
        "position": position,
        "strategy_id": position.strategy_id if position else None,
        "is_reduce_only": wanted.side is Side.SELL,
        "idempotency_key": key,
        "scopes": tuple(position.scopes) if position else by_hand,
        "expires_at": now + clock.protocol(ENTRY_LIFETIME),
    }
    target: tuple[OrderType, Decimal | None] = (OrderType.LIMIT_MAKER, None)
    if position is not None and wanted.rests_without_stop:
        if wanted.type is not OrderType.LIMIT:
            target = (wanted.type, wanted.stop_price)
        wanted = _with_stop_of(position, wanted, rules)
    if wanted.type.is_list:
        return protective_wish(
            common=common,
            target=target,
            price=wanted.price,
            stop_price=wanted.stop_price,
            trailing_delta_bps=wanted.trailing_delta_bps,
            leg_limit_price=wanted.stop_limit_price,
        )
    return Wish(
        **common,
        type=wanted.type,
        price=wanted.price,
        stop_price=wanted.stop_price,
        trailing_delta_bps=wanted.trailing_delta_bps,
        time_in_force=wanted.time_in_force,
        bracket=wanted.bracket,
    )


def _held(account: Account, wanted: ManualOrder, rules: InstrumentRules) -> Position | None:
    if wanted.side is not Side.SELL:
        return None
    return Position.objects.filter(
        account=account, instrument_id=rules.instrument_id, status=Position.Status.OPEN
    ).first()


def _leg(wanted: ManualOrder, position: Position | None) -> Leg:
    """Return what the order is for; a sale of what nobody holds is left to the gate."""
    if position is None:
        return Leg.MANUAL
    return Leg.EXIT if wanted.takes_at_once else Leg.PROTECT


def _with_stop_of(position: Position, wanted: ManualOrder, rules: InstrumentRules) -> ManualOrder:
    """Return a resting target as a pair with the stop that the position has.

    Raises:
        InvalidInput: There is no stop to go with it.
    """
    limits = get_limits()
    plan = (
        plan_for(position, limits=limits, rules=rules, quantity=wanted.quantity) if limits else None
    )
    if plan is None:
        raise InvalidInput(
            f"{wanted.type} of so little can have no stop beside it",
            field="quantity",
            value=str(wanted.quantity),
            fix="sell more, or sell at the market",
        )
    return replace(
        wanted,
        type=OrderType.OCO,
        price=wanted.price or wanted.stop_price,
        stop_price=position.stop_price or plan.stop_price,
        time_in_force=None,
    )

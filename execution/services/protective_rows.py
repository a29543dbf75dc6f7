"""Protective pairs as rows: inserted in the transaction that books the entry's fill."""

from collections.abc import Sequence
from datetime import datetime

from execution.domain.order import Leg, OrderState, OrderType, Side
from execution.domain.protection import ProtectionPlan, plan_protection
from execution.models import Account, Order, Position
from execution.services.books import Books, live_orders_of, next_attempts
from execution.services.order_rows import PROTECTION_LIFETIME, Wish, build_order
from execution.services.saving import update_rows
from markets.domain.instrument import InstrumentRules
from risk.domain.limits import RiskLimits
from risk.selectors import get_limits
from risk.services.trading_state import read_states

_BOUGHT = frozenset({OrderState.PARTIALLY_FILLED.value, OrderState.FILLED.value})
_ENTRIES = frozenset({Leg.ENTRY.value, Leg.MANUAL.value})


def insert_protection(*, books: Books, orders: Sequence[Order]) -> list[int]:
    """Insert the pair for every position that these entries opened or enlarged.

    A position that has live protective or exit orders already is left to
    ``protection.protect_positions``, which replaces a pair that has become too small.

    Returns:
        Ids of the inserted lists, APPROVED: their size was approved with the entry.
    """
    positions = {
        order.position.pk: order.position
        for order in orders
        # The legs of pairs have positions too: do not read them from the database one by one.
        if _is_entry_with_fills(order) and order.position is not None
    }
    bare = {key: row for key, row in positions.items() if row.status == Position.Status.OPEN.value}
    if not bare:
        return []
    for order in live_orders_of(bare, (Leg.PROTECT, Leg.EXIT)):
        bare.pop(order.position_id, None)  # type: ignore[arg-type]
    rules = {rule.instrument_id: rule for rule in books.rules.values()}
    return insert_pairs(account=books.account, positions=bare, rules=rules, now=books.now)


def insert_pairs(
    *,
    account: Account,
    positions: dict[int, Position],
    rules: dict[int, InstrumentRules],
    now: datetime,
) -> list[int]:
    """Insert one protective pair per position, as far as the exchange would take one."""
    limits = get_limits()
    if not positions or limits is None:
        return []
    attempts = next_attempts(positions, Leg.PROTECT)
    states = read_states()
    lists: list[Order] = []
    legs: list[Order] = []
    planned: list[Position] = []
    for key, position in positions.items():
        plan = plan_for(position, limits=limits, rules=rules[position.instrument_id])
        if plan is None:
            continue
        wishes = _pair(
            account=account, position=position, plan=plan, attempt=attempts[key], now=now
        )
        epoch = states.of(position.scopes).epoch
        pair = [build_order(wish, now=now, epoch=epoch) for wish in wishes]
        for leg in pair[1:]:
            leg.parent = pair[0]
        lists.append(pair[0])
        legs += pair[1:]
        position.stop_price = plan.stop_price
        position.take_profit_price = plan.take_profit_price
        planned.append(position)
    Order.objects.bulk_create(lists)
    Order.objects.bulk_create(legs)
    update_rows(planned, ("stop_price", "take_profit_price"))
    return [order.pk for order in lists]


def plan_for(
    position: Position, *, limits: RiskLimits, rules: InstrumentRules
) -> ProtectionPlan | None:
    """Return the pair that the position should have; None when too little is held for one."""
    return plan_protection(
        held_quantity=position.quantity,
        entry_price=position.average_entry_price,
        stop_loss_fraction=limits.stop_loss_fraction,
        take_profit_fraction=limits.take_profit_fraction,
        rules=rules,
    )


def _pair(
    *, account: Account, position: Position, plan: ProtectionPlan, attempt: int, now: datetime
) -> tuple[Wish, Wish, Wish]:
    def wish(leg: Leg, order_type: OrderType) -> Wish:
        return Wish(
            account=account,
            instrument_id=position.instrument_id,
            key=f"position:{position.pk}",
            leg=leg,
            attempt=attempt,
            side=Side.SELL,
            type=order_type,
            quantity=plan.quantity,
            price=None if leg is Leg.STOP_LOSS else plan.take_profit_price,
            stop_price=None if leg is Leg.TAKE_PROFIT else plan.stop_price,
            position=position,
            strategy_id=position.strategy_id,
            is_reduce_only=True,
            scopes=tuple(position.scopes),
            expires_at=now + PROTECTION_LIFETIME,
        )

    return (
        wish(Leg.PROTECT, OrderType.OCO),
        wish(Leg.TAKE_PROFIT, OrderType.LIMIT_MAKER),
        wish(Leg.STOP_LOSS, OrderType.STOP_LOSS),
    )


def _is_entry_with_fills(order: Order) -> bool:
    if order.leg not in _ENTRIES or order.side != Side.BUY.value:
        return False
    return order.state in _BOUGHT or order.filled_quantity > 0

"""Asking once more for what was refused for our own fault: old rules, or a clock that was off."""

from collections.abc import Collection, Sequence

from django.db import transaction

from core.clock import Clock
from execution.domain.order import Leg, OrderState, OrderType, Side, TimeInForce
from execution.domain.outcome import Reaction
from execution.domain.protection import Bracket
from execution.models import Order
from execution.ports import Broker
from execution.services.intents import Intent, insert_judged
from execution.services.mending import mend
from execution.services.order_rows import Wish, bracket_of, replaced_by
from execution.services.sending import Sent
from markets.domain.instrument import InstrumentRules
from markets.selectors import list_rules
from risk.services.trading_state import lock_account

# Protective orders are planned anew from what is held: `protection` does that.
_LEGS = (Leg.ENTRY.value, Leg.EXIT.value, Leg.MANUAL.value)


def plan_second_tries(*, sent: Sent, broker: Broker, clock: Clock) -> list[int]:
    """Mend the causes of refusals and judge the orders anew, each at most once.

    A second attempt is an order of its own, with a name of its own, before the same gate. Nothing
    is tried again where nothing has changed, nor an order that is a second attempt or a
    replacement, nor what a person asked for in figures that the new rules do not take.

    Returns:
        Ids of the new orders that the gate let through; send them.
    """
    orders = {order.pk: order for order in sent.rejected if order.pk in sent.mendable}
    if not orders:
        return []
    mended = mend(orders, sent.mendable, broker=broker, clock=clock)
    chosen = [
        order
        for key, order in orders.items()
        if key in mended and order.leg in _LEGS and not OrderType(order.type).is_list
    ]
    by_account: dict[int, list[Order]] = {}
    for order in chosen:
        by_account.setdefault(order.account_id, []).append(order)
    ids: list[int] = []
    for account_id, own in sorted(by_account.items()):
        ids += _approve(account_id=account_id, orders=own, causes=sent.mendable, clock=clock)
    return ids


@transaction.atomic
def _approve(
    *,
    account_id: int,
    orders: Sequence[Order],
    causes: dict[int, Reaction],
    clock: Clock,
) -> list[int]:
    lock_account(account_id)
    now = clock.now()
    keys = [order.pk for order in orders]
    done = set(Order.objects.filter(supersedes__in=keys).values_list("supersedes_id", flat=True))
    rules = list_rules({order.instrument_id for order in orders})
    rows = Order.objects.select_related("account", "position", "decision", "supersedes")
    intents = []
    for order in rows.filter(pk__in=keys, expires_at__gt=now).order_by("-is_reduce_only", "pk"):
        is_second = order.supersedes_id is not None and replaced_by(order) is None
        if order.pk in done or is_second or replaced_by(order) is not None:
            continue
        wish = _again(order, rules[order.instrument_id])
        is_manual = order.idempotency_key is not None
        if is_manual and causes[order.pk] is Reaction.REFRESH_RULES and _differs(order, wish):
            continue  # a person's figures are a person's to change
        intents.append(Intent(wish=wish, decision=order.decision, is_manual=is_manual))
    if not intents:
        return []
    # The refused one is no repetition: it does not exist.
    judged = insert_judged(account=orders[0].account, intents=intents, now=now, without=keys)
    return [order.pk for order in judged if order.state == OrderState.APPROVED.value]


def _again(order: Order, rules: InstrumentRules) -> Wish:
    """Return the same wish as its next attempt, on the grids of today."""
    side = Side(order.side)
    key, _, _ = order.intent_key.rsplit(":", 2)
    return Wish(
        account=order.account,
        instrument_id=order.instrument_id,
        key=key,
        leg=Leg(order.leg),
        attempt=order.attempt + 1,
        side=side,
        type=OrderType(order.type),
        quantity=rules.quantize_quantity(order.quantity) or order.quantity,
        price=order.price and rules.quantize_price(order.price, side),
        stop_price=order.stop_price and rules.quantize_price(order.stop_price, side),
        trailing_delta_bps=order.trailing_delta_bps,
        time_in_force=TimeInForce(order.time_in_force) if order.time_in_force else None,
        position=order.position,
        strategy_id=order.strategy_id,
        decision_id=order.decision_id,
        is_reduce_only=order.is_reduce_only,
        scopes=tuple(order.scopes),
        supersedes=order,
        expires_at=order.expires_at,
        bracket=_on_grid(bracket_of(order), rules),
    )


def _on_grid(bracket: Bracket | None, rules: InstrumentRules) -> Bracket | None:
    if bracket is None:
        return None
    return Bracket(
        stop_price=rules.quantize_price(bracket.stop_price, Side.SELL),
        take_profit_price=rules.quantize_price(bracket.take_profit_price, Side.SELL),
    )


def _differs(order: Order, wish: Wish) -> bool:
    figures: Collection[str] = ("quantity", "price", "stop_price")
    return bracket_of(order) != wish.bracket or any(
        getattr(order, name) != getattr(wish, name) for name in figures
    )

"""Protective orders as rows: inserted in the transaction that books the entry's fill."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from execution.domain.order import Leg, OrderState, OrderType, Side, TimeInForce
from execution.domain.protection import (
    DEFAULT_TERMS,
    ProtectionPlan,
    ProtectionStyle,
    ProtectionTerms,
    plan_protection,
)
from execution.models import Account, Order, Position, Strategy
from execution.services.books import Books, live_orders_of, next_attempts
from execution.services.order_rows import (
    PROTECTION_LIFETIME,
    Wish,
    bracket_of,
    build_legs,
    build_order,
)
from execution.services.protective_parts import list_full_symbols, newest_purchases, parts_of
from execution.services.saving import update_rows
from markets.domain.instrument import InstrumentRules
from risk.domain.limits import RiskLimits
from risk.domain.stops import protected_quantity
from risk.domain.trading_state import Purpose
from risk.selectors import get_limits
from risk.services.trading_state import read_states

_ZERO = Decimal(0)


def insert_protection(*, books: Books, orders: Sequence[Order]) -> list[int]:
    """Insert protection for every position that these orders opened, enlarged or sold a part of.

    What is added to a position gets protection of its own: what covers the rest stays as it is.

    Returns:
        Ids of the inserted orders, APPROVED: their size was approved with the entry.
    """
    positions = {
        order.position.pk: order.position
        for order in orders
        # The legs of pairs have positions too: do not read them from the database one by one.
        if _changes_what_is_held(order) and order.position is not None
    }
    # A pair that waited for its entry will not come: the position needs one of its own.
    rows = [books.positions[key] for key in books.unplaced if key in books.positions]
    positions |= {row.pk: row for row in rows}
    bare = {key: row for key, row in positions.items() if row.status == Position.Status.OPEN.value}
    if not bare:
        return []
    rules = {rule.instrument_id: rule for rule in books.rules.values()}
    # Nothing but a pair that waited for its entry can cover what this booking has opened.
    fresh = books.opened - {order.position_id for order in orders if order.has_bracket}
    left = uncovered(bare, rules=rules, fresh=fresh)
    return insert_pairs(
        account=books.account,
        positions={key: bare[key] for key in left},
        quantities=left,
        rules=rules,
        now=books.now,
        fresh=fresh,
    )


def _changes_what_is_held(order: Order) -> bool:
    """Tell whether the order bought something, or is the end of an exit that left something."""
    if order.leg == Leg.EXTERNAL.value:
        return False
    if order.side == Side.BUY.value:
        return order.filled_quantity > 0
    return order.leg == Leg.EXIT.value and OrderState(order.state).is_final


def uncovered(
    positions: Mapping[int, Position],
    *,
    rules: Mapping[int, InstrumentRules],
    fresh: Collection[int] = (),
) -> dict[int, Decimal]:
    """Return the base units that neither a live exit nor a live protective order would sell.

    Args:
        positions: Open ones, by key.
        rules: The symbols' grids, by instrument.
        fresh: Keys of those that were opened just now: they have no orders yet.
    """
    left = {key: row.quantity for key, row in positions.items()}
    known = [key for key in positions if key not in fresh]
    for order in live_orders_of(known, (Leg.PROTECT, Leg.EXIT)) if known else ():
        if order.position_id is not None:
            left[order.position_id] -= order.quantity - order.filled_quantity
    units = {
        key: rules[positions[key].instrument_id].quantize_quantity(max(_ZERO, quantity))
        for key, quantity in left.items()
    }
    return {key: quantity for key, quantity in units.items() if quantity > 0}


def insert_pairs(
    *,
    account: Account,
    positions: Mapping[int, Position],
    quantities: Mapping[int, Decimal],
    rules: Mapping[int, InstrumentRules],
    now: datetime,
    fresh: Collection[int] = (),
) -> list[int]:
    """Insert one protective order per position, as far as the exchange would take one.

    One for a part of a position starts from the price of the purchase that added it: each part
    loses at most its own share of the limit. The `fresh` were opened just now, without a bracket.
    """
    limits = get_limits()
    if not positions or limits is None:
        return []
    parts = parts_of(positions, quantities, rules=rules)
    purchases, attempts = _history(positions, fresh)
    full = list_full_symbols(
        account_id=account.pk,
        instrument_ids=[row.instrument_id for row in parts.values()],
        rules=rules,
    )
    states, terms = read_states(), terms_of(positions, purchases)
    lists: list[Order] = []
    legs: list[Order] = []
    planned: list[Position] = []
    for key, position in positions.items():
        if key in parts and position.instrument_id in full:
            continue  # the guardian makes room first
        state = states.of(position.scopes)
        plan = plan_for(
            position,
            limits=limits,
            rules=rules[position.instrument_id],
            terms=terms[key],
            quantity=quantities[key],
            entry_price=_price_of(purchases.get(key)) if key in parts else None,
        )
        if plan is None or not state.permits(Purpose.PROTECT):
            continue
        wish = wish_to_protect(
            account=account, position=position, plan=plan, attempt=attempts[key], now=now
        )
        order = build_order(wish, now=now, epoch=state.epoch)
        lists.append(order)
        legs += build_legs(order, wish.legs, now=now, epoch=state.epoch)
        position.stop_price = plan.stop_price
        position.take_profit_price = plan.take_profit_price
        planned.append(position)
    Order.objects.bulk_create(lists)
    Order.objects.bulk_create(legs)
    update_rows(planned, ("stop_price", "take_profit_price"))
    return [order.pk for order in lists]


def _history(
    positions: Iterable[int], fresh: Collection[int]
) -> tuple[dict[int, Order], dict[int, int]]:
    """Return each position's newest purchase, and the number of its next pair."""
    known = [key for key in positions if key not in fresh]
    first = dict.fromkeys(fresh, 1)
    if not known:
        return {}, first
    return newest_purchases(known), first | next_attempts(known, Leg.PROTECT)


def _price_of(purchase: Order | None) -> Decimal | None:
    return None if purchase is None else purchase.filled_quote / purchase.filled_quantity


def terms_of(
    positions: Mapping[int, Position], purchases: Mapping[int, Order]
) -> dict[int, ProtectionTerms]:
    """Return how these positions, by key, are to be protected.

    As a person said with the newest purchase, else as the strategy wants.
    """
    wanted = {row.strategy_id for row in positions.values() if row.strategy_id is not None}
    by_strategy: dict[int | None, ProtectionTerms] = {}
    if wanted:
        rows = Strategy.objects.filter(pk__in=wanted)
        by_strategy = {
            key: ProtectionTerms(style=ProtectionStyle(style), trailing_delta_bps=delta)
            for key, style, delta in rows.values_list("pk", "protection", "trailing_delta_bps")
        }
    chosen = {key: bracket_of(row) for key, row in purchases.items()}
    return {
        key: replace(by_strategy.get(row.strategy_id, DEFAULT_TERMS), chosen=chosen.get(key))
        for key, row in positions.items()
    }


def plan_for(
    position: Position,
    *,
    limits: RiskLimits,
    rules: InstrumentRules,
    terms: ProtectionTerms = DEFAULT_TERMS,
    quantity: Decimal | None = None,
    entry_price: Decimal | None = None,
) -> ProtectionPlan | None:
    """Return the protection that the position should have; None: too little is held for one.

    Args:
        position: What is held.
        limits: How far stop and target are.
        rules: The symbol's grids.
        terms: The strategy's wish.
        quantity: Of a part; None: of all.
        entry_price: Of that part; None: the position's average.
    """
    return plan_protection(
        held_quantity=position.quantity if quantity is None else quantity,
        entry_price=position.average_entry_price if entry_price is None else entry_price,
        stop_loss_fraction=limits.stop_loss_fraction,
        take_profit_fraction=limits.take_profit_fraction,
        rules=rules,
        terms=terms,
    )


def wish_to_wait(
    wish: Wish, *, rules: InstrumentRules, fee_fraction: Decimal, now: datetime
) -> Wish | None:
    """Return the pair that the exchange shall place itself once the entry is filled.

    None where the exchange takes no such list: then the first fill brings the pair, as for every
    other entry. Its quantity is what is left after the worst fee in the base asset: a pair of more
    than is held the exchange would refuse.
    """
    bracket = wish.bracket
    if bracket is None or not rules.otoco_allowed:
        return None
    return protective_wish(
        common={
            "account": wish.account,
            "instrument_id": wish.instrument_id,
            "key": wish.key,
            "attempt": wish.attempt,
            "side": Side.SELL,
            "quantity": protected_quantity(
                quantity=wish.quantity, fee_fraction=fee_fraction, rules=rules
            ),
            "strategy_id": wish.strategy_id,
            "is_reduce_only": True,
            "scopes": wish.scopes,
            "expires_at": now + PROTECTION_LIFETIME,
        },
        target=(OrderType.LIMIT_MAKER, None),
        price=bracket.take_profit_price,
        stop_price=bracket.stop_price,
    )


def wish_to_protect(
    *, account: Account, position: Position, plan: ProtectionPlan, attempt: int, now: datetime
) -> Wish:
    """Return the wish for what a plan says: a pair, or a stop alone."""
    common = {
        "account": account,
        "instrument_id": position.instrument_id,
        "key": f"position:{position.pk}",
        "attempt": attempt,
        "side": Side.SELL,
        "quantity": plan.quantity,
        "position": position,
        "strategy_id": position.strategy_id,
        "is_reduce_only": True,
        "scopes": tuple(position.scopes),
        "expires_at": now + PROTECTION_LIFETIME,
    }
    return protective_wish(
        common=common,
        target=None if plan.take_profit_price is None else (OrderType.LIMIT_MAKER, None),
        price=plan.take_profit_price,
        stop_price=plan.trigger_price,
        trailing_delta_bps=plan.trailing_delta_bps,
    )


def protective_wish(
    *,
    common: dict[str, object],
    target: tuple[OrderType, Decimal | None] | None,
    price: Decimal | None,
    stop_price: Decimal | None,
    trailing_delta_bps: int | None = None,
    leg_limit_price: Decimal | None = None,
) -> Wish:
    """Return an order list of a target and a stop, or the stop alone.

    Args:
        common: What list and legs share, in ``Wish``'s words; ``leg`` of the list, else PROTECT.
        target: The target leg's type, and its trigger where it has one; None: no target.
        price: The target's price.
        stop_price: The stop's trigger.
        trailing_delta_bps: How far it follows.
        leg_limit_price: The stop's limit once triggered; None: at the market.
    """
    stop_type = OrderType.STOP_LOSS if leg_limit_price is None else OrderType.STOP_LOSS_LIMIT
    stop = {
        "type": stop_type,
        "price": leg_limit_price,
        "stop_price": stop_price,
        "trailing_delta_bps": trailing_delta_bps,
        "time_in_force": None if leg_limit_price is None else TimeInForce.GTC,
    }
    whole = {"leg": Leg.PROTECT, **common}
    if target is None:
        return Wish(**{**whole, **stop})  # type: ignore[arg-type]
    target_type, trigger = target
    leg_common = {key: value for key, value in common.items() if key != "idempotency_key"}
    needs_time = "time_in_force" in target_type.form.required
    take_profit = {
        "type": target_type,
        "price": price if "price" in target_type.form.required else None,
        "stop_price": trigger,
        "time_in_force": TimeInForce.GTC if needs_time else None,
    }
    return Wish(
        **{  # type: ignore[arg-type]
            **whole,
            "type": OrderType.OCO,
            "price": price,
            "stop_price": stop_price,
            "leg_limit_price": leg_limit_price,
            "trailing_delta_bps": trailing_delta_bps,
            "legs": (
                Wish(**{**leg_common, **take_profit, "leg": Leg.TAKE_PROFIT}),  # type: ignore[arg-type]
                Wish(**{**leg_common, **stop, "leg": Leg.STOP_LOSS}),  # type: ignore[arg-type]
            ),
        }
    )

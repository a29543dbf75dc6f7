"""Booking what the exchange tells: fills, ledger, balances, orders and positions together.

Replies, streams, resolution and reconciliation all come through ``record_reports``. Each trade is
booked once, whoever brings it first and however often it comes.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from alerts import push
from alerts.services.raising import raise_alert
from core.crashpoints import crashpoint
from execution.domain.fill import Execution, OrderReport
from execution.domain.ids import is_ours
from execution.domain.order import (
    LIVE_STATES,
    TRANSITIONS,
    Leg,
    OrderEvent,
    OrderState,
    Side,
)
from execution.domain.position import apply_execution, is_flat
from execution.domain.recount import share_of
from execution.domain.reservation import reserved_after_fill
from execution.models import Fill, LedgerEntry, Order, Position
from execution.services.books import Books, open_books, state_of, store_state
from execution.services.external import adopt_external
from execution.services.fees import price_fee
from execution.services.messages import fill_message, order_message, position_message
from execution.services.order_rows import bracket_of, followers
from execution.services.protective_rows import insert_protection
from markets.domain.instrument import InstrumentRules
from risk.domain.trading_state import Level, ScopeKind, scope_of
from risk.services.trading_state import lock_account, raise_level

logger = logging.getLogger(__name__)

# Reports of these states say that nothing more will come.
_LAST_WORDS = frozenset({OrderEvent.FILL, OrderEvent.CANCEL, OrderEvent.EXPIRE})
_LIVE = [state.value for state in LIVE_STATES]
# An order that we held for dead and that the exchange knows.
_DEAD = frozenset(
    {OrderState.NOT_ACCEPTED, OrderState.REJECTED, OrderState.LAPSED, OrderState.DENIED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a booking did.

    Attributes:
        fill_count: Trades that were not booked before.
        incomplete: Client ids of orders that the exchange filled further than we have trades of;
            ask for their trades and book again.
        protect_ids: Protective lists that were inserted and wait to be sent.
        needed: Symbol and client id of entries without whose fills a report could not be booked.
    """

    fill_count: int = 0
    order_ids: tuple[int, ...] = ()
    incomplete: tuple[str, ...] = ()
    protect_ids: tuple[int, ...] = ()
    needed: tuple[tuple[str, str], ...] = ()


@transaction.atomic
def record_reports(*, account_id: int, reports: Sequence[OrderReport], now: datetime) -> Recorded:
    """Book reports of the exchange in one transaction; what is known already changes nothing.

    Args:
        account_id: Whose orders they are.
        reports: In any order; executions may be missing, repeated or late.
        now: Market time.

    Returns:
        What was new, and what must be asked for.
    """
    if not reports:
        return Recorded()
    lock_account(account_id)
    books = open_books(account_id=account_id, reports=reports, now=now)
    incomplete, needed = [], []
    touched: list[Order] = []
    for report in sorted(reports, key=lambda report: _exchange_order(books, report)):
        order = _find_order(books, report)
        if order is None:
            continue
        entry = books.working_of(order)
        if report.filled_quantity and entry is not None and entry.state != OrderState.FILLED.value:
            # The exchange placed this leg when the entry was filled: that comes first here too.
            incomplete.append(report.client_order_id)
            needed.append((report.symbol, entry.client_order_id))
            continue
        touched.append(order)
        for execution in sorted(report.executions, key=lambda item: item.trade_id):
            _book(books, order, execution)
        if not _move(books, order, report):
            incomplete.append(report.client_order_id)
    _move_lists(books, touched)
    books.save()
    _join_positions(touched)
    protect_ids = insert_protection(books=books, orders=touched)
    if books.fills:
        crashpoint("fills.before_commit")
    _publish(books)
    return Recorded(
        fill_count=len(books.fills),
        order_ids=tuple(order.pk for order in touched),
        incomplete=tuple(incomplete),
        protect_ids=tuple(protect_ids),
        needed=tuple(needed),
    )


def _exchange_order(books: Books, report: OrderReport) -> tuple[str, bool, int, Decimal, int]:
    """Sort reports of one order by how far it is filled, so that the last word comes last.

    What waited for an entry comes after all entries.
    """
    waited = books.working_of(books.orders.get(report.client_order_id)) is not None
    is_last = int(report.event in _LAST_WORDS)
    return report.symbol, waited, report.venue_order_id, report.filled_quantity, is_last


def _find_order(books: Books, report: OrderReport) -> Order | None:
    rules = books.rules.get(report.symbol)
    if rules is None:
        raise_alert(
            code="EXTERNAL_ORDER",
            severity="ERROR",
            message=f"An order in {report.symbol}, which is no instrument here, was found",
            context={"symbol": report.symbol, "client_order_id": report.client_order_id},
            dedupe_key=f"EXTERNAL_ORDER:{report.symbol}",
            now=books.now,
        )
        return None
    order = books.orders.get(report.client_order_id) or books.orders_at_venue.get(
        (rules.instrument_id, report.venue_order_id)
    )
    if order is None:
        order = adopt_external(books=books, report=report, instrument_id=rules.instrument_id)
        books.orders_at_venue[rules.instrument_id, report.venue_order_id] = order
    return order


def _book(books: Books, order: Order, execution: Execution) -> None:
    """Book one trade unless it is booked already."""
    key = (order.instrument_id, execution.trade_id)
    if key in books.known_trades:
        return
    books.known_trades.add(key)
    rules = books.rules[execution.symbol]
    execution = replace(execution, fee_price=price_fee(books, execution, rules))
    fill = Fill(
        account=books.account,
        order=order,
        instrument_id=order.instrument_id,
        symbol=execution.symbol,
        side=execution.side.value,
        price=execution.price,
        quantity=execution.quantity,
        quote_quantity=execution.quote_quantity,
        fee=execution.fee,
        fee_asset=execution.fee_asset,
        fee_price=execution.fee_price,
        is_maker=execution.is_maker,
        venue_trade_id=execution.trade_id,
        timestamp=execution.executed_at,
    )
    books.fills.append(fill)
    _enter_ledger(books, fill, rules)
    order.reserved_quantity = reserved_after_fill(
        reserved=order.reserved_quantity,
        left=order.quantity - order.filled_quantity,
        filled=execution.quantity,
    )
    order.filled_quantity += execution.quantity
    order.filled_quote += execution.quote_quantity
    books.note(order)
    if order.filled_quantity > order.quantity:
        _report_incident(books, order, "OVERFILL", "the exchange filled more than was ordered")
    _apply_to_position(books, order, fill, execution, rules)


def _enter_ledger(books: Books, fill: Fill, rules: InstrumentRules) -> None:
    sign = 1 if fill.side == Side.BUY else -1
    for asset, change, kind in (
        (rules.base_asset, sign * fill.quantity, LedgerEntry.Kind.TRADE),
        (rules.quote_asset, -sign * fill.quote_quantity, LedgerEntry.Kind.TRADE),
        (fill.fee_asset, -fill.fee, LedgerEntry.Kind.FEE),
    ):
        books.change_balance(asset, change, kind=kind.value, fill=fill, at=fill.timestamp)


def _apply_to_position(
    books: Books, order: Order, fill: Fill, execution: Execution, rules: InstrumentRules
) -> None:
    position = books.positions.get(order.instrument_id)
    if order.leg == Leg.EXTERNAL.value and not order.is_attached:
        # Somebody else's trade is not ours to manage, unless it sold what our position held.
        if position is None or execution.side is Side.BUY:
            return
        lacking = position.quantity - books.balances[rules.base_asset].total
        if lacking <= 0:
            return
        execution = share_of(execution, min(lacking, execution.quantity))
    elif position is None:
        if execution.side is Side.SELL:
            return
        position = _open_position(books, order, execution)
    bracket = bracket_of(order)
    if bracket is not None:
        position.stop_price = bracket.stop_price
        position.take_profit_price = bracket.take_profit_price
    applied = apply_execution(
        state_of(position),
        execution,
        base_asset=rules.base_asset,
        quote_asset=rules.quote_asset,
    )
    store_state(position, applied.position)
    position.updated_at = books.now
    fill.position = position
    fill.realized_pnl = applied.realized_pnl
    order.position = position
    books.changed_positions[id(position)] = position
    if execution.side is Side.SELL and is_flat(applied.position, step_size=rules.step_size):
        _close_position(books, position, at=execution.executed_at)


def _open_position(books: Books, order: Order, execution: Execution) -> Position:
    position = Position(
        account=books.account,
        instrument_id=order.instrument_id,
        strategy_id=order.strategy_id,
        symbol=execution.symbol,
        scopes=order.scopes,
        opened_at=execution.executed_at,
    )
    dust = books.dust.get(order.instrument_id)
    if dust is not None and dust.has_dust:
        dust.has_dust = False
        books.carried_dust.append(dust)
        position.carried_quantity = position.quantity = dust.dust_quantity
        position.carried_cost_quote = position.cost_quote = dust.cost_quote
    books.positions[order.instrument_id] = position
    return position


def _close_position(books: Books, position: Position, *, at: datetime) -> None:
    position.status = Position.Status.CLOSED
    position.closed_at = at
    position.dust_quantity = position.quantity
    position.quantity = Decimal(0)
    position.has_dust = position.dust_quantity > 0
    del books.positions[position.instrument_id]
    if position.has_dust:
        books.dust[position.instrument_id] = position


def _move(books: Books, order: Order, report: OrderReport) -> bool:
    """Move the order along the table; return whether we hold all trades the report speaks of."""
    is_complete = order.filled_quantity >= report.filled_quantity
    event = report.event
    if not is_complete and event in _LAST_WORDS:
        # Not final before its trades are booked: whoever looks for loose ends must find it.
        event = OrderEvent.FILL_PART if order.filled_quantity else OrderEvent.ACCEPT
    state = OrderState(order.state)
    if state in _DEAD:
        _report_incident(books, order, "DEAD_ORDER_ALIVE", f"the exchange knows it, {state} here")
    after = TRANSITIONS.get((state, event))
    if after is None:
        logger.warning("order.report_ignored order_id=%s state=%s event=%s", order.pk, state, event)
        return is_complete
    if report.quantity < order.quantity:
        _shrink(order, report.quantity)
    order.venue_order_id = report.venue_order_id
    order.venue_list_id = report.venue_list_id or order.venue_list_id
    order.state = after.value
    if after.is_final:
        order.reserved_quantity = Decimal(0)
        order.ended_at = order.ended_at or books.now
        if state is OrderState.PENDING_NEW:
            books.unplaced.add(order.instrument_id)
    else:
        order.ended_at = None
    books.note(order)
    return is_complete


def _shrink(order: Order, quantity: Decimal) -> None:
    """Take over a smaller quantity: the order was amended. What is older told of more."""
    order.reserved_quantity = reserved_after_fill(
        reserved=order.reserved_quantity,
        left=order.quantity - order.filled_quantity,
        filled=order.quantity - quantity,
    )
    order.quantity = quantity


def _move_lists(books: Books, orders: Sequence[Order]) -> None:
    """Let the row of a list follow its legs: done when both are, filled when one is."""
    parent_ids = {order.parent_id for order in orders if order.parent_id is not None}
    if not parent_ids:
        return
    families: dict[int, list[Order]] = {parent_id: [] for parent_id in parent_ids}
    for leg in Order.objects.filter(parent_id__in=parent_ids):
        if leg.parent_id is not None:
            families[leg.parent_id].append(books.by_key.get(leg.pk, leg))
    for parent_id, legs in families.items():
        parent = books.by_key[parent_id]
        states = {OrderState(leg.state) for leg in legs}
        if all(state.is_final for state in states):
            event = OrderEvent.FILL if OrderState.FILLED in states else OrderEvent.CANCEL
        elif states == {OrderState.PENDING_NEW}:
            event = OrderEvent.WAIT
        else:
            event = OrderEvent.ACCEPT
        after = TRANSITIONS.get((OrderState(parent.state), event))
        if after is None or after.value == parent.state:
            continue
        parent.state = after.value
        parent.venue_list_id = next((leg.venue_list_id for leg in legs if leg.venue_list_id), None)
        parent.filled_quantity = sum((leg.filled_quantity for leg in legs), Decimal(0))
        parent.filled_quote = sum((leg.filled_quote for leg in legs), Decimal(0))
        if after.is_final:
            parent.reserved_quantity = Decimal(0)
            parent.ended_at = parent.ended_at or books.now
        books.note(parent)


def _join_positions(orders: Sequence[Order]) -> None:
    """Let the pair that waits for an entry protect the position that the entry bought."""
    for entry in orders:
        if entry.has_bracket and entry.filled_quantity:
            pair = followers(entry).filter(state__in=_LIVE)
            pair.exclude(position=entry.position_id).update(position=entry.position_id)


def _report_incident(books: Books, order: Order, code: str, what: str) -> None:
    raise_alert(
        code=code,
        severity="CRITICAL",
        message=f"Order {order.client_order_id}: {what}",
        context={"order_id": order.pk, "is_ours": is_ours(order.client_order_id)},
        dedupe_key=f"{code}:{order.pk}",
        now=books.now,
    )
    symbol = next(s for s, r in books.rules.items() if r.instrument_id == order.instrument_id)
    raise_level(
        level=Level.REDUCE_ONLY,
        reason=f"order {order.client_order_id}: {what}",
        actor=f"auto:{code.lower()}",
        now=books.now,
        scope=scope_of(ScopeKind.SYMBOL, symbol),
    )


def _publish(books: Books) -> None:
    push.publish(
        *(order_message(order, books.now) for order in books.changed_orders.values()),
        *(fill_message(fill) for fill in books.fills),
        *(position_message(row, books.now) for row in books.changed_positions.values()),
    )

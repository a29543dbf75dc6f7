"""What the exchange did during one candle: market orders at the open, then the protective pairs."""

from dataclasses import replace
from decimal import Decimal
from typing import Protocol

from execution.backtest.account import Account, FillOf
from execution.backtest.costs import Costs
from execution.backtest.series import Bar, exact
from execution.backtest.slot import Guard, Pending, Slot
from execution.domain.decision import Reason
from execution.domain.order import Side
from execution.domain.protection import DEFAULT_TERMS, plan_protection
from risk.domain.limits import RiskLimits
from risk.domain.order_forms import BPS

# As in live trading: without a pair for this long, a position is sold.
LONGEST_UNPROTECTED_MS = 10_000


class Terms(Protocol):
    """The part of the engine's set-up that an exchange needs."""

    @property
    def costs(self) -> Costs: ...
    @property
    def limits(self) -> RiskLimits: ...


def trade_candle(slot: Slot, account: Account, terms: Terms) -> None:
    """Fill what is under way in the slot's present candle, stretch by stretch."""
    if slot.pending is None and not slot.guards:
        return
    for bar in slot.series.bars(slot.row):
        if slot.pending is not None and _has_arrived(slot, slot.pending, bar):
            _fill_pending(slot, slot.pending, bar, account, terms)
        # As a price falls, the highest stop is met first.
        for guard in sorted(slot.guards, key=lambda each: -each.stop):
            if guard in slot.guards:
                _check_guard(slot, guard, bar, account, terms.costs)


def _has_arrived(slot: Slot, pending: Pending, bar: Bar) -> bool:
    """Tell whether the order can trade in this stretch.

    It trades at the first open after its arrival. Where the stretch is the whole candle, nobody
    knows the price at the arrival, and the open stands for it.
    """
    is_whole = bar.close_ms - bar.open_ms == slot.series.timeframe.ms
    return pending.arrival_ms <= bar.open_ms or (is_whole and pending.arrival_ms < bar.close_ms)


def _fill_pending(slot: Slot, pending: Pending, bar: Bar, account: Account, terms: Terms) -> None:
    costs = terms.costs
    quantity = _fillable(slot, pending.left, bar, costs)
    is_buy = pending.side is Side.BUY
    if is_buy:
        slot.pending = None  # a market order does not rest: what finds no volume expires
        account.expired += quantity < pending.left
    if quantity <= 0:
        return
    fill = _market_fill(slot, pending, bar, exact(bar.open), quantity, costs)
    if is_buy and fill.price * quantity * (1 + costs.taker_fee) > account.cash:
        account.rejected += 1
        return
    account.book(slot, fill, costs)
    if is_buy:
        _protect(slot, account, terms.limits, fill.at_ms, fill.screen, part_price=fill.price)
        return
    pending.left -= quantity
    if pending.left <= 0 or slot.trip is None:
        slot.pending = None
        if slot.trip is not None:
            # A part was sold: what is left is protected anew, as in live trading.
            slot.trip.exits += pending.reason == Reason.SCALE_OUT.value
            _protect(slot, account, terms.limits, fill.at_ms, fill.screen)


def _check_guard(slot: Slot, guard: Guard, bar: Bar, account: Account, costs: Costs) -> None:
    """Trigger stop or target; the stop first where both were touched and nothing tells more."""
    if slot.trip is None:
        return
    if bar.open > guard.stop and bar.open >= guard.target:
        _take_profit(slot, guard, bar, account, costs)
    elif bar.low <= guard.stop:
        _stop_out(slot, guard, bar, account, costs)
    elif bar.high >= guard.target:
        _take_profit(slot, guard, bar, account, costs)
    elif guard.plan.trailing_delta_bps is not None:
        _trail(slot, guard, bar, account, costs)


def _trail(slot: Slot, guard: Guard, bar: Bar, account: Account, costs: Costs) -> None:
    """Let the stop follow the best price; a close below it after a new high was sold on the way.

    Nobody knows whether the low came before the high: the stop of the candle before counts for it.
    """
    plan = guard.plan
    if plan.trailing_delta_bps is None:
        return
    guard.best_price = max(guard.best_price, exact(bar.high))
    stop = guard.best_price * (1 - plan.trailing_delta_bps / BPS)
    stop = slot.series.rules.quantize_price(stop, Side.SELL)
    guard.plan = replace(plan, stop_price=max(stop, plan.stop_price))
    if bar.close <= guard.stop:
        _stop_out(slot, guard, bar, account, costs)


def _stop_out(slot: Slot, guard: Guard, bar: Bar, account: Account, costs: Costs) -> None:
    trip = slot.trip
    if trip is None:
        return
    slot.guards.remove(guard)
    order = Pending(
        side=Side.SELL,
        reason="STOP_LOSS",
        owner=trip.owner,
        # Unless the candle opens below the stop, nobody knows when: late is the safer guess.
        arrival_ms=bar.open_ms if bar.open <= guard.stop else bar.close_ms,
        left=guard.plan.quantity,
    )
    quantity = _fillable(slot, order.left, bar, costs)
    order.left -= quantity
    if quantity > 0:
        screen = min(exact(bar.open), guard.plan.stop_price)
        account.book(slot, _market_fill(slot, order, bar, screen, quantity, costs), costs)
    if order.left > 0 and slot.trip is not None:
        if slot.pending is not None and slot.pending.side is Side.SELL:
            order.left += slot.pending.left  # of another part, stopped out as well
        slot.pending = order  # the rest goes at the next opens


def _take_profit(slot: Slot, guard: Guard, bar: Bar, account: Account, costs: Costs) -> None:
    """Sell at the limit: a resting order gets its price and no better one."""
    plan, trip = guard.plan, slot.trip
    if trip is None or plan.take_profit_price is None:
        return
    quantity = _fillable(slot, plan.quantity, bar, costs)
    if quantity <= 0:
        return
    fill = FillOf(
        side=Side.SELL,
        at_ms=bar.open_ms if bar.open >= guard.target else bar.close_ms,
        price=plan.take_profit_price,
        quantity=quantity,
        screen=plan.take_profit_price,
        reason="TAKE_PROFIT",
        owner=trip.owner,
        is_maker=True,
    )
    account.book(slot, fill, costs)
    if slot.trip is not None:
        guard.plan = replace(plan, quantity=plan.quantity - quantity)
        if guard.plan.quantity <= 0:
            slot.guards.remove(guard)


def _protect(
    slot: Slot,
    account: Account,
    limits: RiskLimits,
    now_ms: int,
    price: Decimal,
    *,
    part_price: Decimal | None = None,
) -> None:
    """Place a pair for what has none, as live trading does in the fill's own transaction.

    A part that is added gets one from its own price. What the exchange would take no pair for
    waits for more beside others; alone it is sold soon after, or written off where the exchange
    would not take that sale either.
    """
    position, rules, trip = slot.position, slot.series.rules, slot.trip
    plan = plan_protection(
        held_quantity=position.quantity - slot.guarded_quantity,
        entry_price=part_price
        if part_price is not None and slot.guards
        else position.average_entry_price,
        stop_loss_fraction=limits.stop_loss_fraction,
        take_profit_fraction=limits.take_profit_fraction,
        rules=rules,
        terms=DEFAULT_TERMS if trip is None else slot.plans[trip.owner].protection,
    )
    if plan is not None:
        if plan.trailing_delta_bps is not None:
            # It follows from the price at which it was placed, not from the entry's.
            start = rules.quantize_price(price * (1 - plan.trailing_delta_bps / BPS), Side.SELL)
            plan = replace(plan, stop_price=start)
        slot.guards.append(Guard(plan=plan, best_price=price))
    if slot.guards or trip is None:
        return
    quantity = rules.quantize_quantity(position.quantity)
    worth = quantity * position.average_entry_price
    if worth < rules.min_notional or quantity < rules.min_quantity or not quantity:
        account.write_off(slot, now_ms)
        return
    slot.pending = Pending(
        side=Side.SELL,
        reason="UNPROTECTED",
        owner=trip.owner,
        arrival_ms=now_ms + LONGEST_UNPROTECTED_MS,
        left=quantity,
    )


def _fillable(slot: Slot, wanted: Decimal, bar: Bar, costs: Costs) -> Decimal:
    most = costs.most(bar.volume)
    if most is None or most >= wanted:
        return wanted
    return slot.series.rules.quantize_quantity(most)


def _market_fill(
    slot: Slot, order: Pending, bar: Bar, screen: Decimal, quantity: Decimal, costs: Costs
) -> FillOf:
    price = costs.market_price(
        side=order.side,
        reference=screen,
        tick=slot.series.rules.tick_size,
        spread=bar.spread,
        share=float(quantity) / bar.volume if bar.volume > 0 else 0.0,
    )
    return FillOf(
        side=order.side,
        at_ms=max(order.arrival_ms, bar.open_ms),
        price=price,
        quantity=quantity,
        screen=screen,
        reason=order.reason,
        owner=order.owner,
    )

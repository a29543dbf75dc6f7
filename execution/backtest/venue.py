"""What the exchange did during one candle: market orders at the open, then the protective pair."""

from dataclasses import replace
from decimal import Decimal
from typing import Protocol

from execution.backtest.account import Account, FillOf
from execution.backtest.costs import Costs
from execution.backtest.series import Bar, exact
from execution.backtest.slot import Pending, Slot, target_of
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
    if slot.pending is None and slot.pair is None:
        return
    for bar in slot.series.bars(slot.row):
        if slot.pending is not None and _has_arrived(slot, slot.pending, bar):
            _fill_pending(slot, slot.pending, bar, account, terms)
        if slot.pair is not None:
            _check_pair(slot, bar, account, terms.costs)


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
        _protect(slot, account, terms.limits, fill.at_ms, fill.screen)
        return
    pending.left -= quantity
    if pending.left <= 0 or slot.trip is None:
        slot.pending = None
        if slot.trip is not None:
            # A part was sold: what is left is protected anew, as in live trading.
            slot.trip.exits += pending.reason == Reason.SCALE_OUT.value
            _protect(slot, account, terms.limits, fill.at_ms, fill.screen)


def _check_pair(slot: Slot, bar: Bar, account: Account, costs: Costs) -> None:
    """Trigger stop or target; the stop first where both were touched and nothing tells more."""
    pair, trip = slot.pair, slot.trip
    if pair is None or trip is None:
        return
    stop, target = float(pair.stop_price), target_of(pair)
    if bar.open > stop and bar.open >= target:
        _take_profit(slot, bar, account, costs)
    elif bar.low <= stop:
        _stop_out(slot, bar, account, costs)
    elif bar.high >= target:
        _take_profit(slot, bar, account, costs)
    elif pair.trailing_delta_bps is not None:
        _trail(slot, bar, account, costs)


def _trail(slot: Slot, bar: Bar, account: Account, costs: Costs) -> None:
    """Let the stop follow the best price; a close below it after a new high was sold on the way.

    Nobody knows whether the low came before the high: the stop of the candle before counts for it.
    """
    pair = slot.pair
    if pair is None or pair.trailing_delta_bps is None:
        return
    slot.best_price = max(slot.best_price, exact(bar.high))
    stop = slot.best_price * (1 - pair.trailing_delta_bps / BPS)
    stop = slot.series.rules.quantize_price(stop, Side.SELL)
    slot.pair = replace(pair, stop_price=max(stop, pair.stop_price))
    if bar.close <= float(slot.pair.stop_price):
        _stop_out(slot, bar, account, costs)


def _stop_out(slot: Slot, bar: Bar, account: Account, costs: Costs) -> None:
    pair, trip = slot.pair, slot.trip
    if pair is None or trip is None:
        return
    slot.pair = None
    order = Pending(
        side=Side.SELL,
        reason="STOP_LOSS",
        owner=trip.owner,
        # Unless the candle opens below the stop, nobody knows when: late is the safer guess.
        arrival_ms=bar.open_ms if bar.open <= float(pair.stop_price) else bar.close_ms,
        left=pair.quantity,
    )
    quantity = _fillable(slot, order.left, bar, costs)
    order.left -= quantity
    if quantity > 0:
        screen = min(exact(bar.open), pair.stop_price)
        account.book(slot, _market_fill(slot, order, bar, screen, quantity, costs), costs)
    if order.left > 0 and slot.trip is not None:
        slot.pending = order  # the rest goes at the next opens


def _take_profit(slot: Slot, bar: Bar, account: Account, costs: Costs) -> None:
    """Sell at the limit: a resting order gets its price and no better one."""
    pair, trip = slot.pair, slot.trip
    if pair is None or trip is None or pair.take_profit_price is None:
        return
    quantity = _fillable(slot, pair.quantity, bar, costs)
    if quantity <= 0:
        return
    fill = FillOf(
        side=Side.SELL,
        at_ms=bar.open_ms if bar.open >= float(pair.take_profit_price) else bar.close_ms,
        price=pair.take_profit_price,
        quantity=quantity,
        screen=pair.take_profit_price,
        reason="TAKE_PROFIT",
        owner=trip.owner,
        is_maker=True,
    )
    account.book(slot, fill, costs)
    if slot.trip is not None:
        slot.pair = replace(pair, quantity=pair.quantity - quantity)


def _protect(slot: Slot, account: Account, limits: RiskLimits, now_ms: int, price: Decimal) -> None:
    """Place the pair for what is held, as live trading does in the entry's own transaction.

    What the exchange would take no pair for is sold soon after, or written off where it would not
    take that sale either.
    """
    position, rules, trip = slot.position, slot.series.rules, slot.trip
    slot.pair = plan_protection(
        held_quantity=position.quantity,
        entry_price=position.average_entry_price,
        stop_loss_fraction=limits.stop_loss_fraction,
        take_profit_fraction=limits.take_profit_fraction,
        rules=rules,
        terms=DEFAULT_TERMS if trip is None else slot.plans[trip.owner].protection,
    )
    if slot.pair is not None and slot.pair.trailing_delta_bps is not None:
        # It follows from the price at which it was placed, not from the entry's.
        slot.best_price = price
        start = rules.quantize_price(price * (1 - slot.pair.trailing_delta_bps / BPS), Side.SELL)
        slot.pair = replace(slot.pair, stop_price=start)
    if slot.pair is not None or trip is None:
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

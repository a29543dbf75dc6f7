"""The question that the gate is asked: one form for live trading and for replays."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from execution.domain.order import OrderType, Side, TimeInForce
from execution.domain.protection import Bracket
from markets.domain.instrument import InstrumentRules
from risk.domain.limits import RiskLimits
from risk.domain.snapshot import OrderProposal, ReferencePrice
from risk.domain.stops import Protection, chosen_prices, protective_prices
from risk.domain.trading_state import Purpose

_ATOM = Decimal("1e-18")


class Wanted(Protocol):
    """An order that somebody wants; ``order_rows.Wish`` is one."""

    @property
    def intent_key(self) -> str: ...
    @property
    def instrument_id(self) -> int: ...
    @property
    def side(self) -> Side: ...
    @property
    def type(self) -> OrderType: ...
    @property
    def quantity(self) -> Decimal: ...
    @property
    def price(self) -> Decimal | None: ...
    @property
    def stop_price(self) -> Decimal | None: ...
    @property
    def leg_limit_price(self) -> Decimal | None: ...
    @property
    def trailing_delta_bps(self) -> int | None: ...
    @property
    def time_in_force(self) -> TimeInForce | None: ...
    @property
    def bracket(self) -> Bracket | None: ...
    @property
    def is_reduce_only(self) -> bool: ...
    @property
    def purpose(self) -> Purpose: ...
    @property
    def strategy_id(self) -> int | None: ...
    @property
    def decision_id(self) -> int | None: ...


def entry_quantity(*, notional: Decimal, price: Decimal, rules: InstrumentRules) -> Decimal:
    """Return the base units that `notional` buys, rounded down to the step.

    Less than one step stays as it is: the gate then names the filter.
    """
    raw = (notional / price).quantize(_ATOM)
    return rules.quantize_quantity(raw) or raw


def build_proposal(
    wanted: Wanted,
    *,
    account_id: int,
    rules: InstrumentRules | None,
    limits: RiskLimits | None,
    references: Sequence[ReferencePrice],
    data_at: datetime,
    bar_s: int,
    is_manual: bool = False,
) -> OrderProposal:
    """Return the proposal; a buy carries the protective prices that would follow it.

    Args:
        wanted: The order.
        account_id: Whose.
        rules: The exchange's rules of the symbol; None: not known.
        limits: The limits; None: there is no row.
        references: Opinions on the present price.
        data_at: Time of the newest market data that the order rests on.
        bar_s: Length of the strategy's candle, seconds.
        is_manual: A person asked for it.
    """
    prices = [reference.price for reference in references]
    protection = None
    if wanted.side is Side.BUY and rules is not None and limits is not None and prices:
        middle = sorted(prices)[len(prices) // 2]
        protection = _protection(wanted, middle=middle, limits=limits, rules=rules)
    return OrderProposal(
        intent_key=wanted.intent_key,
        account_id=account_id,
        instrument_id=wanted.instrument_id,
        symbol=rules.symbol if rules else "",
        purpose=wanted.purpose,
        side=wanted.side.value,
        type=wanted.type.value,
        quantity=wanted.quantity,
        bar_s=bar_s,
        references=tuple(references),
        data_at=data_at,
        time_in_force=wanted.time_in_force.value if wanted.time_in_force else None,
        price=wanted.price,
        stop_price=wanted.stop_price,
        leg_limit_price=wanted.leg_limit_price,
        trailing_delta_bps=wanted.trailing_delta_bps,
        is_reduce_only=wanted.is_reduce_only,
        is_manual=is_manual,
        strategy_id=wanted.strategy_id,
        decision_id=wanted.decision_id,
        stop_loss_price=protection.stop_price if protection else None,
        stop_limit_price=protection.stop_limit_price if protection else None,
        take_profit_price=protection.take_profit_price if protection else None,
        has_pending_pair=wanted.bracket is not None and rules is not None and rules.otoco_allowed,
    )


def _protection(
    wanted: Wanted, *, middle: Decimal, limits: RiskLimits, rules: InstrumentRules
) -> Protection:
    """Return the protective prices that a person chose, else those of the limits."""
    if wanted.bracket is not None:
        return chosen_prices(
            stop_price=wanted.bracket.stop_price,
            take_profit_price=wanted.bracket.take_profit_price,
            rules=rules,
        )
    entry_price = wanted.price or wanted.stop_price or middle
    return protective_prices(entry_price=entry_price, limits=limits, rules=rules)

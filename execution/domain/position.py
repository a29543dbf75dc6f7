"""Positions and profit: exact average-cost accounting of a round trip.

A BUY adds what was received after commission at what was paid for it; a SELL releases cost in
proportion. Fees are thereby inside cost and proceeds: profit is net of them, and from flat to
flat it equals what first-in-first-out accounting gives.
"""

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

from execution.domain.fill import Execution
from execution.domain.order import Side

_CENT_OF_NOTHING = Decimal("1e-18")  # the precision that the database keeps
_EXACT = Context(prec=76, rounding=ROUND_HALF_EVEN)
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionState:
    """What is held of one symbol and what it has cost so far; base and quote units.

    Attributes:
        quantity: Base units held now, >= 0.
        cost_quote: Paid for what is held, fees included.
        entry_quantity: Base units bought, before commission.
        entry_quote: Paid for them, without fees.
        realized_pnl: Profit of what was sold, net of all fees.
        fees_quote: Commission so far, valued in quote at the time.
    """

    quantity: Decimal = _ZERO
    cost_quote: Decimal = _ZERO
    entry_quantity: Decimal = _ZERO
    entry_quote: Decimal = _ZERO
    exit_quantity: Decimal = _ZERO
    exit_quote: Decimal = _ZERO
    realized_pnl: Decimal = _ZERO
    fees_quote: Decimal = _ZERO

    @property
    def average_entry_price(self) -> Decimal:
        """Mean price of the entries; 0 before the first."""
        if not self.entry_quantity:
            return _ZERO
        with localcontext(_EXACT):
            return (self.entry_quote / self.entry_quantity).quantize(_CENT_OF_NOTHING)

    def unrealized_pnl(self, mark_price: Decimal) -> Decimal:
        """Return what closing at `mark_price` would add to the profit, before its fee."""
        with localcontext(_EXACT):
            return self.quantity * mark_price - self.cost_quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A position after one execution.

    Attributes:
        realized_pnl: Profit of this execution alone.
        uncovered_quantity: Base units sold that the position did not hold.
    """

    position: PositionState
    realized_pnl: Decimal
    uncovered_quantity: Decimal


def apply_execution(
    position: PositionState,
    execution: Execution,
    *,
    base_asset: str,
    quote_asset: str,
) -> Applied:
    """Return the position after `execution`.

    Args:
        position: Before it.
        execution: What happened at the exchange. A fee in a third asset without a price is left
            out of the profit; the ledger holds it in its own asset in any case.
        base_asset: Asset whose quantity the position counts.
        quote_asset: Asset in which cost and profit count.
    """
    with localcontext(_EXACT):
        base_fee, quote_fee = split_fee(execution, base_asset=base_asset, quote_asset=quote_asset)
        fees = position.fees_quote + quote_fee + _round(base_fee * execution.price)
        if execution.side is Side.BUY:
            return _buy(position, execution, base_fee=base_fee, quote_fee=quote_fee, fees=fees)
        return _sell(position, execution, base_fee=base_fee, quote_fee=quote_fee, fees=fees)


def split_fee(
    execution: Execution, *, base_asset: str, quote_asset: str
) -> tuple[Decimal, Decimal]:
    """Return the commission in base and in quote units; one of them is 0.

    A fee in a third asset counts in quote, at the price that it was booked with.
    """
    if execution.fee_asset == base_asset:
        return execution.fee, _ZERO
    if execution.fee_asset == quote_asset:
        return _ZERO, execution.fee
    with localcontext(_EXACT):
        return _ZERO, _round(execution.fee * (execution.fee_price or _ZERO))


def _buy(
    position: PositionState,
    execution: Execution,
    *,
    base_fee: Decimal,
    quote_fee: Decimal,
    fees: Decimal,
) -> Applied:
    after = replace(
        position,
        quantity=position.quantity + execution.quantity - base_fee,
        cost_quote=position.cost_quote + execution.quote_quantity + quote_fee,
        entry_quantity=position.entry_quantity + execution.quantity,
        entry_quote=position.entry_quote + execution.quote_quantity,
        fees_quote=fees,
    )
    return Applied(position=after, realized_pnl=_ZERO, uncovered_quantity=_ZERO)


def _sell(
    position: PositionState,
    execution: Execution,
    *,
    base_fee: Decimal,
    quote_fee: Decimal,
    fees: Decimal,
) -> Applied:
    given = execution.quantity + base_fee
    covered = min(given, position.quantity)
    proceeds = execution.quote_quantity - quote_fee
    if covered < given:
        proceeds = _round(proceeds * covered / given)
    # The last unit takes all cost that is left: nothing is lost to rounding from flat to flat.
    released = (
        position.cost_quote
        if covered == position.quantity
        else _round(position.cost_quote * covered / position.quantity)
    )
    profit = proceeds - released
    after = replace(
        position,
        quantity=position.quantity - covered,
        cost_quote=position.cost_quote - released,
        exit_quantity=position.exit_quantity + execution.quantity,
        exit_quote=position.exit_quote + execution.quote_quantity,
        realized_pnl=position.realized_pnl + profit,
        fees_quote=fees,
    )
    return Applied(position=after, realized_pnl=profit, uncovered_quantity=given - covered)


def is_flat(position: PositionState, *, step_size: Decimal) -> bool:
    """Tell whether nothing sellable is left: less than one step is dust."""
    return position.quantity < step_size or not position.quantity


def _round(number: Decimal) -> Decimal:
    return number.quantize(_CENT_OF_NOTHING)

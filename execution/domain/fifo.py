"""First-in-first-out accounting: the second opinion on the profit of a round trip."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

from execution.domain.fill import Execution
from execution.domain.order import Side
from execution.domain.position import split_fee

_EXACT = Context(prec=76, rounding=ROUND_HALF_EVEN)
_GRID = Decimal("1e-18")
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FifoResult:
    """Profit by FIFO, and what is left; quote and base units."""

    realized_pnl: Decimal
    quantity: Decimal
    cost_quote: Decimal


def fifo(
    executions: Iterable[Execution],
    *,
    base_asset: str,
    quote_asset: str,
    carried_quantity: Decimal = _ZERO,
    carried_cost_quote: Decimal = _ZERO,
) -> FifoResult:
    """Return the profit when each sale releases the oldest units first.

    When nothing is left it equals average-cost accounting to the last digit: both release exactly
    what was paid. In between they differ, by design.

    Args:
        executions: In the order in which they happened.
        base_asset: Asset that is bought and sold; fees in it reduce what is received.
        quote_asset: Asset that is paid; fees in it are part of cost or proceeds, and so are fees
            in a third asset at the price they were booked with.
        carried_quantity: Held already before the first execution.
        carried_cost_quote: What that has cost.
    """
    lots: deque[tuple[Decimal, Decimal]] = deque()
    if carried_quantity:
        lots.append((carried_quantity, carried_cost_quote))
    realized = _ZERO
    with localcontext(_EXACT):
        for item in executions:
            base_fee, quote_fee = split_fee(item, base_asset=base_asset, quote_asset=quote_asset)
            if item.side is Side.BUY:
                lots.append((item.quantity - base_fee, item.quote_quantity + quote_fee))
                continue
            given = item.quantity + base_fee
            released, covered = _release(lots, given)
            proceeds = item.quote_quantity - quote_fee
            if covered < given:
                proceeds = (proceeds * covered / given).quantize(_GRID)
            realized += proceeds - released
        quantity = sum((lot[0] for lot in lots), _ZERO)
        cost = sum((lot[1] for lot in lots), _ZERO)
    return FifoResult(realized_pnl=realized, quantity=quantity, cost_quote=cost)


def _release(lots: deque[tuple[Decimal, Decimal]], wanted: Decimal) -> tuple[Decimal, Decimal]:
    """Take `wanted` units from the oldest lots; return their cost and how many there were."""
    released = covered = _ZERO
    while lots and covered < wanted:
        quantity, cost = lots.popleft()
        take = min(quantity, wanted - covered)
        # The last unit of a lot takes all its cost: nothing is lost to rounding.
        part = cost if take == quantity else (cost * take / quantity).quantize(_GRID)
        if take < quantity:
            lots.appendleft((quantity - take, cost - part))
        released += part
        covered += take
    return released, covered

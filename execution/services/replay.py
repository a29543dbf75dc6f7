"""Recomputing positions from their fills."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db import transaction

from execution.domain.fill import Execution
from execution.domain.order import ATTACHED, Leg, Side
from execution.domain.position import PositionState, apply_execution
from execution.models import Fill, Position
from execution.services.books import state_of
from markets.domain.instrument import InstrumentRules
from markets.selectors import list_rules
from risk.services.trading_state import lock_account


@transaction.atomic
def find_wrong_positions(*, account_id: int) -> list[dict[str, Any]]:
    """Return the open positions whose row differs from what their fills make, if any."""
    lock_account(account_id)  # a fill that is being booked would look like a difference
    positions = list(
        Position.objects.filter(account_id=account_id, status=Position.Status.OPEN).order_by("pk")
    )
    rules = list_rules({row.instrument_id for row in positions})
    fills: dict[int, list[Fill]] = {row.pk: [] for row in positions}
    rows = Fill.objects.filter(position__in=list(fills)).select_related("order").order_by("pk")
    for fill in rows:
        if fill.position_id is not None:
            fills[fill.position_id].append(fill)
    wrong = []
    for position in positions:
        state = recompute(position, fills[position.pk], rules=rules[position.instrument_id])
        if state is not None and state != state_of(position):
            wrong.append(_difference(position, state.quantity))
    return wrong


def recompute(
    position: Position, fills: Sequence[Fill], *, rules: InstrumentRules
) -> PositionState | None:
    """Return what the fills of a position make, in the order in which they were booked.

    None where an external trade took part: only a share of it counts, and the share is not kept.

    Args:
        position: What it carried on from an earlier round trip is the start.
        fills: All its fills, with their orders loaded.
        rules: Of its symbol.
    """
    if any(is_external(fill) for fill in fills):
        return None
    state = PositionState(
        quantity=position.carried_quantity, cost_quote=position.carried_cost_quote
    )
    for fill in fills:
        state = apply_execution(
            state,
            execution_of(fill),
            base_asset=rules.base_asset,
            quote_asset=rules.quote_asset,
        ).position
    return state


def is_external(fill: Fill) -> bool:
    """Tell whether a trade was somebody else's when it was booked. `fill.order` must be loaded.

    Of an order that a person attached only what it traded from then on is ours.
    """
    if fill.order.leg != Leg.EXTERNAL.value:
        return False
    attached = fill.order.context.get(ATTACHED)
    return attached is None or fill.pk <= attached["after_fill"]


def execution_of(fill: Fill) -> Execution:
    """Return a booked trade as the exchange told it. `fill.order` must be loaded."""
    return Execution(
        symbol=fill.symbol,
        trade_id=fill.venue_trade_id,
        venue_order_id=fill.order.venue_order_id or 0,
        side=Side(fill.side),
        price=fill.price,
        quantity=fill.quantity,
        quote_quantity=fill.quote_quantity,
        fee=fill.fee,
        fee_asset=fill.fee_asset,
        fee_price=fill.fee_price,
        is_maker=fill.is_maker,
        executed_at=fill.timestamp,
    )


def _difference(position: Position, recomputed: Decimal) -> dict[str, Any]:
    return {
        "kind": "POSITION_DIFFERS",
        "position_id": position.pk,
        "stored": format(position.quantity, "f"),
        "recomputed": format(recomputed, "f"),
    }

"""Live messages about orders, fills and positions."""

from datetime import datetime

from alerts.push import FillMessage, OrderMessage, PositionMessage
from execution.models import Fill, Order, Position
from markets.selectors import list_rules


def order_message(order: Order, now: datetime) -> OrderMessage:
    """Return the message about an order that came into being or moved."""
    rules = list_rules([order.instrument_id])
    return OrderMessage(
        type="order",
        at=now,
        order_id=order.pk,
        client_order_id=order.client_order_id,
        symbol=rules[order.instrument_id].symbol if order.instrument_id in rules else "",
        side=order.side,
        order_type=order.type,
        state=order.state,
        quantity=order.quantity,
        filled_quantity=order.filled_quantity,
        price=order.price,
        reason=order.reason,
    )


def fill_message(fill: Fill) -> FillMessage:
    """Return the message about one execution."""
    return FillMessage(
        type="fill",
        at=fill.timestamp,
        fill_id=fill.pk,
        order_id=fill.order_id,
        symbol=fill.symbol,
        side=fill.side,
        quantity=fill.quantity,
        price=fill.price,
        fee=fill.fee,
        fee_asset=fill.fee_asset,
        realized_pnl=fill.realized_pnl,
    )


def position_message(position: Position, now: datetime) -> PositionMessage:
    """Return the message about a position that changed."""
    return PositionMessage(
        type="position",
        at=now,
        position_id=position.pk,
        symbol=position.symbol,
        status=position.status,
        quantity=position.quantity,
        entry_price=position.average_entry_price,
        stop_price=position.stop_price,
        take_profit_price=position.take_profit_price,
        realized_pnl=position.realized_pnl,
    )

"""What the exchange tells of an order: its executions and where it stands."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from execution.domain.order import OrderEvent, Side


class VenueStatus(StrEnum):
    """Order states in Binance Spot's words."""

    NEW = "NEW"
    PENDING_NEW = "PENDING_NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    PENDING_CANCEL = "PENDING_CANCEL"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"


STATUS_EVENTS: dict[VenueStatus, OrderEvent] = {
    VenueStatus.NEW: OrderEvent.ACCEPT,
    VenueStatus.PENDING_NEW: OrderEvent.WAIT,
    VenueStatus.PARTIALLY_FILLED: OrderEvent.FILL_PART,
    VenueStatus.PENDING_CANCEL: OrderEvent.ACCEPT,
    VenueStatus.FILLED: OrderEvent.FILL,
    VenueStatus.CANCELED: OrderEvent.CANCEL,
    VenueStatus.REJECTED: OrderEvent.REJECT,
    VenueStatus.EXPIRED: OrderEvent.EXPIRE,
    VenueStatus.EXPIRED_IN_MATCH: OrderEvent.EXPIRE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One trade at the exchange on one of our orders.

    Attributes:
        trade_id: Unique per symbol at the exchange.
        quantity: Base units, > 0.
        quote_quantity: Quote units that changed hands, > 0.
        fee: Units of `fee_asset`, >= 0, taken from what we received or held.
        fee_price: Quote units per unit of a fee in a third asset, as we valued it when it was
            booked; None: not needed, or nobody knew.
    """

    symbol: str
    trade_id: int
    venue_order_id: int
    side: Side
    price: Decimal
    quantity: Decimal
    quote_quantity: Decimal
    fee: Decimal
    fee_asset: str
    is_maker: bool
    executed_at: datetime
    fee_price: Decimal | None = None

    def __post_init__(self) -> None:
        if self.quantity <= 0 or self.price <= 0:
            raise ValueError(f"price and quantity must be positive, were {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReport:
    """What the exchange says of one order at one moment.

    Attributes:
        filled_quantity: Sum of all its executions so far, also of those not in `executions`.
        executions: Those that came with this report; maybe none, maybe only the last.
    """

    symbol: str
    client_order_id: str
    venue_order_id: int
    venue_list_id: int | None = None
    side: Side
    type: str
    status: VenueStatus
    quantity: Decimal
    price: Decimal | None = None
    stop_price: Decimal | None = None
    filled_quantity: Decimal = Decimal(0)
    filled_quote: Decimal = Decimal(0)
    updated_at: datetime
    executions: tuple[Execution, ...] = ()

    @property
    def event(self) -> OrderEvent:
        """What this report means for the order's state."""
        return STATUS_EVENTS[self.status]

"""What an order, a fill and a prevented match are, and how an order's status may move."""

from dataclasses import dataclass, field
from decimal import Decimal

from simexchange.engine.decimals import ZERO

# (status, event) -> status. PENDING_NEW waits for the working order of its list: it can be neither
# filled nor prevented before it is activated.
STATUS_TABLE = {
    ("PENDING_NEW", "ACTIVATE"): "NEW",
    ("PENDING_NEW", "CANCEL"): "CANCELED",
    ("PENDING_NEW", "EXPIRE"): "EXPIRED",
    ("NEW", "FILL_PART"): "PARTIALLY_FILLED",
    ("NEW", "FILL_ALL"): "FILLED",
    ("NEW", "CANCEL"): "CANCELED",
    ("NEW", "EXPIRE"): "EXPIRED",
    ("NEW", "PREVENT"): "EXPIRED_IN_MATCH",
    ("PARTIALLY_FILLED", "FILL_PART"): "PARTIALLY_FILLED",
    ("PARTIALLY_FILLED", "FILL_ALL"): "FILLED",
    ("PARTIALLY_FILLED", "CANCEL"): "CANCELED",
    ("PARTIALLY_FILLED", "EXPIRE"): "EXPIRED",
    ("PARTIALLY_FILLED", "PREVENT"): "EXPIRED_IN_MATCH",
}
OPEN_STATUSES = frozenset({"PENDING_NEW", "NEW", "PARTIALLY_FILLED"})

STOP_TYPES = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
MARKET_TYPES = frozenset({"MARKET", "STOP_LOSS", "TAKE_PROFIT"})
"""Types that execute at any price once they work."""

_RISING = {
    ("STOP_LOSS", "BUY"): True,
    ("STOP_LOSS", "SELL"): False,
    ("TAKE_PROFIT", "BUY"): False,
    ("TAKE_PROFIT", "SELL"): True,
}


class IllegalStatusMove(Exception):
    """The engine tried a move the table does not know: a bug, never a client's doing."""


def is_rising(order_type: str, side: str) -> bool:
    """Tell whether a stop of this type and side fires when the price rises to it."""
    return _RISING[order_type.removesuffix("_LIMIT"), side]


@dataclass(slots=True, frozen=True, kw_only=True)
class OrderRequest:
    """A placement after its parameters were read; zero means not given."""

    symbol: str
    side: str
    type: str
    time_in_force: str = "GTC"
    quantity: Decimal = ZERO
    quote_quantity: Decimal = ZERO
    price: Decimal = ZERO
    stop_price: Decimal = ZERO
    trailing_delta: int = 0
    iceberg_quantity: Decimal = ZERO
    client_order_id: str = ""
    stp_mode: str = "EXPIRE_MAKER"
    strategy_id: int | None = None
    strategy_type: int | None = None
    response: str = "ACK"


@dataclass(slots=True, frozen=True)
class Fill:
    """One execution of one order; its fee is in the asset received or in the discount's."""

    account: str
    symbol: str
    trade_id: int
    order_id: int
    list_id: int
    side: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    time_ms: int
    is_maker: bool


@dataclass(slots=True, frozen=True, kw_only=True)
class PreventedMatch:
    """A trade of an account (or trade group) with itself that did not happen.

    `taker_quantity` and `maker_quantity` are zero where the mode left that order alone.
    """

    symbol: str
    match_id: int
    taker_account: str
    taker_order_id: int
    maker_account: str
    maker_order_id: int
    trade_group: int
    mode: str
    price: Decimal
    taker_quantity: Decimal
    maker_quantity: Decimal
    time_ms: int


@dataclass(slots=True, frozen=True, kw_only=True)
class Amendment:
    """One accepted reduction of an order's quantity."""

    order_id: int
    symbol: str
    execution_id: int
    old_client_id: str
    new_client_id: str
    old_quantity: Decimal
    new_quantity: Decimal
    time_ms: int


@dataclass(slots=True, eq=False)
class Order:
    """One order from placement on; `locked` is what it holds of the asset it pays with.

    `turn` is its place in time among orders of one price, `queue_ahead` what the market showed at
    that price when it came. `shown` is what an iceberg displays. `lock_price` is what a BUY locks
    for each unit: its limit, else its stop, else the last price when it was placed.
    `trailing_peak` is the best price since a trailing stop began to follow, at `trailing_ms`.
    """

    order_id: int
    account: str
    symbol: str
    client_order_id: str
    side: str
    type: str
    time_in_force: str
    quantity: Decimal
    price: Decimal
    stop_price: Decimal
    iceberg_quantity: Decimal
    quote_quantity: Decimal
    stp_mode: str
    created_ms: int
    updated_ms: int
    list_id: int = -1
    status: str = "NEW"
    working_ms: int = -1
    executed: Decimal = ZERO
    quote_executed: Decimal = ZERO
    prevented: Decimal = ZERO
    prevented_match_id: int = -1
    locked: Decimal = ZERO
    lock_price: Decimal = ZERO
    turn: int = 0
    queue_ahead: Decimal = ZERO
    shown: Decimal = ZERO
    trailing_delta: int = 0
    trailing_ms: int = -1
    trailing_peak: Decimal = ZERO
    amends: int = 0
    expiry_reason: str = "NONE"
    strategy_id: int | None = None
    strategy_type: int | None = None
    fills: list[Fill] = field(default_factory=list, repr=False)

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATUSES

    @property
    def is_pending(self) -> bool:
        return self.status == "PENDING_NEW"

    @property
    def is_working(self) -> bool:
        return self.working_ms >= 0

    @property
    def waits_for_stop(self) -> bool:
        return self.working_ms < 0 and self.type in STOP_TYPES

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.executed - self.prevented

    @property
    def visible(self) -> Decimal:
        """What the book shows of the order."""
        return min(self.shown, self.remaining) if self.iceberg_quantity else self.remaining

    @property
    def triggers_rising(self) -> bool:
        """True when the stop fires at or above its price, False when at or below."""
        return is_rising(self.type, self.side)

    def move(self, event: str) -> None:
        """Take the status the table gives for `event`.

        Raises:
            IllegalStatusMove: when the table has no such row.
        """
        try:
            self.status = STATUS_TABLE[self.status, event]
        except KeyError as error:
            raise IllegalStatusMove(f"{self.order_id} {self.status} {event}") from error


@dataclass(slots=True, eq=False)
class OrderList:
    """Orders that depend on each other.

    An OCO is two legs of which at most one executes. In an OTO the legs are placed when the working
    order is filled; two legs form an OCO then. Legs that may not both execute share one lock, kept
    here; so is what the working order of an OPO (one pays the other) received for its legs.
    """

    list_id: int
    account: str
    symbol: str
    client_list_id: str
    order_ids: list[int]
    created_ms: int
    contingency: str = "OCO"
    working_id: int = -1
    pays_legs: bool = False
    legs_placed: bool = True
    status_type: str = "EXEC_STARTED"
    order_status: str = "EXECUTING"
    locked: Decimal = ZERO

    @property
    def is_open(self) -> bool:
        return self.order_status == "EXECUTING"

    @property
    def leg_ids(self) -> list[int]:
        return [one for one in self.order_ids if one != self.working_id]

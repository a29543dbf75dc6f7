"""What an order, a fill and an order list are, and how an order's status may move."""

from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any, TypeVar

from simexchange.engine.decimals import ZERO

# (status, event) -> status. A list leg that waits is NEW but not working; there is no PENDING_NEW
# here because only OTO lists have it.
STATUS_TABLE = {
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
OPEN_STATUSES = frozenset({"NEW", "PARTIALLY_FILLED"})

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
    iceberg_quantity: Decimal = ZERO
    client_order_id: str = ""
    stp_mode: str = "EXPIRE_MAKER"
    strategy_id: int | None = None
    strategy_type: int | None = None
    response: str = "ACK"


@dataclass(slots=True, frozen=True)
class Fill:
    """One execution of one order. `fee` is in `fee_asset`, the asset received."""

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


@dataclass(slots=True, eq=False)
class Order:
    """One order from placement on; `locked` is what it holds of the asset it pays with."""

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
    locked: Decimal = ZERO
    queue_ahead: Decimal = ZERO
    expiry_reason: str = "NONE"
    strategy_id: int | None = None
    strategy_type: int | None = None
    fills: list[Fill] = field(default_factory=list, repr=False)

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATUSES

    @property
    def is_working(self) -> bool:
        return self.working_ms >= 0

    @property
    def waits_for_stop(self) -> bool:
        return self.type in STOP_TYPES and self.working_ms < 0

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.executed

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


def is_rising(order_type: str, side: str) -> bool:
    """Tell whether a stop of this type and side fires when the price rises to it."""
    return _RISING[order_type.removesuffix("_LIMIT"), side]


@dataclass(slots=True, eq=False)
class OrderList:
    """An OCO: two orders of which at most one executes; the lock is held once, here."""

    list_id: int
    account: str
    symbol: str
    client_list_id: str
    order_ids: list[int]
    created_ms: int
    status_type: str = "EXEC_STARTED"
    order_status: str = "EXECUTING"
    locked: Decimal = ZERO

    @property
    def is_open(self) -> bool:
        return self.order_status == "EXECUTING"


Row = TypeVar("Row", Order, OrderList, Fill)
_DECIMALS: dict[type, frozenset[str]] = {}


def to_record(row: Order | OrderList | Fill) -> dict[str, Any]:
    """Return the row as JSON-able values, decimals as text; an order's fills are kept apart."""
    record: dict[str, Any] = {}
    for spec in fields(row):
        if spec.name == "fills":
            continue
        held = getattr(row, spec.name)
        record[spec.name] = str(held) if isinstance(held, Decimal) else held
    return record


def from_record(kind: type[Row], record: dict[str, Any]) -> Row:
    """Rebuild a row that `to_record` wrote."""
    if kind not in _DECIMALS:
        _DECIMALS[kind] = frozenset(one.name for one in fields(kind) if one.type is Decimal)
    decimals = _DECIMALS[kind]
    values: dict[str, Any] = {
        name: Decimal(held) if name in decimals else held for name, held in record.items()
    }
    return kind(**values)


def copy_state(source: Order, target: Order) -> None:
    """Make `target` what `source` is, its fills left as they are."""
    for spec in fields(Order):
        if spec.name != "fills":
            setattr(target, spec.name, getattr(source, spec.name))

"""What is asked of the exchange, in one canonical form whose digest is written ahead.

The digest in the write-ahead row and that of the bytes on the wire must be equal: what leaves is
what was approved.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from urllib.parse import quote

from execution.domain.order import OrderType, Side, TimeInForce

# Added by the signer, different each time, and no part of what is asked.
TRANSPORT_PARAMETERS = frozenset({"timestamp", "recvWindow", "signature"})


class RequestKind(StrEnum):
    """The calls that change something, by Binance's path."""

    ORDER = "POST order"
    OCO = "POST orderList/oco"
    OTOCO = "POST orderList/otoco"
    REPLACE = "POST order/cancelReplace"
    AMEND = "PUT order/amend/keepPriority"
    CANCEL = "DELETE order"
    CANCEL_LIST = "DELETE orderList"
    CANCEL_ALL = "DELETE openOrders"


def digest(parameters: Mapping[str, str]) -> str:
    """Return the SHA-256 of the parameters sorted by name, transport ones left out."""
    pairs = sorted(
        f"{name}={quote(value, safe='')}"
        for name, value in parameters.items()
        if name not in TRANSPORT_PARAMETERS
    )
    return hashlib.sha256("&".join(pairs).encode()).hexdigest()


def plain(number: Decimal) -> str:
    """Return a decimal as the exchange wants it: no exponent, no trailing zeros."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an order asks for beside symbol, side and quantity; prices on the symbol's grid.

    Attributes:
        trailing_delta_bps: Distance of a trailing stop from the best price since its start.
    """

    type: OrderType
    client_order_id: str
    price: Decimal | None = None
    stop_price: Decimal | None = None
    trailing_delta_bps: int | None = None
    time_in_force: TimeInForce | None = None

    def parameters(self, prefix: str = "") -> dict[str, str]:
        """Return the terms in Binance's words, those of a list's leg with its prefix."""
        values: dict[str, Decimal | str | None] = {
            "type": self.type.value,
            "clientOrderId": self.client_order_id,
            "price": self.price,
            "stopPrice": self.stop_price,
            "trailingDelta": None if not self.trailing_delta_bps else str(self.trailing_delta_bps),
            "timeInForce": self.time_in_force.value if self.time_in_force else None,
        }
        return {
            prefix + (name[0].upper() + name[1:] if prefix else name): _text(value)
            for name, value in values.items()
            if value is not None
        }

    @property
    def trigger_price(self) -> Decimal | None:
        """The price at which it comes to life; None: a trailing stop without one."""
        return self.stop_price if self.type.form.trigger else self.price


def _text(value: Decimal | str) -> str:
    return plain(value) if isinstance(value, Decimal) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """One order. Prices in quote, quantity in base units, already on the symbol's grids."""

    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    client_order_id: str
    price: Decimal | None = None
    stop_price: Decimal | None = None
    trailing_delta_bps: int | None = None
    time_in_force: TimeInForce | None = None

    kind = RequestKind.ORDER

    @property
    def terms(self) -> Terms:
        """Type, name and prices."""
        return Terms(
            type=self.type,
            client_order_id=self.client_order_id,
            price=self.price,
            stop_price=self.stop_price,
            trailing_delta_bps=self.trailing_delta_bps,
            time_in_force=self.time_in_force,
        )

    def parameters(self) -> dict[str, str]:
        """Return the request in Binance's words."""
        parameters = self.terms.parameters()
        parameters["newClientOrderId"] = parameters.pop("clientOrderId")
        return {
            "symbol": self.symbol,
            "side": self.side.value,
            "quantity": plain(self.quantity),
            "newOrderRespType": "FULL",
            **parameters,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class OcoRequest:
    """A pair of which one cancels the other: a sale's target above the price and its stop below.

    Of a buy it is the other way round: the stop above, the limit below.
    """

    symbol: str
    quantity: Decimal
    list_client_order_id: str
    take_profit: Terms
    stop: Terms
    side: Side = Side.SELL

    kind = RequestKind.OCO

    @property
    def names(self) -> frozenset[str]:
        """The client ids of its orders."""
        return frozenset({self.take_profit.client_order_id, self.stop.client_order_id})

    def parameters(self) -> dict[str, str]:
        """Return the request in Binance's words."""
        return {
            "symbol": self.symbol,
            "side": self.side.value,
            "quantity": plain(self.quantity),
            "listClientOrderId": self.list_client_order_id,
            **pair_parameters(self.side, take_profit=self.take_profit, stop=self.stop),
            "newOrderRespType": "FULL",
        }


def pair_parameters(
    side: Side, *, take_profit: Terms, stop: Terms, prefix: str = ""
) -> dict[str, str]:
    """Return the two legs in Binance's words, by which of them lies above the market."""
    above, below = (take_profit, stop) if side is Side.SELL else (stop, take_profit)
    if prefix:
        return {**above.parameters(f"{prefix}Above"), **below.parameters(f"{prefix}Below")}
    return {**above.parameters("above"), **below.parameters("below")}


@dataclass(frozen=True, slots=True, kw_only=True)
class OtocoRequest:
    """An entry that rests, and the pair that the exchange itself places once it is filled.

    Attributes:
        working: The entry.
        pending: The pair; its list's name is the name of all three.
    """

    working: OrderRequest
    pending: OcoRequest

    kind = RequestKind.OTOCO

    @property
    def list_client_order_id(self) -> str:
        """The client id of the list."""
        return self.pending.list_client_order_id

    @property
    def names(self) -> frozenset[str]:
        """The client ids of its orders."""
        return self.pending.names | {self.working.client_order_id}

    def parameters(self) -> dict[str, str]:
        """Return the request in Binance's words."""
        pair = self.pending
        return {
            "symbol": self.working.symbol,
            "listClientOrderId": self.list_client_order_id,
            "workingSide": self.working.side.value,
            "workingQuantity": plain(self.working.quantity),
            **self.working.terms.parameters("working"),
            "pendingSide": pair.side.value,
            "pendingQuantity": plain(pair.quantity),
            **pair_parameters(
                pair.side, take_profit=pair.take_profit, stop=pair.stop, prefix="pending"
            ),
            "newOrderRespType": "FULL",
        }


ListRequest = OcoRequest | OtocoRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequest:
    """Cancel one order, or one list when `is_list`."""

    symbol: str
    client_order_id: str
    is_list: bool = False

    @property
    def kind(self) -> RequestKind:
        return RequestKind.CANCEL_LIST if self.is_list else RequestKind.CANCEL

    def parameters(self) -> dict[str, str]:
        """Return the request in Binance's words."""
        name = "listClientOrderId" if self.is_list else "origClientOrderId"
        return {"symbol": self.symbol, name: self.client_order_id}


class Restriction(StrEnum):
    """In which state an order must be to be cancelled: what filled meanwhile stays."""

    ONLY_NEW = "ONLY_NEW"
    ONLY_PARTIALLY_FILLED = "ONLY_PARTIALLY_FILLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceRequest:
    """Cancel one order and, only if that succeeds, place another of the same symbol."""

    order: OrderRequest
    canceled_client_order_id: str
    restriction: Restriction

    kind = RequestKind.REPLACE

    def parameters(self) -> dict[str, str]:
        """Return the request in Binance's words."""
        return {
            **self.order.parameters(),
            "cancelReplaceMode": "STOP_ON_FAILURE",
            "cancelOrigClientOrderId": self.canceled_client_order_id,
            "cancelRestrictions": self.restriction.value,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendRequest:
    """Make an order's quantity smaller; it keeps its name and its place in the queue."""

    symbol: str
    client_order_id: str
    quantity: Decimal

    kind = RequestKind.AMEND

    def parameters(self) -> dict[str, str]:
        """Return the request in Binance's words."""
        return {
            "symbol": self.symbol,
            "origClientOrderId": self.client_order_id,
            # Without a name of ours the exchange would mint one.
            "newClientOrderId": self.client_order_id,
            "newQty": plain(self.quantity),
        }


SubmitRequest = OrderRequest | ListRequest | ReplaceRequest

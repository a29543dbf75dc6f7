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
class OrderRequest:
    """One order. Prices in quote, quantity in base units, already on the symbol's grids."""

    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    client_order_id: str
    price: Decimal | None = None
    time_in_force: TimeInForce | None = None

    kind = RequestKind.ORDER

    def parameters(self) -> dict[str, str]:
        """Return the request in Binance's words."""
        parameters = {
            "symbol": self.symbol,
            "side": self.side.value,
            "type": self.type.value,
            "quantity": plain(self.quantity),
            "newClientOrderId": self.client_order_id,
            "newOrderRespType": "FULL",
        }
        if self.price is not None:
            parameters["price"] = plain(self.price)
        if self.time_in_force is not None:
            parameters["timeInForce"] = self.time_in_force.value
        return parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class OcoRequest:
    """A sell pair: a maker limit above the price and a market stop below; one cancels the other."""

    symbol: str
    quantity: Decimal
    list_client_order_id: str
    take_profit_client_order_id: str
    take_profit_price: Decimal
    stop_client_order_id: str
    stop_price: Decimal

    kind = RequestKind.OCO

    def parameters(self) -> dict[str, str]:
        """Return the request in Binance's words."""
        return {
            "symbol": self.symbol,
            "side": Side.SELL.value,
            "quantity": plain(self.quantity),
            "listClientOrderId": self.list_client_order_id,
            "aboveType": OrderType.LIMIT_MAKER.value,
            "aboveClientOrderId": self.take_profit_client_order_id,
            "abovePrice": plain(self.take_profit_price),
            "belowType": OrderType.STOP_LOSS.value,
            "belowClientOrderId": self.stop_client_order_id,
            "belowStopPrice": plain(self.stop_price),
            "newOrderRespType": "FULL",
        }


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

"""Binance's order views, trades and user events in our words, and nothing else."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from core.clock import from_ms
from execution.domain.fill import Execution, OrderReport, VenueStatus
from execution.domain.order import Side

NO_LIST = -1


def order_report(view: Mapping[str, Any], *, at: datetime | None = None) -> OrderReport:
    """Return an order from the FULL, RESULT, query or cancel view.

    Args:
        view: The JSON object. A cancel view names the order in ``origClientOrderId``.
        at: Time of the view when it bears none of its own.

    Raises:
        KeyError, ValueError, ArithmeticError: It is no such view.
    """
    time_ms = view.get("updateTime") or view.get("transactTime")
    moment = from_ms(int(time_ms)) if time_ms is not None else at
    if moment is None:
        raise ValueError("the view bears no time")
    side = Side(view["side"])
    order_id = int(view["orderId"])
    return OrderReport(
        symbol=str(view["symbol"]),
        client_order_id=str(view.get("origClientOrderId") or view["clientOrderId"]),
        venue_order_id=order_id,
        venue_list_id=_list_id(view.get("orderListId")),
        side=side,
        type=str(view["type"]),
        status=VenueStatus(view["status"]),
        quantity=Decimal(view["origQty"]),
        price=_price(view.get("price")),
        stop_price=_price(view.get("stopPrice")),
        filled_quantity=Decimal(view["executedQty"]),
        filled_quote=Decimal(view["cummulativeQuoteQty"]),
        updated_at=moment,
        executions=tuple(
            _immediate_fill(
                fill, symbol=str(view["symbol"]), side=side, order_id=order_id, at=moment
            )
            for fill in view.get("fills", ())
        ),
    )


def amended_report(reply: Mapping[str, Any]) -> OrderReport:
    """Return the order from the reply to an amendment, whose names differ from all others'.

    Raises:
        KeyError, ValueError, ArithmeticError: It is no such reply.
    """
    view = reply["amendedOrder"]
    return order_report(
        {
            **view,
            "origClientOrderId": view["clientOrderId"],
            "origQty": view["qty"],
            "cummulativeQuoteQty": view["cumulativeQuoteQty"],
            "transactTime": reply["transactTime"],
        }
    )


def _immediate_fill(
    fill: Mapping[str, Any], *, symbol: str, side: Side, order_id: int, at: datetime
) -> Execution:
    # What fills in the reply to its own submit took from the book.
    price, quantity = Decimal(fill["price"]), Decimal(fill["qty"])
    return Execution(
        symbol=symbol,
        trade_id=int(fill["tradeId"]),
        venue_order_id=order_id,
        side=side,
        price=price,
        quantity=quantity,
        quote_quantity=price * quantity,
        fee=Decimal(fill["commission"]),
        fee_asset=str(fill["commissionAsset"]),
        is_maker=False,
        executed_at=at,
    )


def trade(view: Mapping[str, Any]) -> Execution:
    """Return one row of ``myTrades``."""
    return Execution(
        symbol=str(view["symbol"]),
        trade_id=int(view["id"]),
        venue_order_id=int(view["orderId"]),
        side=Side.BUY if view["isBuyer"] else Side.SELL,
        price=Decimal(view["price"]),
        quantity=Decimal(view["qty"]),
        quote_quantity=Decimal(view["quoteQty"]),
        fee=Decimal(view["commission"]),
        fee_asset=str(view["commissionAsset"]),
        is_maker=bool(view["isMaker"]),
        executed_at=from_ms(int(view["time"])),
    )


def execution_report(event: Mapping[str, Any]) -> OrderReport:
    """Return the order that an ``executionReport`` of the user stream tells of."""
    side = Side(event["S"])
    order_id = int(event["i"])
    executions: tuple[Execution, ...] = ()
    if event["x"] == "TRADE":
        executions = (
            Execution(
                symbol=str(event["s"]),
                trade_id=int(event["t"]),
                venue_order_id=order_id,
                side=side,
                price=Decimal(event["L"]),
                quantity=Decimal(event["l"]),
                quote_quantity=Decimal(event["Y"]),
                fee=Decimal(event["n"] or "0"),
                fee_asset=str(event["N"] or ""),
                is_maker=bool(event["m"]),
                executed_at=from_ms(int(event["T"])),
            ),
        )
    return OrderReport(
        symbol=str(event["s"]),
        # In the report of a cancel `c` is the cancel's own id and `C` the order's.
        client_order_id=str(event.get("C") or event["c"]),
        venue_order_id=order_id,
        venue_list_id=_list_id(event.get("g")),
        side=side,
        type=str(event["o"]),
        status=VenueStatus(event["X"]),
        quantity=Decimal(event["q"]),
        price=_price(event.get("p")),
        stop_price=_price(event.get("P")),
        filled_quantity=Decimal(event["z"]),
        filled_quote=Decimal(event["Z"]),
        updated_at=from_ms(int(event["T"])),
        executions=executions,
    )


def _list_id(value: Any) -> int | None:
    return None if value is None or int(value) == NO_LIST else int(value)


def _price(value: Any) -> Decimal | None:
    """Return a price; Binance writes 0 where there is none."""
    price = Decimal(value) if value is not None else Decimal(0)
    return price or None

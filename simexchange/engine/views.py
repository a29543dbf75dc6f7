"""Orders, fills and lists in Binance's field names: REST replies and user stream events."""

from decimal import Decimal
from typing import Any

from simexchange.engine.accounts import Account
from simexchange.engine.decimals import ZERO, show
from simexchange.engine.orders import STOP_TYPES, Fill, Order, OrderList

ZERO_TEXT = show(ZERO)


def ack(order: Order) -> dict[str, Any]:
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_order_id,
        "transactTime": order.updated_ms,
    }


def _state(order: Order) -> dict[str, Any]:
    return {
        "price": show(order.price),
        "origQty": show(order.quantity),
        "executedQty": show(order.executed),
        "origQuoteOrderQty": show(order.quote_quantity),
        "cummulativeQuoteQty": show(order.quote_executed),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.type,
        "side": order.side,
    }


def _extras(order: Order) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    if order.type in STOP_TYPES:
        extras["stopPrice"] = show(order.stop_price)
    if order.iceberg_quantity:
        extras["icebergQty"] = show(order.iceberg_quantity)
    if order.strategy_id is not None:
        extras["strategyId"] = order.strategy_id
    if order.strategy_type is not None:
        extras["strategyType"] = order.strategy_type
    if order.expiry_reason != "NONE":
        extras["expiryReason"] = order.expiry_reason
    return extras


def result(order: Order) -> dict[str, Any]:
    return {
        **ack(order),
        **_state(order),
        **_extras(order),
        "workingTime": order.working_ms,
        "selfTradePreventionMode": order.stp_mode,
    }


def full(order: Order) -> dict[str, Any]:
    fills = [
        {
            "price": show(one.price),
            "qty": show(one.quantity),
            "commission": show(one.fee),
            "commissionAsset": one.fee_asset,
            "tradeId": one.trade_id,
        }
        for one in order.fills
    ]
    return {**result(order), "fills": fills}


PLACED = {"ACK": ack, "RESULT": result, "FULL": full}


def query(order: Order) -> dict[str, Any]:
    """Return the order as GET order, openOrders and allOrders show it."""
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_order_id,
        **_state(order),
        "stopPrice": ZERO_TEXT,
        "icebergQty": ZERO_TEXT,
        **_extras(order),
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": order.is_working,
        "workingTime": order.working_ms,
        "selfTradePreventionMode": order.stp_mode,
    }


def canceled(order: Order, cancel_id: str) -> dict[str, Any]:
    """Return the cancel view: `clientOrderId` names the cancel, not the order."""
    return {
        "symbol": order.symbol,
        "origClientOrderId": order.client_order_id,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": cancel_id,
        "transactTime": order.updated_ms,
        **_state(order),
        **_extras(order),
        "selfTradePreventionMode": order.stp_mode,
    }


def trade(fill: Fill) -> dict[str, Any]:
    return {
        "symbol": fill.symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "orderListId": fill.list_id,
        "price": show(fill.price),
        "qty": show(fill.quantity),
        "quoteQty": show(fill.price * fill.quantity),
        "commission": show(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.time_ms,
        "isBuyer": fill.side == "BUY",
        "isMaker": fill.is_maker,
        "isBestMatch": True,
    }


def order_list(group: OrderList, members: list[Order]) -> dict[str, Any]:
    return {
        "orderListId": group.list_id,
        "contingencyType": "OCO",
        "listStatusType": group.status_type,
        "listOrderStatus": group.order_status,
        "listClientOrderId": group.client_list_id,
        "transactionTime": group.created_ms,
        "symbol": group.symbol,
        "orders": [
            {"symbol": one.symbol, "orderId": one.order_id, "clientOrderId": one.client_order_id}
            for one in members
        ],
    }


def execution_report(
    order: Order, *, kind: str, execution_id: int, fill: Fill | None, cancel_id: str, now_ms: int
) -> dict[str, Any]:
    """Return the executionReport of one step of the order's life.

    Args:
        order: as it stands after the step.
        kind: the execution type: NEW, CANCELED, TRADE, EXPIRED, TRADE_PREVENTION.
        execution_id: strictly increasing over the exchange.
        fill: the execution when kind is TRADE.
        cancel_id: the cancel's own client id when kind is CANCELED, else empty.
        now_ms: exchange time of the step.
    """
    report = {
        "e": "executionReport",
        "E": now_ms,
        "s": order.symbol,
        "c": cancel_id or order.client_order_id,
        "S": order.side,
        "o": order.type,
        "f": order.time_in_force,
        "q": show(order.quantity),
        "p": show(order.price),
        "P": show(order.stop_price),
        "F": show(order.iceberg_quantity),
        "g": order.list_id,
        "C": order.client_order_id if cancel_id else "",
        "x": kind,
        "X": order.status,
        "r": "NONE",
        "i": order.order_id,
        "l": show(fill.quantity) if fill else ZERO_TEXT,
        "z": show(order.executed),
        "L": show(fill.price) if fill else ZERO_TEXT,
        "n": show(fill.fee) if fill else "0",
        "N": fill.fee_asset if fill else None,
        "T": now_ms,
        "t": fill.trade_id if fill else -1,
        "I": execution_id,
        "w": order.is_working and order.is_open and not (fill and not fill.is_maker),
        "m": bool(fill and fill.is_maker),
        "M": fill is not None,
        "O": order.created_ms,
        "Z": show(order.quote_executed),
        "Y": show(fill.price * fill.quantity) if fill else ZERO_TEXT,
        "Q": show(order.quote_quantity),
        "V": order.stp_mode,
    }
    if order.is_working:
        report["W"] = order.working_ms
    if order.strategy_id is not None:
        report["j"] = order.strategy_id
    if order.strategy_type is not None:
        report["J"] = order.strategy_type
    if kind == "EXPIRED" and order.expiry_reason != "NONE":
        report["eR"] = order.expiry_reason
    return report


def account_position(account: Account, assets: list[str], now_ms: int) -> dict[str, Any]:
    """Return the outboundAccountPosition with the assets that changed."""
    return {
        "e": "outboundAccountPosition",
        "E": now_ms,
        "u": account.updated_ms,
        "B": [
            {"a": asset, "f": show(held.free), "l": show(held.locked)}
            for asset in assets
            for held in (account.balance(asset),)
        ],
    }


def list_status(group: OrderList, members: list[Order], now_ms: int) -> dict[str, Any]:
    return {
        "e": "listStatus",
        "E": now_ms,
        "s": group.symbol,
        "g": group.list_id,
        "c": "OCO",
        "l": group.status_type,
        "L": group.order_status,
        "r": "NONE",
        "C": group.client_list_id,
        "T": now_ms,
        "O": [{"s": one.symbol, "i": one.order_id, "c": one.client_order_id} for one in members],
    }


def balances(account: Account, *, omit_zero: bool = False) -> list[dict[str, str]]:
    return [
        {"asset": asset, "free": show(held.free), "locked": show(held.locked)}
        for asset, held in account.balances.items()
        if not omit_zero or held.free or held.locked
    ]


def rate_text(rate: Decimal) -> str:
    return show(rate)

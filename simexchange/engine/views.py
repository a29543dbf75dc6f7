"""Orders, fills, lists and accounts in Binance's field names, as replies show them."""

from decimal import Decimal
from typing import Any

from simexchange.engine.accounts import Account
from simexchange.engine.commission import DISCOUNT_ASSET, Commission, Rates
from simexchange.engine.decimals import ZERO, show
from simexchange.engine.orders import (
    STOP_TYPES,
    Amendment,
    Fill,
    Order,
    OrderList,
    PreventedMatch,
)

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
    state = {
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
    if order.is_pending and not order.quantity:
        # The leg of a list that pays for it: its quantity is not known yet.
        del state["origQty"]
    return state


def _extras(order: Order) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    if order.type in STOP_TYPES and (order.stop_price or not order.trailing_delta):
        extras["stopPrice"] = show(order.stop_price)
    if order.iceberg_quantity:
        extras["icebergQty"] = show(order.iceberg_quantity)
    if order.trailing_delta:
        extras["trailingDelta"] = order.trailing_delta
        extras["trailingTime"] = order.trailing_ms
    if order.strategy_id is not None:
        extras["strategyId"] = order.strategy_id
    if order.strategy_type is not None:
        extras["strategyType"] = order.strategy_type
    if order.prevented:
        extras["preventedMatchId"] = order.prevented_match_id
        extras["preventedQuantity"] = show(order.prevented)
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


def amended(order: Order, amendment: Amendment) -> dict[str, Any]:
    """Return the order as the amendment's reply shows it; its names differ from all others'."""
    shown = {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "origClientOrderId": amendment.old_client_id,
        "clientOrderId": order.client_order_id,
        "price": show(order.price),
        "qty": show(order.quantity),
        "executedQty": show(order.executed),
        "preventedQty": show(order.prevented),
        "quoteOrderQty": show(order.quote_quantity),
        "cumulativeQuoteQty": show(order.quote_executed),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.type,
        "side": order.side,
        **_extras(order),
        "selfTradePreventionMode": order.stp_mode,
    }
    if order.is_working:
        shown["workingTime"] = order.working_ms
    return shown


def amendment(row: Amendment) -> dict[str, Any]:
    return {
        "symbol": row.symbol,
        "orderId": row.order_id,
        "executionId": row.execution_id,
        "origClientOrderId": row.old_client_id,
        "newClientOrderId": row.new_client_id,
        "origQty": show(row.old_quantity),
        "newQty": show(row.new_quantity),
        "time": row.time_ms,
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


def _prevented_quantities(match: PreventedMatch) -> dict[str, str]:
    quantities = {}
    if match.taker_quantity:
        quantities["takerPreventedQuantity"] = show(match.taker_quantity)
    if match.maker_quantity:
        quantities["makerPreventedQuantity"] = show(match.maker_quantity)
    return quantities


def prevented_match(match: PreventedMatch) -> dict[str, Any]:
    """Return the row of myPreventedMatches."""
    return {
        "symbol": match.symbol,
        "preventedMatchId": match.match_id,
        "takerOrderId": match.taker_order_id,
        "makerSymbol": match.symbol,
        "makerOrderId": match.maker_order_id,
        "tradeGroupId": match.trade_group,
        "selfTradePreventionMode": match.mode,
        "price": show(match.price),
        **_prevented_quantities(match),
        "transactTime": match.time_ms,
    }


def prevented_in_reply(match: PreventedMatch) -> dict[str, Any]:
    """Return the row of a placement's `preventedMatches`."""
    return {
        "preventedMatchId": match.match_id,
        "makerSymbol": match.symbol,
        "makerOrderId": match.maker_order_id,
        "price": show(match.price),
        **_prevented_quantities(match),
    }


def order_list(group: OrderList, members: list[Order]) -> dict[str, Any]:
    return {
        "orderListId": group.list_id,
        "contingencyType": group.contingency,
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


def balances(account: Account, *, omit_zero: bool = False) -> list[dict[str, str]]:
    return [
        {"asset": asset, "free": show(held.free), "locked": show(held.locked)}
        for asset, held in account.balances.items()
        if not omit_zero or held.free or held.locked
    ]


def rate_text(rate: Decimal) -> str:
    return show(rate)


def rates(held: Rates) -> dict[str, str]:
    return {
        "maker": show(held.maker),
        "taker": show(held.taker),
        "buyer": show(held.buyer),
        "seller": show(held.seller),
    }


def order_rates(held: Rates, *, is_buyer: bool) -> dict[str, str]:
    """Return the rates of an order of one side, which adds the side's own to each role."""
    return {
        "maker": show(held.of(is_maker=True, is_buyer=is_buyer)),
        "taker": show(held.of(is_maker=False, is_buyer=is_buyer)),
    }


def discount(commission: Commission) -> dict[str, Any]:
    return {
        "enabledForAccount": commission.has_discount,
        "enabledForSymbol": commission.has_discount,
        "discountAsset": DISCOUNT_ASSET,
        "discount": show(commission.discount),
    }

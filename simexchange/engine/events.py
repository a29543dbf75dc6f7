"""User stream events in Binance's field names."""

from typing import Any

from simexchange.engine.accounts import Account
from simexchange.engine.decimals import ZERO, show
from simexchange.engine.orders import Fill, Order, OrderList, PreventedMatch

ZERO_TEXT = show(ZERO)


def execution_report(
    order: Order, *, kind: str, execution_id: int, fill: Fill | None, client_id: str, now_ms: int
) -> dict[str, Any]:
    """Return the executionReport of one step of the order's life.

    Args:
        order: as it stands after the step.
        kind: the execution type: NEW, CANCELED, REPLACED, TRADE, EXPIRED, TRADE_PREVENTION.
        execution_id: strictly increasing over the exchange.
        fill: the execution when kind is TRADE.
        client_id: the cancel's own client id, or the order's before it was replaced; else empty.
        now_ms: exchange time of the step.
    """
    present, before = order.client_order_id, ""
    if kind == "CANCELED":
        present, before = client_id, order.client_order_id
    elif kind == "REPLACED":
        before = client_id
    report = {
        "e": "executionReport",
        "E": now_ms,
        "s": order.symbol,
        "c": present,
        "S": order.side,
        "o": order.type,
        "f": order.time_in_force,
        "q": show(order.quantity),
        "p": show(order.price) if order.price else ZERO_TEXT,
        "P": show(order.stop_price) if order.stop_price else ZERO_TEXT,
        "F": show(order.iceberg_quantity) if order.iceberg_quantity else ZERO_TEXT,
        "g": order.list_id,
        "C": before,
        "x": kind,
        "X": order.status,
        "r": "NONE",
        "i": order.order_id,
        "l": ZERO_TEXT,
        "z": show(order.executed) if order.executed else ZERO_TEXT,
        "L": ZERO_TEXT,
        "n": "0",
        "N": None,
        "T": now_ms,
        "t": -1,
        "I": execution_id,
        "w": order.is_working and order.is_open and not (fill and not fill.is_maker),
        "m": False,
        "M": False,
        "O": order.created_ms,
        "Z": show(order.quote_executed) if order.quote_executed else ZERO_TEXT,
        "Y": ZERO_TEXT,
        "Q": show(order.quote_quantity) if order.quote_quantity else ZERO_TEXT,
        "V": order.stp_mode,
    }
    if fill is not None:
        report.update(_execution(fill))
    _add_conditional(report, order, kind)
    return report


def _execution(fill: Fill) -> dict[str, Any]:
    return {
        "l": show(fill.quantity),
        "L": show(fill.price),
        "n": show(fill.fee),
        "N": fill.fee_asset,
        "t": fill.trade_id,
        "m": fill.is_maker,
        "M": True,
        "Y": show(fill.price * fill.quantity),
    }


def _add_conditional(report: dict[str, Any], order: Order, kind: str) -> None:
    if order.is_working:
        report["W"] = order.working_ms
    if order.trailing_delta:
        report["d"] = order.trailing_delta
        report["D"] = order.trailing_ms
    if order.strategy_id is not None:
        report["j"] = order.strategy_id
    if order.strategy_type is not None:
        report["J"] = order.strategy_type
    if kind == "EXPIRED" and order.expiry_reason != "NONE":
        report["eR"] = order.expiry_reason
    if order.prevented:
        report["v"] = order.prevented_match_id
        report["A"] = show(order.prevented)


def prevention(order: Order, match: PreventedMatch) -> dict[str, Any]:
    """Return what an executionReport tells of a prevented match, from this order's side."""
    is_taker = order.order_id == match.taker_order_id
    quantity = match.taker_quantity if is_taker else match.maker_quantity
    told = {
        "v": match.match_id,
        "A": show(order.prevented),
        "B": show(quantity),
        "u": match.trade_group,
        "U": match.maker_order_id if is_taker else match.taker_order_id,
        "Cs": match.symbol,
        "pl": show(quantity),
        "pL": show(match.price),
        "pY": show(match.price * quantity),
    }
    if match.trade_group < 0:
        del told["u"]
    return told


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
    """Return the listStatus of a list as it stands."""
    return {
        "e": "listStatus",
        "E": now_ms,
        "s": group.symbol,
        "g": group.list_id,
        "c": group.contingency,
        "l": group.status_type,
        "L": group.order_status,
        "r": "NONE",
        "C": group.client_list_id,
        "T": now_ms,
        "O": [{"s": one.symbol, "i": one.order_id, "c": one.client_order_id} for one in members],
    }

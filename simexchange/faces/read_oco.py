"""An OCO's parameters, in the present form (above, below) and the deprecated one."""

from collections.abc import Mapping
from typing import Any

from simexchange.engine.lists import OcoRequest
from simexchange.engine.orders import STOP_TYPES, OrderRequest
from simexchange.engine.symbols import DEFAULT_STP, STP_MODES
from simexchange.errors import ApiError
from simexchange.faces.order_params import (
    RESPONSES,
    TIMES_IN_FORCE,
    choice,
    client_id,
    need,
    number,
    strategy,
    symbol_of,
)
from simexchange.faces.params import Params, missing

LEG_TYPES = ("STOP_LOSS_LIMIT", "STOP_LOSS", "LIMIT_MAKER", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT")


def _common(params: Params, known: Mapping[str, Any]) -> dict[str, Any]:
    common = {
        "symbol": symbol_of(params, known),
        "side": choice({"side": need(params, "side")}, "side", ("BUY", "SELL")),
        "quantity": number(params, "quantity"),
        "stp_mode": choice(params, "selfTradePreventionMode", STP_MODES, DEFAULT_STP),
    }
    if not params.get("quantity"):
        raise missing("quantity")
    if not common["quantity"]:
        raise ApiError(-1013, "Invalid quantity.")
    return common


def _leg(params: Params, prefix: str, common: dict[str, Any]) -> OrderRequest:
    kind = need(params, f"{prefix}Type")
    if kind not in LEG_TYPES:
        raise ApiError(-1158, "Order type not supported in OCO.")
    if f"{prefix}TrailingDelta" in params:
        raise ApiError(-1013, "Trailing stop orders are not supported for this symbol.")
    is_stop, has_price = kind in STOP_TYPES, kind not in {"STOP_LOSS", "TAKE_PROFIT"}
    for name, is_needed in (("Price", has_price), ("StopPrice", is_stop)):
        if is_needed:
            need(params, prefix + name)
        elif params.get(prefix + name):
            raise ApiError(-1106, f"Parameter '{prefix}{name}' sent when not required.")
    time_in_force = choice(
        {"timeInForce": params.get(f"{prefix}TimeInForce", "")}, "timeInForce", TIMES_IN_FORCE
    )
    if kind.endswith("_LIMIT") and not time_in_force:
        raise missing(f"{prefix}TimeInForce")
    strategy_id, strategy_type = strategy(params, prefix)
    return OrderRequest(
        type=kind,
        time_in_force=time_in_force or "GTC",
        price=number(params, f"{prefix}Price"),
        stop_price=number(params, f"{prefix}StopPrice"),
        iceberg_quantity=number(params, f"{prefix}IcebergQty"),
        client_order_id=client_id(params, f"{prefix}ClientOrderId"),
        strategy_id=strategy_id,
        strategy_type=strategy_type,
        **common,
    )


def read_new_oco(params: Params, known: Mapping[str, Any]) -> OcoRequest:
    """Return the list of ``POST orderList/oco``.

    Raises:
        ApiError: with the first parameter that is missing or illegal.
    """
    common = _common(params, known)
    return OcoRequest(
        symbol=common["symbol"],
        side=common["side"],
        above=_leg(params, "above", common),
        below=_leg(params, "below", common),
        client_list_id=client_id(params, "listClientOrderId"),
        response=choice(params, "newOrderRespType", RESPONSES, "RESULT"),
    )


def read_old_oco(params: Params, known: Mapping[str, Any]) -> OcoRequest:
    """Return the list of the deprecated ``POST order/oco``: a limit maker and a stop.

    Raises:
        ApiError: with the first parameter that is missing or illegal.
    """
    common = _common(params, known)
    need(params, "price")
    need(params, "stopPrice")
    stop_limit = number(params, "stopLimitPrice")
    time_in_force = choice(
        {"timeInForce": params.get("stopLimitTimeInForce", "")}, "timeInForce", TIMES_IN_FORCE
    )
    if stop_limit and not time_in_force:
        raise missing("stopLimitTimeInForce")
    limit = OrderRequest(
        type="LIMIT_MAKER",
        price=number(params, "price"),
        iceberg_quantity=number(params, "limitIcebergQty"),
        client_order_id=client_id(params, "limitClientOrderId"),
        **common,
    )
    stop = OrderRequest(
        type="STOP_LOSS_LIMIT" if stop_limit else "STOP_LOSS",
        price=stop_limit,
        stop_price=number(params, "stopPrice"),
        time_in_force=time_in_force or "GTC",
        iceberg_quantity=number(params, "stopIcebergQty"),
        client_order_id=client_id(params, "stopClientOrderId"),
        **common,
    )
    is_sell = common["side"] == "SELL"
    return OcoRequest(
        symbol=common["symbol"],
        side=common["side"],
        above=limit if is_sell else stop,
        below=stop if is_sell else limit,
        client_list_id=client_id(params, "listClientOrderId"),
        response=choice(params, "newOrderRespType", RESPONSES, "RESULT"),
    )

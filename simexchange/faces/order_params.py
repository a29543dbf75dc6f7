"""Parameters as clients send them, read with the exchange's own complaints."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from simexchange.engine.decimals import ZERO
from simexchange.engine.orders import OrderRequest
from simexchange.engine.symbols import DEFAULT_STP, ORDER_TYPES, STP_MODES
from simexchange.errors import ApiError
from simexchange.faces.params import Params, illegal, missing, read_symbols

CLIENT_ID = re.compile(r"^[\.A-Z\:/a-z0-9_-]{1,36}$")
NUMBER = re.compile(r"^([0-9]{1,20})(\.[0-9]{1,20})?$")
WHOLE = re.compile(r"^[0-9]{1,20}$")

# What a type must have beside symbol, side and type, and what it must not have.
NEEDS = {
    "LIMIT": ("timeInForce", "quantity", "price"),
    "LIMIT_MAKER": ("quantity", "price"),
    "MARKET": (),
    "STOP_LOSS": ("quantity", "stopPrice"),
    "STOP_LOSS_LIMIT": ("timeInForce", "quantity", "price", "stopPrice"),
    "TAKE_PROFIT": ("quantity", "stopPrice"),
    "TAKE_PROFIT_LIMIT": ("timeInForce", "quantity", "price", "stopPrice"),
}
REFUSES = {
    "LIMIT": ("stopPrice", "quoteOrderQty"),
    "LIMIT_MAKER": ("timeInForce", "stopPrice", "quoteOrderQty"),
    "MARKET": ("timeInForce", "price", "stopPrice", "icebergQty"),
    "STOP_LOSS": ("timeInForce", "price", "quoteOrderQty", "icebergQty"),
    "STOP_LOSS_LIMIT": ("quoteOrderQty",),
    "TAKE_PROFIT": ("timeInForce", "price", "quoteOrderQty", "icebergQty"),
    "TAKE_PROFIT_LIMIT": ("quoteOrderQty",),
}
TIMES_IN_FORCE = ("GTC", "IOC", "FOK")
RESPONSES = ("ACK", "RESULT", "FULL")


def need(params: Params, name: str) -> str:
    """Return a mandatory parameter."""
    held = params.get(name, "")
    if not held:
        raise missing(name)
    return held


def symbol_of(params: Params, known: Mapping[str, Any]) -> str:
    """Return the mandatory symbol, known to the exchange."""
    symbol = need(params, "symbol")
    if symbol not in known:
        raise ApiError(-1121, "Invalid symbol.")
    return symbol


def number(params: Params, name: str) -> Decimal:
    """Return a price or quantity; zero when not sent."""
    text = params.get(name)
    if text is None:
        return ZERO
    if not text:
        raise ApiError(-1105, f"Parameter '{name}' was empty.")
    if not NUMBER.match(text):
        raise illegal(name, NUMBER.pattern)
    held = Decimal(text)
    exponent = held.normalize().as_tuple().exponent
    if isinstance(exponent, int) and exponent < -8:
        raise ApiError(-1111, f"Parameter '{name}' has too much precision.")
    return held


def whole(params: Params, name: str, default: int = 0) -> int:
    """Return an id, count or time."""
    text = params.get(name)
    if text is None or not text:
        return default
    if not WHOLE.match(text):
        raise illegal(name, WHOLE.pattern)
    return int(text)


def limit_of(params: Params, default: int = 500, most: int = 1000) -> int:
    """Return `limit`, cut to the most the exchange gives."""
    return max(1, min(whole(params, "limit", default), most))


def client_id(params: Params, name: str) -> str:
    """Return a client id, empty when not sent."""
    text = params.get(name, "")
    if text and not CLIENT_ID.match(text):
        raise illegal(name, CLIENT_ID.pattern)
    return text


def flag(params: Params, name: str, *, default: bool = False) -> bool:
    text = params.get(name)
    return default if text is None else text.lower() == "true"


def choice(params: Params, name: str, allowed: tuple[str, ...], default: str = "") -> str:
    """Return one of the allowed words."""
    text = params.get(name) or default
    if text and text not in allowed:
        code, message = {
            "side": (-1117, "Invalid side."),
            "type": (-1116, "Invalid orderType."),
            "timeInForce": (-1115, "Invalid timeInForce."),
            "cancelRestrictions": (-1145, "Invalid cancelRestrictions"),
        }.get(name, (-1130, f"Data sent for parameter '{name}' is not valid."))
        raise ApiError(code, message)
    return text


def strategy(params: Params, prefix: str = "") -> tuple[int | None, int | None]:
    """Return strategyId and strategyType."""
    id_name, type_name = (
        (f"{prefix}StrategyId", f"{prefix}StrategyType")
        if prefix
        else ("strategyId", "strategyType")
    )
    strategy_type = whole(params, type_name) if type_name in params else None
    if strategy_type is not None and strategy_type < 1_000_000:
        raise ApiError(-1134, f"{type_name} was less than 1000000.")
    return (whole(params, id_name) if id_name in params else None), strategy_type


def read_order(params: Params, known: Mapping[str, Any]) -> OrderRequest:
    """Return the placement the parameters ask for.

    Raises:
        ApiError: with the first parameter that is missing, illegal or too many.
    """
    symbol = symbol_of(params, known)
    side = choice({"side": need(params, "side")}, "side", ("BUY", "SELL"))
    order_type = choice({"type": need(params, "type")}, "type", ORDER_TYPES)
    if "trailingDelta" in params:
        raise ApiError(-1013, "Trailing stop orders are not supported for this symbol.")
    time_in_force = choice(params, "timeInForce", TIMES_IN_FORCE)
    request = _read_numbers(params, order_type)
    strategy_id, strategy_type = strategy(params)
    default = "FULL" if order_type in {"MARKET", "LIMIT"} else "ACK"
    return OrderRequest(
        symbol=symbol,
        side=side,
        type=order_type,
        time_in_force=time_in_force or "GTC",
        client_order_id=client_id(params, "newClientOrderId"),
        stp_mode=choice(params, "selfTradePreventionMode", STP_MODES, DEFAULT_STP),
        strategy_id=strategy_id,
        strategy_type=strategy_type,
        response=choice(params, "newOrderRespType", RESPONSES, default),
        **request,
    )


def _read_numbers(params: Params, order_type: str) -> dict[str, Decimal]:
    for name in NEEDS[order_type]:
        need(params, name)
    for name in REFUSES[order_type]:
        if params.get(name):
            raise ApiError(-1106, f"Parameter '{name}' sent when not required.")
    if order_type == "MARKET":
        _check_market_amount(params)
    held = {
        "quantity": number(params, "quantity"),
        "quote_quantity": number(params, "quoteOrderQty"),
        "price": number(params, "price"),
        "stop_price": number(params, "stopPrice"),
        "iceberg_quantity": number(params, "icebergQty"),
    }
    if "quantity" in params and not held["quantity"]:
        raise ApiError(-1013, "Invalid quantity.")
    if "quoteOrderQty" in params and not held["quote_quantity"]:
        raise ApiError(-1013, "Invalid quote order qty.")
    if "price" in params and not held["price"]:
        raise ApiError(-1013, "Invalid price.")
    if "stopPrice" in params and not held["stop_price"]:
        raise ApiError(-1013, "Invalid stopPrice.")
    if held["iceberg_quantity"] and params.get("timeInForce", "GTC") != "GTC":
        raise ApiError(-1013, "Iceberg orders must have timeInForce GTC.")
    return held


def _check_market_amount(params: Params) -> None:
    has_quantity, has_quote = bool(params.get("quantity")), bool(params.get("quoteOrderQty"))
    if has_quantity and has_quote:
        raise ApiError(-1106, "Parameter 'quoteOrderQty' sent when not required.")
    if not has_quantity and not has_quote:
        raise ApiError(
            -1102, "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!"
        )


def symbols_of(params: Params, known: Mapping[str, Any]) -> list[str] | None:
    """Return the symbols asked for by `symbol` or `symbols`, None when neither was sent."""
    names = [symbol_of(params, known)] if "symbol" in params else read_symbols(params)
    for name in names or ():
        if name not in known:
            raise ApiError(-1121, "Invalid symbol.")
    return names

"""The parameters of an order, alone or as one of a list's, as an OrderRequest."""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from simexchange.engine.decimals import ZERO
from simexchange.engine.orders import STOP_TYPES, OrderRequest
from simexchange.engine.symbols import ORDER_TYPES, STP_MODES, SymbolRules
from simexchange.errors import ApiError
from simexchange.faces.order_params import (
    RESPONSES,
    TIMES_IN_FORCE,
    choice,
    client_id,
    named,
    need,
    need_choice,
    need_one,
    number,
    positive,
    refuse_extra,
    symbol_of,
    whole,
)
from simexchange.faces.params import Params

SIDES = ("BUY", "SELL")
Known = Mapping[str, SymbolRules]

# What a type must have beside symbol, side, type and quantity, and what it must not have.
NEEDS = {
    "LIMIT": ("timeInForce", "price"),
    "LIMIT_MAKER": ("price",),
    "MARKET": (),
    "STOP_LOSS": (),
    "STOP_LOSS_LIMIT": ("timeInForce", "price"),
    "TAKE_PROFIT": (),
    "TAKE_PROFIT_LIMIT": ("timeInForce", "price"),
}
REFUSES = {
    "LIMIT": ("stopPrice", "trailingDelta", "quoteOrderQty"),
    "LIMIT_MAKER": ("timeInForce", "stopPrice", "trailingDelta", "quoteOrderQty"),
    "MARKET": ("timeInForce", "price", "stopPrice", "trailingDelta", "icebergQty"),
    "STOP_LOSS": ("timeInForce", "price", "quoteOrderQty", "icebergQty"),
    "STOP_LOSS_LIMIT": ("quoteOrderQty",),
    "TAKE_PROFIT": ("timeInForce", "price", "quoteOrderQty", "icebergQty"),
    "TAKE_PROFIT_LIMIT": ("quoteOrderQty",),
}
PEG_NAMES = ("pegPriceType", "pegOffsetType", "pegOffsetValue")
LEG_NAMES = (
    "type",
    "clientOrderId",
    "price",
    "stopPrice",
    "trailingDelta",
    "timeInForce",
    "icebergQty",
    "strategyId",
    "strategyType",
    *PEG_NAMES,
)
"""What each order of a list may say, with its role in front."""


class Shared(NamedTuple):
    """What all orders of a request have in common."""

    symbol: str
    stp_mode: str
    response: str


def read_shared(params: Params, known: Known, default_response: str = "") -> Shared:
    """Return symbol, prevention mode and response format."""
    symbol = symbol_of(params, known)
    mode = choice(params, "selfTradePreventionMode", STP_MODES, known[symbol].default_stp)
    return Shared(symbol, mode, choice(params, "newOrderRespType", RESPONSES, default_response))


def strategy(params: Params, prefix: str = "") -> tuple[int | None, int | None]:
    """Return strategyId and strategyType."""
    id_name, type_name = named(prefix, "strategyId"), named(prefix, "strategyType")
    strategy_type = whole(params, type_name) if type_name in params else None
    if strategy_type is not None and strategy_type < 1_000_000:
        raise ApiError(-1134, f"{type_name} was less than 1000000.")
    return (whole(params, id_name) if id_name in params else None), strategy_type


def _refuse_pegs(params: Params, prefix: str) -> None:
    """Refuse pegged prices: no symbol here has pegInstructionsAllowed."""
    price_name, offset_name, value_name = (named(prefix, one) for one in PEG_NAMES)
    price_type = choice(params, price_name, ("PRIMARY_PEG", "MARKET_PEG"), kind="pegPriceType")
    offset_type = choice(params, offset_name, ("PRICE_LEVEL",), kind="pegOffsetType")
    if price_type or offset_type or params.get(value_name):
        raise ApiError(-2010, "Pegged orders are not supported for this symbol.")


def _check_presence(params: Params, prefix: str, order_type: str) -> None:
    for name in NEEDS[order_type]:
        need(params, named(prefix, name))
    if order_type in STOP_TYPES:
        need_one(params, named(prefix, "stopPrice"), named(prefix, "trailingDelta"))
    for name in REFUSES[order_type]:
        refuse_extra(params, named(prefix, name))


def read_leg(
    params: Params,
    shared: Shared,
    *,
    prefix: str,
    order_type: str,
    side: str,
    quantity: Decimal,
) -> OrderRequest:
    """Return one order whose type, side and quantity are known.

    Raises:
        ApiError: with the first parameter that is missing, illegal or too many.
    """
    _check_presence(params, prefix, order_type)
    _refuse_pegs(params, prefix)
    time_name, iceberg_name = named(prefix, "timeInForce"), named(prefix, "icebergQty")
    time_in_force = choice(params, time_name, TIMES_IN_FORCE, "GTC", kind="timeInForce")
    iceberg = number(params, iceberg_name)
    if iceberg and time_in_force != "GTC":
        if prefix:
            raise ApiError(
                -1160, f"Parameter '{iceberg_name}' is not supported if '{time_name}' is not GTC."
            )
        raise ApiError(-1014, "Unsupported order combination.")
    strategy_id, strategy_type = strategy(params, prefix)
    id_name = named(prefix, "clientOrderId") if prefix else "newClientOrderId"
    return OrderRequest(
        symbol=shared.symbol,
        side=side,
        type=order_type,
        time_in_force=time_in_force,
        quantity=quantity,
        price=positive(params, named(prefix, "price"), "price"),
        stop_price=positive(params, named(prefix, "stopPrice"), "stopPrice"),
        trailing_delta=whole(params, named(prefix, "trailingDelta")),
        iceberg_quantity=iceberg,
        client_order_id=client_id(params, id_name),
        stp_mode=shared.stp_mode,
        strategy_id=strategy_id,
        strategy_type=strategy_type,
        response=shared.response,
    )


def read_quantity(params: Params, name: str = "quantity") -> Decimal:
    """Return a mandatory quantity of more than zero."""
    need(params, name)
    return positive(params, name, "quantity")


def read_order(params: Params, known: Known) -> OrderRequest:
    """Return the placement the parameters ask for.

    Raises:
        ApiError: with the first parameter that is missing, illegal or too many.
    """
    symbol_of(params, known)
    side = need_choice(params, "side", SIDES, "side")
    order_type = need_choice(params, "type", ORDER_TYPES, "type")
    default = "FULL" if order_type in {"MARKET", "LIMIT"} else "ACK"
    shared = read_shared(params, known, default)
    if order_type != "MARKET":
        quantity, quote = read_quantity(params), ZERO
    else:
        quantity, quote = _read_market_amount(params)
    order = read_leg(params, shared, prefix="", order_type=order_type, side=side, quantity=quantity)
    if not quote:
        return order
    return OrderRequest(
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        quote_quantity=quote,
        client_order_id=order.client_order_id,
        stp_mode=order.stp_mode,
        strategy_id=order.strategy_id,
        strategy_type=order.strategy_type,
        response=order.response,
    )


def _read_market_amount(params: Params) -> tuple[Decimal, Decimal]:
    need_one(params, "quantity", "quoteOrderQty")
    if params.get("quantity"):
        refuse_extra(params, "quoteOrderQty")
        return positive(params, "quantity", "quantity"), ZERO
    return ZERO, positive(params, "quoteOrderQty", "quote order qty")


ORDER_NAMES = frozenset(
    {
        "symbol",
        "side",
        "quantity",
        "quoteOrderQty",
        "newClientOrderId",
        "newOrderRespType",
        "selfTradePreventionMode",
        *LEG_NAMES,
    }
) - {"clientOrderId"}

"""The parameters of order lists: OCO in its present and its deprecated form, OTO, OTOCO, OPO."""

from collections.abc import Iterable
from decimal import Decimal

from simexchange.engine.composition import LEG_TYPES
from simexchange.engine.decimals import ZERO
from simexchange.engine.lists import ListRequest
from simexchange.engine.orders import OrderRequest
from simexchange.engine.symbols import ORDER_TYPES
from simexchange.errors import ApiError
from simexchange.faces.order_params import (
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
    whole,
)
from simexchange.faces.params import Params
from simexchange.faces.read_orders import (
    LEG_NAMES,
    SIDES,
    Known,
    Shared,
    read_leg,
    read_quantity,
    read_shared,
    strategy,
)

WORKING_TYPES = ("LIMIT", "LIMIT_MAKER")
SHARED_NAMES = ("symbol", "listClientOrderId", "newOrderRespType", "selfTradePreventionMode")


def _pair_leg(
    params: Params, shared: Shared, prefix: str, side: str, quantity: Decimal
) -> OrderRequest:
    kind = need(params, named(prefix, "type"))
    if kind not in LEG_TYPES:
        raise ApiError(-1158, "Order type not supported in OCO.")
    return read_leg(params, shared, prefix=prefix, order_type=kind, side=side, quantity=quantity)


def read_new_oco(params: Params, known: Known) -> ListRequest:
    """Return the list of ``POST orderList/oco``.

    Raises:
        ApiError: with the first parameter that is missing or illegal.
    """
    shared = read_shared(params, known, "RESULT")
    side = need_choice(params, "side", SIDES, "side")
    quantity = read_quantity(params)
    return ListRequest(
        symbol=shared.symbol,
        above=_pair_leg(params, shared, "above", side, quantity),
        below=_pair_leg(params, shared, "below", side, quantity),
        client_list_id=client_id(params, "listClientOrderId"),
        response=shared.response,
    )


def read_old_oco(params: Params, known: Known) -> ListRequest:
    """Return the list of the deprecated ``POST order/oco``: a limit maker and a stop.

    Raises:
        ApiError: with the first parameter that is missing or illegal.
    """
    shared = read_shared(params, known, "RESULT")
    side = need_choice(params, "side", SIDES, "side")
    quantity = read_quantity(params)
    need(params, "price")
    need(params, "stopPrice")
    limit_id, limit_type = strategy(params, "limit")
    limit = OrderRequest(
        symbol=shared.symbol,
        side=side,
        type="LIMIT_MAKER",
        quantity=quantity,
        price=positive(params, "price", "price"),
        iceberg_quantity=number(params, "limitIcebergQty"),
        client_order_id=client_id(params, "limitClientOrderId"),
        stp_mode=shared.stp_mode,
        strategy_id=limit_id,
        strategy_type=limit_type,
    )
    stop = _old_stop(params, shared, side, quantity)
    above, below = (limit, stop) if side == "SELL" else (stop, limit)
    return ListRequest(
        symbol=shared.symbol,
        above=above,
        below=below,
        client_list_id=client_id(params, "listClientOrderId"),
        response=shared.response,
    )


def _old_stop(params: Params, shared: Shared, side: str, quantity: Decimal) -> OrderRequest:
    price = positive(params, "stopLimitPrice", "stopLimitPrice")
    if price:
        need(params, "stopLimitTimeInForce")
    else:
        refuse_extra(params, "stopLimitTimeInForce")
        refuse_extra(params, "stopIcebergQty")
    time_in_force = choice(
        params, "stopLimitTimeInForce", TIMES_IN_FORCE, "GTC", kind="timeInForce"
    )
    stop_id, stop_type = strategy(params, "stop")
    return OrderRequest(
        symbol=shared.symbol,
        side=side,
        type="STOP_LOSS_LIMIT" if price else "STOP_LOSS",
        quantity=quantity,
        price=price,
        stop_price=positive(params, "stopPrice", "stopPrice"),
        trailing_delta=whole(params, "trailingDelta"),
        time_in_force=time_in_force,
        iceberg_quantity=number(params, "stopIcebergQty"),
        client_order_id=client_id(params, "stopClientOrderId"),
        stp_mode=shared.stp_mode,
        strategy_id=stop_id,
        strategy_type=stop_type,
    )


def _read_working(params: Params, shared: Shared) -> OrderRequest:
    kind = need_choice(params, "workingType", WORKING_TYPES, "type")
    side = need_choice(params, "workingSide", SIDES, "side")
    quantity = read_quantity(params, "workingQuantity")
    return read_leg(params, shared, prefix="working", order_type=kind, side=side, quantity=quantity)


def _leg_quantity(params: Params, *, pays_legs: bool) -> Decimal:
    """Return the legs' quantity; what the working order pays for has none."""
    if not pays_legs:
        return read_quantity(params, "pendingQuantity")
    if "pendingQuantity" in params:
        raise ApiError(-1225, "Pending orders should not include the 'pendingQuantity' tag.")
    return ZERO


def read_oto(params: Params, known: Known, *, pays_legs: bool = False) -> ListRequest:
    """Return the list of ``POST orderList/oto``, or with `pays_legs` of ``orderList/opo``.

    Raises:
        ApiError: with the first parameter that is missing or illegal.
    """
    shared = read_shared(params, known, "RESULT")
    working = _read_working(params, shared)
    kind = need_choice(params, "pendingType", ORDER_TYPES, "type")
    side = need_choice(params, "pendingSide", SIDES, "side")
    quantity = _leg_quantity(params, pays_legs=pays_legs)
    return ListRequest(
        symbol=shared.symbol,
        working=working,
        above=read_leg(
            params, shared, prefix="pending", order_type=kind, side=side, quantity=quantity
        ),
        pays_legs=pays_legs,
        client_list_id=client_id(params, "listClientOrderId"),
        response=shared.response,
    )


def read_otoco(params: Params, known: Known, *, pays_legs: bool = False) -> ListRequest:
    """Return the list of ``POST orderList/otoco``, or with `pays_legs` of ``orderList/opoco``.

    Raises:
        ApiError: with the first parameter that is missing or illegal.
    """
    shared = read_shared(params, known, "RESULT")
    working = _read_working(params, shared)
    side = need_choice(params, "pendingSide", SIDES, "side")
    quantity = _leg_quantity(params, pays_legs=pays_legs)
    return ListRequest(
        symbol=shared.symbol,
        working=working,
        above=_pair_leg(params, shared, "pendingAbove", side, quantity),
        below=_pair_leg(params, shared, "pendingBelow", side, quantity),
        pays_legs=pays_legs,
        client_list_id=client_id(params, "listClientOrderId"),
        response=shared.response,
    )


def list_key(params: Params, client_name: str = "listClientOrderId") -> tuple[int | None, str]:
    """Return (list id or None, client id or empty), at least one of them given."""
    need_one(params, "orderListId", client_name)
    list_id = whole(params, "orderListId", -1)
    return (list_id if list_id >= 0 else None), client_id(params, client_name)


def _with(names: Iterable[str], *prefixes: str) -> frozenset[str]:
    legs = (named(prefix, name) for prefix in prefixes for name in LEG_NAMES)
    return frozenset((*SHARED_NAMES, *names, *legs))


OCO_NAMES = _with(("side", "quantity"), "above", "below")
OLD_OCO_NAMES = frozenset(
    (
        *SHARED_NAMES,
        *("side", "quantity", "price", "stopPrice", "trailingDelta"),
        *("stopLimitPrice", "stopLimitTimeInForce"),
        *(
            named(prefix, name)
            for prefix in ("limit", "stop")
            for name in ("clientOrderId", "strategyId", "strategyType", "icebergQty")
        ),
    )
)
_WORKING = ("workingSide", "workingQuantity", "pendingSide", "pendingQuantity")
OTO_NAMES = _with(_WORKING, "working", "pending")
OTOCO_NAMES = _with(_WORKING, "working", "pendingAbove", "pendingBelow")

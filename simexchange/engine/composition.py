"""Which orders make a list: sides and types, before any price is looked at."""

from collections.abc import Sequence

from simexchange.engine.orders import STOP_TYPES, OrderRequest
from simexchange.errors import ApiError

LIMIT_SIDE_TYPES = frozenset({"LIMIT_MAKER", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
STOP_SIDE_TYPES = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT"})
LEG_TYPES = LIMIT_SIDE_TYPES | STOP_SIDE_TYPES


def check_legs(above: OrderRequest, below: OrderRequest) -> tuple[OrderRequest, OrderRequest]:
    """Return (stop leg, limit leg).

    Raises:
        ApiError: when the two types do not make an OCO on this side.
    """
    if above.type not in LEG_TYPES or below.type not in LEG_TYPES:
        raise ApiError(-1158, "Order type not supported in OCO.")
    if above.type not in STOP_TYPES and below.type not in STOP_TYPES:
        raise ApiError(-1168, "At least one OCO order must be contingent.")
    stop, limit = (below, above) if above.side == "SELL" else (above, below)
    if limit.type in LIMIT_SIDE_TYPES and stop.type in STOP_SIDE_TYPES:
        return stop, limit
    raise _refusal_of_sell(above, below) if above.side == "SELL" else _refusal_of_buy(above, below)


def _refusal_of_sell(above: OrderRequest, below: OrderRequest) -> ApiError:
    if below.type == "LIMIT_MAKER":
        return ApiError(-1166, "A limit order in a sell OCO must be above.")
    if above.type in STOP_SIDE_TYPES:
        return ApiError(-1197, "A stop loss order in a sell OCO must be below.")
    return ApiError(-1199, "A take profit order in a sell OCO must be above.")


def _refusal_of_buy(above: OrderRequest, below: OrderRequest) -> ApiError:
    if above.type == "LIMIT_MAKER":
        return ApiError(-1165, "A limit order in a buy OCO must be below.")
    if below.type in STOP_SIDE_TYPES:
        return ApiError(-1196, "A stop loss order in a buy OCO must be above.")
    return ApiError(-1198, "A take profit order in a buy OCO must be below.")


def check_pays(
    working: OrderRequest | None, legs: Sequence[OrderRequest], *, pays_legs: bool
) -> None:
    """Refuse an OPO whose working order does not buy what its legs sell.

    Raises:
        ApiError: -1222 or -1223.
    """
    if not pays_legs or working is None:
        return
    if working.side != "BUY":
        raise ApiError(-1222, "Working order in an OPO list must be a bid.")
    if any(leg.side != "SELL" for leg in legs):
        raise ApiError(-1223, "Pending orders in an OPO list must be asks.")

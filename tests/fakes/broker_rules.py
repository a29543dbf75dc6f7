"""What the exchange in memory refuses, and what it lets trade at once."""

from decimal import Decimal

from execution.domain.order import OrderType, Side
from execution.domain.outcome import classify_refusal, reaction_to
from execution.domain.request import OrderRequest
from execution.ports import VenueReply


def takes(request: OrderRequest, price: Decimal) -> bool:
    """Tell whether the order trades in the moment it is placed."""
    if request.type is OrderType.MARKET:
        return True
    if request.type is not OrderType.LIMIT or request.price is None:
        return False
    return request.price >= price if request.side is Side.BUY else request.price <= price


def wrong_side(request: OrderRequest, price: Decimal) -> VenueReply | None:
    """Return the refusal of a maker order that would take, or of a stop that would trigger."""
    is_buy = request.side is Side.BUY
    limit = request.price if request.type is OrderType.LIMIT_MAKER else None
    if limit is not None and ((limit >= price) if is_buy else (limit <= price)):
        return refuse(400, -2010, "Order would immediately match and take.")
    form = request.type.form
    if form.trigger and request.stop_price is not None:
        must_be_above = (form.trigger > 0) == is_buy
        if (request.stop_price > price) is not must_be_above:
            return refuse(400, -2010, "Order would trigger immediately.")
    return None


def refuse(http_status: int, code: int, message: str) -> VenueReply:
    return VenueReply(
        outcome=classify_refusal(http_status=http_status, code=code, message=message),
        code=code,
        message=message,
        reaction=reaction_to(http_status=http_status, code=code),
        evidence={"http_status": http_status, "code": code, "message": message},
    )

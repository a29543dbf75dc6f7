"""REST where an operator acts: place, cancel, close."""

import uuid
from typing import Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.clock import get_clock
from core.drf import ExactDecimal, StrictSerializer, Symbol
from core.errors import InvalidInput
from core.rest.encoding import plain
from execution.adapters.factory import get_broker
from execution.domain.order import OrderType, Side, TimeInForce
from execution.models import Order
from execution.selectors import get_account
from execution.services.orders import (
    ManualOrder,
    close_position,
    place_manual_order,
    request_cancel,
)

# What a person may place: the type, whether it has a price, whether it may have a time in force.
_FORMS = {
    OrderType.MARKET.value: (False, False),
    OrderType.LIMIT.value: (True, True),
    OrderType.LIMIT_MAKER.value: (True, False),
}
_KEY_LENGTH = 64


class OrderInput(StrictSerializer):
    """An order; quantities in base units, prices in quote, both as strings."""

    symbol = Symbol()
    side = serializers.ChoiceField(choices=[side.value for side in Side])
    type = serializers.ChoiceField(choices=list(_FORMS), default=OrderType.MARKET.value)
    quantity = ExactDecimal()
    price = ExactDecimal(required=False, allow_null=True)
    time_in_force = serializers.ChoiceField(
        choices=[item.value for item in TimeInForce], required=False, allow_null=True
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse prices and times that the type does not have: that is no order at all."""
        kind = attrs["type"]
        has_price, may_have_time = _FORMS[kind]
        if (attrs.get("price") is not None) is not has_price:
            told = f"{kind} needs a price." if has_price else f"{kind} takes no price."
            raise serializers.ValidationError({"price": told})
        if attrs.get("time_in_force") is not None and not may_have_time:
            raise serializers.ValidationError({"time_in_force": f"{kind} takes no time in force."})
        return attrs


class CloseInput(StrictSerializer):
    """Which position to close; without a symbol all of them, if `all` says so."""

    symbol = Symbol(required=False)
    all = serializers.BooleanField(required=False, default=False)


class PlaceOrderView(APIView):
    """Place an order through the same gate as the machine's own."""

    @extend_schema(request=OrderInput, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request) -> Response:
        data = OrderInput(data=request.data)
        data.is_valid(raise_exception=True)
        values = data.validated_data
        order_type = OrderType(values["type"])
        time_in_force = values.get("time_in_force")
        if order_type is OrderType.LIMIT and time_in_force is None:
            time_in_force = TimeInForce.GTC.value
        order = place_manual_order(
            account_id=get_account(settings.ACCOUNT_NAME).pk,
            wanted=ManualOrder(
                symbol=values["symbol"],
                side=Side(values["side"]),
                type=order_type,
                quantity=values["quantity"],
                price=values.get("price"),
                time_in_force=TimeInForce(time_in_force) if time_in_force else None,
            ),
            idempotency_key=_idempotency_key(request),
            actor=str(request.user),
            broker=get_broker(),
            clock=get_clock(),
        )
        return Response(order_body(order), status=201)


class CancelOrderView(APIView):
    """Cancel one order."""

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def delete(self, request: Request, order_id: int) -> Response:
        order = request_cancel(
            account_id=get_account(settings.ACCOUNT_NAME).pk,
            order_id=order_id,
            actor=str(request.user),
            broker=get_broker(),
            clock=get_clock(),
        )
        return Response(order_body(order))


class ClosePositionsView(APIView):
    """Close one position, or all."""

    @extend_schema(request=CloseInput, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request) -> Response:
        data = CloseInput(data=request.data)
        data.is_valid(raise_exception=True)
        symbol = data.validated_data.get("symbol")
        if (symbol is None) is not data.validated_data["all"]:
            raise InvalidInput('Send either {"symbol": "BTCUSDT"} or {"all": true}', field="symbol")
        orders = close_position(
            account_id=get_account(settings.ACCOUNT_NAME).pk,
            symbol=symbol,
            actor=str(request.user),
            broker=get_broker(),
            clock=get_clock(),
        )
        return Response({"orders": [order_body(order) for order in orders]})


def order_body(order: Order) -> dict[str, Any]:
    """Return an order as the API shows it."""
    return {
        "id": order.pk,
        "symbol": order.instrument.symbol,
        "client_order_id": order.client_order_id,
        "venue_order_id": order.venue_order_id,
        "leg": order.leg,
        "side": order.side,
        "type": order.type,
        "quantity": plain(order.quantity),
        "price": None if order.price is None else plain(order.price),
        "state": order.state,
        "reason": order.reason,
        "filled_quantity": plain(order.filled_quantity),
        "filled_quote": plain(order.filled_quote),
        "created_at": order.created_at,
        "updated_at": order.updated_at,
    }


def _idempotency_key(request: Request) -> str:
    """Return the caller's key, or one of our own: without a key every POST is a new order.

    Raises:
        InvalidInput: The key is empty, too long or not plain.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return uuid.uuid4().hex
    if not key.strip() or len(key) > _KEY_LENGTH or not key.isascii() or not key.isprintable():
        raise InvalidInput(
            f"Idempotency-Key must be 1 to {_KEY_LENGTH} plain characters", field="Idempotency-Key"
        )
    return key

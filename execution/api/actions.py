"""REST where an operator acts: place, cancel, close."""

import uuid
from decimal import Decimal
from typing import Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.clock import get_clock
from core.drf import ExactDecimal, StrictSerializer, Symbol, Whole
from core.errors import InvalidInput
from core.rest.encoding import plain
from execution.adapters.factory import get_broker
from execution.domain.order import BRACKET, OrderType, Side, TimeInForce
from execution.models import Order
from execution.selectors import get_account
from execution.services.amending import amend_order
from execution.services.orders import (
    ManualOrder,
    close_position,
    place_manual_order,
    request_cancel,
)
from execution.services.replacing import Changes, replace_order
from risk.domain.order_forms import FORMS, find_wrong_parameter

_KEY_LENGTH = 64


class OrderInput(StrictSerializer):
    """An order; quantities in base units, prices in quote, both as strings."""

    symbol = Symbol()
    side = serializers.ChoiceField(choices=[side.value for side in Side])
    type = serializers.ChoiceField(
        choices=[kind.value for kind in OrderType], default=OrderType.MARKET.value
    )
    quantity = ExactDecimal()
    price = ExactDecimal(required=False, allow_null=True)
    stop_price = ExactDecimal(required=False, allow_null=True)
    stop_limit_price = ExactDecimal(required=False, allow_null=True)
    trailing_delta_bps = Whole(required=False, allow_null=True, minimum=1, maximum=5000)
    time_in_force = serializers.ChoiceField(
        choices=[item.value for item in TimeInForce], required=False, allow_null=True
    )
    stop_loss_price = ExactDecimal(required=False, allow_null=True)
    take_profit_price = ExactDecimal(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse what the type does not have or lacks: that is no order at all."""
        form = FORMS[attrs["type"]]
        if "time_in_force" in form.required and attrs.get("time_in_force") is None:
            attrs["time_in_force"] = TimeInForce.GTC.value
        given = [name for name, value in attrs.items() if value is not None]
        wrong = find_wrong_parameter(attrs["type"], given)
        if wrong is not None:
            raise serializers.ValidationError({wrong[0]: f"{wrong[1]}."})
        return attrs

    def to_order(self) -> ManualOrder:
        """Return the valid input as an order."""
        values = dict(self.validated_data)
        time_in_force = values.pop("time_in_force", None)
        return ManualOrder(
            **{
                **values,
                "side": Side(values["side"]),
                "type": OrderType(values["type"]),
                "time_in_force": TimeInForce(time_in_force) if time_in_force else None,
            }
        )


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
        order = place_manual_order(
            account_id=get_account(settings.ACCOUNT_NAME).pk,
            wanted=data.to_order(),
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


class AmendInput(StrictSerializer):
    """The order's new whole quantity, filled part included, and why."""

    quantity = ExactDecimal()
    reason = serializers.CharField(max_length=500)


class ReplaceInput(StrictSerializer):
    """What shall be different about the order, and why; the rest stays as it is."""

    quantity = ExactDecimal(required=False)
    price = ExactDecimal(required=False)
    stop_price = ExactDecimal(required=False)
    trailing_delta_bps = Whole(required=False, minimum=1, maximum=5000)
    reason = serializers.CharField(max_length=500)


class AmendOrderView(APIView):
    """Make a resting order smaller; it keeps its place in the queue."""

    @extend_schema(request=AmendInput, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, order_id: int) -> Response:
        data = AmendInput(data=request.data)
        data.is_valid(raise_exception=True)
        order = amend_order(
            account_id=get_account(settings.ACCOUNT_NAME).pk,
            order_id=order_id,
            quantity=data.validated_data["quantity"],
            actor=str(request.user),
            reason=data.validated_data["reason"],
            broker=get_broker(),
            clock=get_clock(),
        )
        return Response(order_body(order))


class ReplaceOrderView(APIView):
    """Replace a resting order by one with other figures, in one request."""

    @extend_schema(request=ReplaceInput, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, order_id: int) -> Response:
        data = ReplaceInput(data=request.data)
        data.is_valid(raise_exception=True)
        values = dict(data.validated_data)
        order = replace_order(
            account_id=get_account(settings.ACCOUNT_NAME).pk,
            order_id=order_id,
            reason=values.pop("reason"),
            changes=Changes(**values),
            idempotency_key=_idempotency_key(request),
            actor=str(request.user),
            broker=get_broker(),
            clock=get_clock(),
        )
        return Response(order_body(order), status=201)


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
        "price": _plain(order.price),
        "stop_price": _plain(order.stop_price),
        "stop_limit_price": _plain(order.leg_limit_price),
        "trailing_delta_bps": order.trailing_delta_bps,
        "time_in_force": order.time_in_force or None,
        "state": order.state,
        "reason": order.reason,
        "supersedes": order.supersedes_id,
        "bracket": order.context.get(BRACKET),
        "working_order": order.working_id,
        "filled_quantity": plain(order.filled_quantity),
        "filled_quote": plain(order.filled_quote),
        "created_at": order.created_at,
        "updated_at": order.updated_at,
    }


def _plain(number: Decimal | None) -> str | None:
    return None if number is None else plain(number)


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

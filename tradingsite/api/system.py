"""What spans the rooms: start, stop and the state of the whole system."""

from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.clock import get_clock
from core.health import is_redis_up, list_components
from core.rest.fields import StrictSerializer
from risk.domain.trading_state import Purpose
from risk.services.trading_state import read_state, start_trading, stop_trading
from tradingsite import VERSION
from tradingsite.api.status import describe_system


class _ReasonInput(StrictSerializer):
    reason = serializers.CharField(max_length=200, required=False, default="by the API")


class SystemStatusView(APIView):
    """GET: open to all for mode, running, version and time; the rest needs a token."""

    permission_classes = [AllowAny]

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        now = get_clock().now()
        state = read_state()
        answer: dict[str, Any] = {
            "mode": settings.TRADING_MODE.value,
            "is_running": state.is_running and state.permits(Purpose.ENTRY),
            "version": VERSION,
            "server_time": now,
        }
        if request.user.is_authenticated:
            answer.update(describe_system(state=state, now=now))
        return Response(answer)


class SystemStartView(APIView):
    """POST: let strategies open positions."""

    @extend_schema(request=_ReasonInput, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request) -> Response:
        return _set_running(request, start_trading)


class SystemStopView(APIView):
    """POST: open nothing new; exits and protective stops go on."""

    @extend_schema(request=_ReasonInput, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request) -> Response:
        return _set_running(request, stop_trading)


def _set_running(request: Request, service: Any) -> Response:
    body = _ReasonInput(data=request.data)
    body.is_valid(raise_exception=True)
    state = service(
        reason=body.validated_data["reason"],
        actor=request.user.get_username(),
        now=get_clock().now(),
    )
    return Response(
        {"is_running": state.is_running, "level": state.level.value, "epoch": state.epoch}
    )


def healthz(_request: HttpRequest) -> HttpResponse:
    """Answer that this process runs."""
    return JsonResponse({"status": "ok"})


def readyz(_request: HttpRequest) -> HttpResponse:
    """Answer whether this process can serve: its database and its broker answer."""
    parts = {"database": _database_answers(), "broker": is_redis_up()}
    is_ready = all(parts.values())
    components = {view.name: view.status.value for view in list_components(now=get_clock().now())}
    return JsonResponse(
        {"status": "ok" if is_ready else "unready", **parts, "components": components},
        status=200 if is_ready else 503,
    )


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True

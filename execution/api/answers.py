"""REST answers that are not plain lists: why something was decided, and how well it went."""

from django.conf import settings
from django.utils.dateparse import parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.clock import get_clock
from core.errors import InvalidInput
from core.rest.rendering import OrjsonRenderer
from core.rest.views import check_parameters
from execution.services.explaining import explain_decision
from execution.services.performance import measure_performance


class WhyView(APIView):
    """Why it did, or did not, trade."""

    renderer_classes: list[type[BaseRenderer]] = [OrjsonRenderer]

    @extend_schema(
        parameters=[
            OpenApiParameter("symbol", str, required=True),
            OpenApiParameter("at", OpenApiTypes.DATETIME, description="Default: now"),
        ],
        responses=OpenApiTypes.OBJECT,
    )
    def get(self, request: Request) -> Response:
        """Return the decisions of the close at or before a moment, with everything behind them."""
        check_parameters(request, known=("symbol", "at"))
        symbol = request.query_params.get("symbol", "")
        text = request.query_params.get("at", "")
        try:
            at = parse_datetime(text) if text else get_clock().now()
        except ValueError:
            at = None
        if at is None or at.tzinfo is None:
            raise InvalidInput(
                "at must be an ISO 8601 time with its zone, such as 2026-11-24T14:05:00Z.",
                field="at",
                value=text[:64],
            )
        return Response(explain_decision(symbol=symbol, at=at))


class PerformanceView(APIView):
    """How well the account did."""

    renderer_classes: list[type[BaseRenderer]] = [OrjsonRenderer]

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """Return realised P&L, hit rate and fees over all closed positions."""
        return Response(measure_performance(account_name=settings.ACCOUNT_NAME))

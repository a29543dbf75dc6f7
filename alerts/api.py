"""Alerts by REST: read them, say that one was seen."""

from typing import Any

from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from alerts.domain.severity import Severity
from alerts.models import Alert
from alerts.selectors import list_alerts
from alerts.services.raising import acknowledge
from core.clock import get_clock
from core.rest.views import ReadListView


class AlertFilter(filters.FilterSet):
    """Filters such as ``?severity=ERROR&is_acknowledged=false&since=2026-03-01T00:00:00Z``."""

    severity = filters.MultipleChoiceFilter(choices=[(s.value, s.value) for s in Severity])
    is_acknowledged = filters.BooleanFilter(
        field_name="acknowledged_at", lookup_expr="isnull", exclude=True
    )
    since = filters.IsoDateTimeFilter(field_name="timestamp", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="timestamp", lookup_expr="lt")

    class Meta:
        model = Alert
        fields = ["code"]


class AlertListView(ReadListView):
    """Alerts, the newest first."""

    queryset = list_alerts()
    filterset_class = AlertFilter
    ordering = ("-timestamp", "-id")
    columns = {
        "id": "id",
        "code": "code",
        "severity": "severity",
        "message": "message",
        "context": "context",
        "count": "count",
        "timestamp": "timestamp",
        "last_at": "last_at",
        "acknowledged_at": "acknowledged_at",
        "acknowledged_by": "acknowledged_by__username",
    }


@extend_schema(request=None, responses={200: OpenApiResponse(description="The alert's times")})
class AlertAckView(APIView):
    """Note that the caller has seen an alert; again changes nothing."""

    def post(self, request: Request, alert_id: int, **_: Any) -> Response:
        alert = acknowledge(
            alert_id=alert_id, user_id=int(request.user.pk or 0), now=get_clock().now()
        )
        return Response({"id": alert.pk, "acknowledged_at": alert.acknowledged_at})

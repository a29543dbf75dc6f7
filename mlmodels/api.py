"""REST of models and predictions."""

from typing import Any

import django_filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.clock import get_clock
from core.drf import StrictSerializer
from core.rest.views import ReadListView
from mlmodels.models import ModelVersion, Prediction
from mlmodels.selectors import list_predictions, list_versions
from mlmodels.services.promotion import promote, rollback


class ReasonInput(StrictSerializer):
    """Why."""

    reason = serializers.CharField(max_length=500)


class ModelFilter(django_filters.FilterSet):
    """Which versions."""

    timeframe = django_filters.CharFilter(field_name="scope")

    class Meta:
        model = ModelVersion
        fields = ["state", "verdict", "recipe"]


class ModelsView(ReadListView):
    """Model versions, newest first."""

    queryset = list_versions()
    ordering = ("-created_at", "-id")
    filterset_class = ModelFilter
    columns = {
        "id": "id",
        "name": "name",
        "timeframe": "scope",
        "recipe": "recipe",
        "horizon_bars": "horizon_bars",
        "state": "state",
        "state_reason": "state_reason",
        "verdict": "verdict",
        "metrics": "metrics",
        "symbol_metrics": "symbol_metrics",
        "trained_until": "trained_until",
        "trigger": "run__trigger",
        "rows": "run__rows",
        "duration_s": "run__duration_s",
        "data_sha256": "run__data_sha256",
        "manifest_sha256": "manifest_sha256",
        "created_at": "created_at",
    }


class PromoteView(APIView):
    """Let a version predict."""

    @extend_schema(request=ReasonInput, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, version_id: int) -> Response:
        """Make the version the champion of its timeframe; the present one stays at hand."""
        return Response(
            _body(
                promote(
                    version_id=version_id,
                    reason=_reason(request),
                    actor=request.user.get_username(),
                    now=get_clock().now(),
                )
            )
        )


class RollbackView(APIView):
    """Take the champion back."""

    @extend_schema(request=ReasonInput, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, version_id: int) -> Response:
        """Return to the version before this champion, and answer with it."""
        return Response(
            _body(
                rollback(
                    version_id=version_id,
                    reason=_reason(request),
                    actor=request.user.get_username(),
                    now=get_clock().now(),
                )
            )
        )


class PredictionFilter(django_filters.FilterSet):
    """Which predictions."""

    symbol = django_filters.CharFilter(field_name="instrument__symbol")
    since = django_filters.IsoDateTimeFilter(field_name="timestamp", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter(field_name="timestamp", lookup_expr="lt")
    is_resolved = django_filters.BooleanFilter(
        field_name="resolved_at", lookup_expr="isnull", exclude=True
    )

    class Meta:
        model = Prediction
        fields = ["timeframe", "state", "model_version", "model_name", "is_shadow"]


class PredictionsView(ReadListView):
    """Predictions, newest first. Returns are fractions over the horizon; not yet known is null."""

    queryset = list_predictions()
    ordering = ("-timestamp", "-id")
    filterset_class = PredictionFilter
    columns = {
        "id": "id",
        "symbol": "instrument__symbol",
        "timeframe": "timeframe",
        "timestamp": "timestamp",
        "model_version": "model_version_id",
        "model_name": "model_name",
        "horizon_bars": "horizon_bars",
        "state": "state",
        "is_shadow": "is_shadow",
        "p_up": "p_up",
        "expected_return": "expected_return",
        "lower": "lower",
        "upper": "upper",
        "sigma": "sigma",
        "interval_scale": "interval_scale",
        "dissimilarity": "dissimilarity",
        "realized_return": "realized_return",
        "error": "error",
        "resolves_at": "resolves_at",
        "resolved_at": "resolved_at",
    }


def _reason(request: Request) -> str:
    serializer = ReasonInput(data=request.data)
    serializer.is_valid(raise_exception=True)
    return str(serializer.validated_data["reason"])


def _body(version: ModelVersion) -> dict[str, Any]:
    return {
        "id": version.pk,
        "name": version.name,
        "timeframe": version.scope,
        "state": version.state,
        "verdict": version.verdict,
        "reason": version.state_reason,
    }

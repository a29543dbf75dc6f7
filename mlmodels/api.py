"""REST of models and predictions."""

from typing import Any

import django_filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.celery_outbox import enqueue_on_commit
from core.clock import get_clock
from core.drf import StrictSerializer
from core.rest.views import ReadListView
from markets.domain.timeframe import Timeframe
from markets.selectors import get_rules_by_symbol, list_subscriptions
from mlmodels.models import ModelVersion, Prediction
from mlmodels.selectors import list_predictions, list_searches, list_versions
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


class SearchInput(StrictSerializer):
    """What to search; what is left out is the command's default."""

    timeframe = serializers.ChoiceField(choices=[frame.value for frame in Timeframe])
    symbols = serializers.ListField(child=serializers.CharField(max_length=32), required=False)
    trials = serializers.IntegerField(required=False)
    recipes = serializers.ListField(child=serializers.CharField(max_length=16), required=False)
    horizons = serializers.ListField(child=serializers.IntegerField(), required=False)
    cost_bps = serializers.FloatField(required=False)
    seed = serializers.IntegerField(min_value=0, max_value=2**31 - 1, required=False)
    workers = serializers.IntegerField(min_value=1, max_value=64, default=1)


class SearchesView(ReadListView):
    """Searches for better configurations, newest first."""

    queryset = list_searches()
    ordering = ("-created_at", "-id")
    columns = {
        "id": "id",
        "timeframe": "scope",
        "status": "status",
        "trials": "wanted",
        "recipes": "recipes",
        "horizons": "horizons",
        "cost_bps": "cost_bps",
        "seed": "seed",
        "report": "report",
        "created_at": "created_at",
        "finished_at": "finished_at",
    }

    @extend_schema(request=SearchInput, responses={202: OpenApiTypes.OBJECT})
    def post(self, request: Request) -> Response:
        """Start a search on the training workers."""
        from mlmodels.services.search_orders import SearchOrder, start_search
        from mlmodels.tasks import search_step

        serializer = SearchInput(data=request.data)
        serializer.is_valid(raise_exception=True)
        given = dict(serializer.validated_data)
        timeframe, workers = Timeframe(given.pop("timeframe")), given.pop("workers")
        symbols = given.pop("symbols", None)
        ids = (
            [get_rules_by_symbol(symbol).instrument_id for symbol in symbols]
            if symbols is not None
            else [found.instrument_id for found in list_subscriptions(timeframe=timeframe)]
        )
        search = start_search(
            order=SearchOrder(timeframe=timeframe, instrument_ids=sorted(set(ids)), **given),
            actor=request.user.get_username(),
            now=get_clock().now(),
        )
        for _ in range(workers):
            enqueue_on_commit(search_step.name, kwargs={"search_id": search.pk}, queue="train")
        return Response({"id": search.pk, "status": search.status}, status=202)


class SearchView(APIView):
    """One search with its trials."""

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, search_id: int) -> Response:
        """Return the report and every trial, the first one first."""
        from mlmodels.services.search_orders import get_search

        search = get_search(search_id)
        trials = search.trials.order_by("search_number").values(
            "search_number", "score", "verdict", "ic", "ic_t", "brier_skill", "sharpe", "choice"
        )
        return Response(
            {
                "id": search.pk,
                "timeframe": search.scope,
                "status": search.status,
                "wanted": search.wanted,
                "report": search.report,
                "trials": list(trials),
            }
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

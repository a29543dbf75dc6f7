"""Backtests by REST: the list, one with its report, its tear sheet, and a new one."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.clock import get_clock
from core.rest.rendering import OrjsonRenderer
from core.rest.views import ReadListView
from execution.backtest.request import parse_request
from execution.selectors import get_backtest, list_backtests
from execution.services.backtests import create_backtest
from tradingsite.backtests import enqueue_backtest

_COLUMNS = (
    *("id", "state", "progress", "stage", "symbols", "interval", "strategy", "verdict"),
    *("verdict_text", "summary", "error", "created_by", "created_at", "started_at"),
    *("finished_at", "request"),
)


class BacktestsView(ReadListView):
    """GET: backtests, newest first. POST: run one; the answer is its row, QUEUED."""

    ordering = "-created_at"
    columns = {name: name for name in _COLUMNS}

    def get_queryset(self) -> QuerySet[Any]:
        return list_backtests()

    def present(self, row: dict[str, Any]) -> dict[str, Any]:
        row["symbols"] = row["symbols"].split(",")
        return row

    @extend_schema(request=OpenApiTypes.OBJECT, responses={202: OpenApiTypes.OBJECT})
    def post(self, request: Request) -> Response:
        wanted = parse_request(dict(request.data))
        row = create_backtest(
            request=wanted, actor=request.user.get_username(), now=get_clock().now()
        )
        enqueue_backtest(row.pk)
        return Response(
            {"id": row.pk, "state": row.state, "request": row.request},
            status=status.HTTP_202_ACCEPTED,
        )


class BacktestView(APIView):
    """GET: one backtest with its whole report."""

    renderer_classes = [OrjsonRenderer]

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, backtest_id: int) -> Response:
        row = get_backtest(backtest_id)
        answer = {name: getattr(row, name) for name in _COLUMNS}
        return Response({**answer, "symbols": row.symbols.split(","), "report": row.report})

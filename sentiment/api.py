"""Sentiment by REST."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from core.rest.views import ReadListView
from markets.selectors import get_rules_by_symbol
from sentiment.models import SentimentScore


class SentimentView(ReadListView):
    """The scores of one symbol, the newest first."""

    queryset = SentimentScore.objects.all()
    ordering = ("-available_at", "-id")
    columns = {
        "available_at": "available_at",
        "score": "score",
        "confidence": "confidence",
        "mentions": "mentions",
        "sources": "detail",
    }

    def get(self, request: Request, symbol: str, *args: Any, **kwargs: Any) -> Response:
        self.instrument_id = get_rules_by_symbol(symbol).instrument_id
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return SentimentScore.objects.none()
        return SentimentScore.objects.filter(instrument_id=self.instrument_id)

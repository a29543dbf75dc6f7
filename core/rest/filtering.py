"""Which rows of a list a request asks for."""

from typing import Any

from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.request import Request

from core.rest.pagination import PAGE_PARAMETERS


class FilterBackend(DjangoFilterBackend):
    """Filters by the view's ``filterset_class``; builds its form only when something is asked."""

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: Any
    ) -> QuerySet[Any]:
        """Return the rows that pass; all of them when the request names nothing but a page."""
        if request.query_params.keys() <= PAGE_PARAMETERS:
            return queryset
        return super().filter_queryset(request, queryset, view)

from types import SimpleNamespace
from typing import Any

import django_filters
import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from core.models import ApiToken
from core.rest.filtering import FilterBackend


class ByName(django_filters.FilterSet):
    class Meta:
        model = ApiToken
        fields = ["name"]


def filtered(query: str) -> tuple[Any, Any]:
    """Return the rows before and after the filter."""
    rows = ApiToken.objects.all()
    request = Request(APIRequestFactory().get(f"/rows?{query}"))
    view = SimpleNamespace(filterset_class=ByName)
    return rows, FilterBackend().filter_queryset(request, rows, view)


@pytest.mark.parametrize("query", ["", "limit=5", "limit=5&cursor=abc"])
def test_it_leaves_a_request_for_a_page_alone(query: str) -> None:
    rows, passed = filtered(query)

    assert passed is rows


@pytest.mark.parametrize("query", ["name=bot", "limit=5&name=bot"])
def test_it_filters_when_a_field_is_named(query: str) -> None:
    _, passed = filtered(query)

    assert "= bot" in str(passed.query)

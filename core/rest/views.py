"""Lists of rows, read the cheap way: ``values()``, a page by position, orjson."""

from collections.abc import Iterable
from typing import Any

from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from core.errors import InvalidInput
from core.rest.rendering import OrjsonRenderer


def check_parameters(request: Request, *, known: Iterable[str]) -> None:
    """Refuse query parameters that would be ignored: a misspelt filter must not show everything.

    Raises:
        InvalidInput: A parameter that is not among `known`, or that holds a NUL character.
    """
    names = sorted(known)
    for name, value in request.query_params.items():
        if name not in names:
            raise InvalidInput(
                f"The parameter {name[:64]!r} is not known here; known are {', '.join(names)}.",
                field=name[:64],
                fix="Remove it.",
            )
        if "\x00" in value:
            raise InvalidInput(f"{name} holds a NUL character.", field=name)


class ReadListView(GenericAPIView):
    """GET a page of rows.

    A subclass sets ``queryset``, ``columns`` (output name -> path in the ORM) and ``ordering``;
    optionally ``filterset_class``, and ``present(row)`` to finish each dictionary.
    """

    columns: dict[str, str] = {}
    ordering: str | tuple[str, ...] = "-id"
    renderer_classes = [OrjsonRenderer]

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        check_parameters(request, known=self._known_parameters())
        queryset = self.filter_queryset(self.get_queryset())
        page = self.paginate_queryset(queryset.values(*self._paths()))
        return self.get_paginated_response([self._row(row) for row in page or []])

    def present(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the row as the client sees it; overridden where a value is computed."""
        return row

    def _known_parameters(self) -> list[str]:
        filters = getattr(getattr(self, "filterset_class", None), "base_filters", {})
        return ["limit", "cursor", *filters]

    def _paths(self) -> set[str]:
        ordering = (self.ordering,) if isinstance(self.ordering, str) else self.ordering
        # The page's cursor is made of the ordering's columns and the id.
        return {*self.columns.values(), *(name.lstrip("-") for name in ordering), "id"}

    def _row(self, row: dict[str, Any]) -> dict[str, Any]:
        return self.present({name: row[path] for name, path in self.columns.items()})

"""Pages by position, not by number: the cost of a page does not grow with the table."""

import base64
import binascii
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Model, Q
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.utils.urls import replace_query_param

from core.errors import InvalidInput

# What a request may say about its page; everything else is a wish for certain rows.
PAGE_PARAMETERS = frozenset({"limit", "cursor"})
MAX_LIMIT = 500
MAX_CURSOR_LENGTH = 512


class TimeCursorPagination(BasePagination):
    """Newest first (or as the view's ``ordering`` says), ``limit`` rows, ``cursor`` for the next.

    ``ordering`` names columns of the row itself; ``-id`` is added so that no two rows tie. The
    answer is ``{"results": […], "next": URL or null, "cursor": text or null}``.
    """

    cursor: str | None = None

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.request = request
        self.ordering = _ordering_of(view)
        limit = _read_limit(request.query_params.get("limit"))
        queryset = queryset.order_by(*self.ordering)
        cursor = request.query_params.get("cursor")
        if cursor:
            queryset = queryset.filter(_after(queryset.model, self.ordering, cursor))
        rows = list(queryset[: limit + 1])
        self.cursor = _cursor_of(rows[limit - 1], self.ordering) if len(rows) > limit else None
        return rows[:limit]

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"results": data, "next": self.get_next_link(), "cursor": self.cursor})

    def get_next_link(self) -> str | None:
        if self.cursor is None:
            return None
        return replace_query_param(self.request.build_absolute_uri(), "cursor", self.cursor)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        text_or_null = {"type": "string", "nullable": True}
        return {
            "type": "object",
            "required": ["results", "next", "cursor"],
            "properties": {
                "results": schema,
                "next": {**text_or_null, "format": "uri"},
                "cursor": text_or_null,
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {
                "name": "limit",
                "in": "query",
                "required": False,
                "description": f"Rows per page, 1 to {MAX_LIMIT}",
                "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
            },
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "description": "The `cursor` of the page before",
                "schema": {"type": "string"},
            },
        ]


def _ordering_of(view: Any) -> tuple[str, ...]:
    ordering = getattr(view, "ordering", None) or ("-id",)
    ordering = (ordering,) if isinstance(ordering, str) else tuple(ordering)
    if ordering[-1].lstrip("-") not in ("id", "pk"):
        ordering += ("-id" if ordering[0].startswith("-") else "id",)
    return ordering


def _read_limit(text: str | None) -> int:
    if text is None:
        return api_settings.PAGE_SIZE or 50
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= MAX_LIMIT):
        raise InvalidInput(
            f"limit must be a whole number from 1 to {MAX_LIMIT}.", field="limit", value=text[:64]
        )
    return int(text)


def _after(model: type[Model], ordering: tuple[str, ...], cursor: str) -> Q:
    """Return the condition "comes after the row that `cursor` names" under `ordering`."""
    values = _read_cursor(model, ordering, cursor)
    condition, equal = Q(), Q()
    for name, value in zip(ordering, values, strict=True):
        field = name.lstrip("-")
        beyond = Q(**{f"{field}__{'lt' if name.startswith('-') else 'gt'}": value})
        condition |= equal & beyond
        equal &= Q(**{field: value})
    return condition


def _cursor_of(row: Any, ordering: tuple[str, ...]) -> str:
    values = []
    for name in ordering:
        field = name.lstrip("-")
        value = row[field] if isinstance(row, dict) else getattr(row, field)
        if isinstance(value, datetime):
            value = value.astimezone(UTC).isoformat()
        values.append(str(value) if isinstance(value, Decimal) else value)
    text = json.dumps(values, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(model: type[Model], ordering: tuple[str, ...], cursor: str) -> list[Any]:
    try:
        if len(cursor) > MAX_CURSOR_LENGTH:
            raise ValueError("too long")
        text = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        values = json.loads(text)
        if not isinstance(values, list) or len(values) != len(ordering):
            raise ValueError("of another list")
        return [
            _read_value(model, name.lstrip("-"), value)
            for name, value in zip(ordering, values, strict=True)
        ]
    except (ValueError, TypeError, OverflowError, binascii.Error, FieldDoesNotExist) as error:
        raise _bad_cursor(cursor) from error
    except ValidationError as error:
        raise _bad_cursor(cursor) from error


def _read_value(model: type[Model], name: str, value: Any) -> Any:
    if not isinstance(value, (str, int, float)) or isinstance(value, bool):
        raise ValueError("not a plain value")
    field = model._meta.pk if name == "pk" else model._meta.get_field(name)
    read = field.to_python(value)  # type: ignore[union-attr]
    if isinstance(read, int) and abs(read) >= 2**63:
        raise ValueError("out of range")
    if isinstance(read, datetime) and read.tzinfo is None:
        raise ValueError("a time without zone")
    return read


def _bad_cursor(cursor: str) -> InvalidInput:
    return InvalidInput(
        "cursor is not one that this list gave out.",
        field="cursor",
        value=cursor[:64],
        fix="Start again without it.",
    )

"""How our own REST parts read in OpenAPI. Imported with the site's addresses, by the web alone."""

from typing import Any

from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerFieldExtension,
    OpenApiViewExtension,
)
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers

from core.rest.fields import ExactDecimal, Symbol, Whole


class BearerScheme(OpenApiAuthenticationExtension):
    """``Authorization: Bearer <token>``."""

    target_class = "core.rest.authentication.BearerTokenAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer"}


class ExactDecimalSchema(OpenApiSerializerFieldExtension):
    """A decimal in quotes."""

    target_class = ExactDecimal

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return {"type": "string", "pattern": r"^[0-9]{1,40}(\.[0-9]{1,40})?$", "example": "0.015"}


class SymbolSchema(OpenApiSerializerFieldExtension):
    """A trading pair."""

    target_class = Symbol

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return {"type": "string", "pattern": "^[A-Z0-9]{2,32}$", "example": "BTCUSDT"}


class WholeSchema(OpenApiSerializerFieldExtension):
    """A whole number within its bounds."""

    target_class = Whole

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return {
            "type": "integer",
            "minimum": self.target.minimum,
            "maximum": self.target.maximum,
        }


class ListSchema(OpenApiViewExtension):
    """The rows of a ``ReadListView``, by the fields of its model."""

    target_class = "core.rest.views.ReadListView"
    match_subclasses = True

    def view_replacement(self) -> Any:
        queryset = _queryset_of(self.target)
        fields = {
            name: _field_at(queryset.model, path) for name, path in self.target.columns.items()
        }
        name = f"{self.target.__name__.removesuffix('View').removesuffix('List')}Row"
        row = type(name, (serializers.Serializer,), {"__doc__": self.target.__doc__, **fields})
        about = {"serializer_class": row, "queryset": queryset, "__doc__": self.target.__doc__}
        described = type(self.target.__name__, (self.target,), about)
        return extend_schema_view(get=extend_schema(responses=row(many=True)))(described)


def _queryset_of(view: Any) -> Any:
    if getattr(view, "queryset", None) is not None:
        return view.queryset
    probe = view()
    probe.swagger_fake_view = True
    return probe.get_queryset()


def _field_at(model: Any, path: str) -> serializers.Field:
    """Return the serializer field of a column, such as ``instrument__symbol``.

    A key of a JSON column, such as ``context__bracket``, may hold anything or be absent.
    """
    *relations, name = path.split("__")
    for relation in relations:
        model = model._meta.get_field(relation).related_model
        if model is None:
            return serializers.JSONField(allow_null=True)
    field = next(each for each in model._meta.concrete_fields if name in (each.name, each.attname))
    options = {"allow_null": field.null} | (
        {"help_text": text} if (text := field.help_text) else {}
    )
    if name == field.attname != field.name or field.is_relation:
        return serializers.IntegerField(**options)
    kind = serializers.ModelSerializer.serializer_field_mapping.get(type(field))
    if kind in (None, serializers.DecimalField):
        return ExactDecimal(**options)
    return kind(**options)

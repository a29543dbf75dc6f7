"""Database columns for exact decimals."""

from decimal import Context, Decimal
from typing import Any

from django.db import models
from django.db.models import F
from django.db.models.functions import Cast

# The default context keeps 28 digits: normalizing in it would round what the column can hold.
_WIDE = Context(prec=80)


class ExactDecimalField(models.DecimalField):
    """A decimal of 38 digits, 18 of them after the point, exact on every database.

    PostgreSQL stores ``numeric(38, 18)``. SQLite has no decimals: Django's own field would pass
    through a float there and keep 15 digits, so this one stores text. Therefore sums and
    comparisons of money are made in Python, never in SQL.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 38)
        kwargs.setdefault("decimal_places", 18)
        super().__init__(*args, **kwargs)

    def get_internal_type(self) -> str:
        # Under the name DecimalField SQLite would convert the text through a float on reading.
        return "ExactDecimalField"

    def db_type(self, connection: Any) -> str | None:
        if _is_sqlite(connection):
            return "text"
        return f"numeric({self.max_digits}, {self.decimal_places})"

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        return self.get_db_prep_value(value, connection)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:  # noqa: FBT001, FBT002 - Django's signature
        if value is None or hasattr(value, "resolve_expression"):
            return value
        exact = self.to_python(value)
        if _is_sqlite(connection):
            return format(exact.normalize(_WIDE), "f")
        return exact

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        # Without the zeros that the column pads with: both databases then read alike.
        return (sql if _is_sqlite(compiler.connection) else f"trim_scale({sql})"), params

    def get_db_converters(self, connection: Any) -> list[Any]:
        return [_from_text] if _is_sqlite(connection) else []


def _from_text(value: Any, _expression: Any, _connection: Any) -> Decimal | None:
    """Read what SQLite holds: a text, or a number that SQL has made."""
    if value is None:
        return None
    text = str(value)
    # A point that is left at the end means nothing.
    return Decimal(text.rstrip("0") if "." in text else text)


def _is_sqlite(connection: Any) -> bool:
    return bool(connection.vendor == "sqlite")


def positive(field: str, *, name: str, or_zero: bool = False) -> models.CheckConstraint:
    """Return a constraint that `field` is above zero (or at least zero) on both databases."""
    as_float = Cast(F(field), models.FloatField())
    lookup = models.lookups.GreaterThanOrEqual if or_zero else models.lookups.GreaterThan
    return models.CheckConstraint(condition=lookup(as_float, 0.0), name=name)

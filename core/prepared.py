"""Queries whose SQL is made once: for the few that every order waits for.

Django makes the SQL of a query set anew each time, which takes it longer than PostgreSQL takes to
answer. Only the SQL is kept; each call reads from the database.
"""

from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection
from django.db.models import Expression, QuerySet
from django.db.models.sql.compiler import SQLCompiler


class _Place(Expression):
    """Where a call puts its value; it stands in the parameters for itself."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "%s", (self,)


class PreparedQuery:
    """A query set of ``values_list`` as a function of its parameters.

    Args:
        build: Returns the query set; is called once, with a place for each parameter. Where it
            compares a parameter with a column, values must be of a type that the database takes
            as it is: a key, a text, an aware datetime.
        parameters: Their names.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Any]], *parameters: str) -> None:
        self._build = build
        self._parameters = parameters
        self._made: dict[str, tuple[SQLCompiler, str, list[Any]]] = {}

    def __call__(self, **values: Any) -> Iterator[list[Any]]:
        """Return the rows, each with the columns in the order of ``values_list``."""
        compiler, sql, parameters = self._made.get(connection.vendor) or self._make()
        adapt = connection.ops.adapt_unknown_value
        with connection.cursor() as cursor:
            cursor.execute(
                sql,
                [
                    adapt(values[part.name]) if isinstance(part, _Place) else part
                    for part in parameters
                ],
            )
            rows = cursor.fetchall()
        converters = compiler.get_converters([column for column, _, _ in compiler.select])
        return compiler.apply_converters(rows, converters) if converters else map(list, rows)

    def _make(self) -> tuple[SQLCompiler, str, list[Any]]:
        rows = self._build(**{name: _Place(name) for name in self._parameters})
        compiler = rows.query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        made = compiler, sql, list(parameters)
        self._made[connection.vendor] = made
        return made

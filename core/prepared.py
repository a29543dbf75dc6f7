"""Queries whose SQL is made once: for the few that every order waits for.

Django makes the SQL of a query set anew each time, which takes it longer than PostgreSQL takes to
answer. Only the SQL is kept; each call reads from the database.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

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


class _Made(NamedTuple):
    compiler: SQLCompiler
    sql: str
    parameters: list[Any]
    converters: dict[int, Any]


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
        self._made: dict[str, _Made] = {}

    def __call__(self, **values: Any) -> Iterator[list[Any]]:
        """Return the rows, each with the columns in the order of ``values_list``."""
        made = self._made.get(connection.vendor) or self._make()
        adapt = connection.ops.adapt_unknown_value
        with connection.cursor() as cursor:
            cursor.execute(
                made.sql,
                [
                    adapt(values[part.name]) if isinstance(part, _Place) else part
                    for part in made.parameters
                ],
            )
            rows = cursor.fetchall()
        if not made.converters:
            return map(list, rows)
        return made.compiler.apply_converters(rows, made.converters)

    def _make(self) -> _Made:
        rows = self._build(**{name: _Place(name) for name in self._parameters})
        # The proxy, not the connection of this thread: what is made here serves all of them.
        compiler = rows.query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        converters = compiler.get_converters([column for column, _, _ in compiler.select])
        made = _Made(compiler, sql, list(parameters), converters)
        self._made[connection.vendor] = made
        return made

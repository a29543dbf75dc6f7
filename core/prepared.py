"""Queries whose SQL is made once: for the few that every order waits for.

Django makes the SQL of a query set anew each time, which takes it longer than PostgreSQL takes to
answer. Only the SQL is kept; each call reads from the database.
"""

from collections.abc import Callable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Expression, Model, QuerySet
from django.db.models.query import get_related_populators
from django.db.models.sql.compiler import SQLCompiler

# Longer lists are rare, and their SQL is not worth keeping.
_LONGEST_KEPT = 32

Row = TypeVar("Row", bound=Model)


class _Place(Expression):
    """Where a call puts its value; it stands in the parameters for itself."""

    def __init__(self, name: str, index: int | None = None) -> None:
        super().__init__()
        self.name = name
        self.index = index

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "%s", (self,)

    def value_of(self, values: dict[str, Any]) -> Any:
        value = values[self.name]
        return value if self.index is None else value[self.index]


class _Made(NamedTuple):
    compiler: SQLCompiler
    sql: str
    parameters: list[Any]
    converters: dict[int, Any]


class Prepared:
    """A query set as a function of its parameters.

    Args:
        build: Returns the query set; is called once (once for each length of a list), with a
            place for each parameter. Where it compares a parameter with a column, values must be
            of a type that the database takes as it is: a key, a text, an aware datetime.
        parameters: Their names. A value is one, or a list of them for a comparison by ``__in``.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Any]], *parameters: str) -> None:
        self._build = build
        self._parameters = parameters
        self._made: dict[tuple[Any, ...], _Made] = {}

    def get(self, values: dict[str, Any]) -> _Made:
        """Return the SQL for lists as long as these.

        Raises:
            EmptyResultSet: For such there is nothing to ask, as for one of an empty list.
        """
        lengths = [len(value) for value in values.values() if isinstance(value, list)]
        kind = (connection.vendor, *lengths)
        made = self._made.get(kind)
        if made is None:
            made = self._make(values)
            if max(lengths, default=0) <= _LONGEST_KEPT:
                self._made[kind] = made
        return made

    def forget(self) -> None:
        """Make all SQL anew."""
        self._made.clear()

    def _make(self, values: dict[str, Any]) -> _Made:
        rows = self._build(**{name: _place(name, values[name]) for name in self._parameters})
        # The proxy, not the connection of this thread: what is made here serves all of them.
        compiler = rows.query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        converters = compiler.get_converters([column for column, _, _ in compiler.select])
        return _Made(compiler, sql, list(parameters), converters)


class PreparedQuery(Prepared):
    """A query set of ``values_list``."""

    def __call__(self, **values: Any) -> Iterator[list[Any]]:
        """Return the rows, each with the columns in the order of ``values_list``."""
        try:
            return _ask(self.get(values), values)
        except EmptyResultSet:
            return iter(())


class PreparedRows(Prepared, Generic[Row]):
    """A query set of a model's rows, also with ``select_related`` and ``defer``."""

    def __call__(self, **values: Any) -> list[Row]:
        """Return the rows as the query set would."""
        try:
            made = self.get(values)
        except EmptyResultSet:
            return []
        select, told = made.compiler.select, made.compiler.klass_info
        own = slice(told["select_fields"][0], told["select_fields"][-1] + 1)
        names = [column.target.attname for column, _, _ in select[own]]
        # The stubs describe Django 6, which asks for one more.
        beside = get_related_populators(told, select, connection.alias)  # type: ignore[call-arg]
        found = []
        for columns in _ask(made, values):
            row = told["model"].from_db(connection.alias, names, columns[own])
            for each in beside:
                each.populate(columns, row)
            found.append(row)
        return found


def _place(name: str, value: Any) -> _Place | list[_Place]:
    if isinstance(value, list):
        return [_Place(name, index) for index in range(len(value))]
    return _Place(name)


def _ask(made: _Made, values: dict[str, Any]) -> Iterator[list[Any]]:
    adapt = connection.ops.adapt_unknown_value
    with connection.cursor() as cursor:
        cursor.execute(
            made.sql,
            [
                adapt(part.value_of(values)) if isinstance(part, _Place) else part
                for part in made.parameters
            ],
        )
        rows = cursor.fetchall()
    if not made.converters:
        return map(list, rows)
    return made.compiler.apply_converters(rows, made.converters)

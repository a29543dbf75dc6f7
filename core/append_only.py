"""Make the database itself refuse to change a table's rows. For migrations of ledgers."""

from typing import Any

from django.db.migrations.operations import RunPython


def protect(connection: Any, table: str) -> None:
    """Install triggers that refuse UPDATE, DELETE and (PostgreSQL) TRUNCATE on `table`."""
    statements = []
    if connection.vendor == "postgresql":
        statements.append(
            "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger AS $$ BEGIN "
            "RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$ LANGUAGE plpgsql"
        )
        for name, events, level in (
            ("row", "UPDATE OR DELETE", "ROW"),
            ("table", "TRUNCATE", "STATEMENT"),
        ):
            statements.append(
                f"CREATE TRIGGER {table}_append_only_{name} BEFORE {events} ON {table} "
                f"FOR EACH {level} EXECUTE FUNCTION refuse_change()"
            )
    else:
        statements += [
            f"CREATE TRIGGER {table}_append_only_{event.lower()} BEFORE {event} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            for event in ("UPDATE", "DELETE")
        ]
    _execute(connection, statements)


def unprotect(connection: Any, table: str) -> None:
    """Take the triggers of ``protect`` away again."""
    on_table, names = "", ("update", "delete")
    if connection.vendor == "postgresql":
        on_table, names = f" ON {table}", ("row", "table")
    _execute(
        connection,
        [f"DROP TRIGGER IF EXISTS {table}_append_only_{name}{on_table}" for name in names],
    )


def _execute(connection: Any, statements: list[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


class AppendOnly(RunPython):
    """Migration operation: from here on rows of `table` are only added."""

    def __init__(self, table: str) -> None:
        self.table = table
        super().__init__(
            lambda _apps, editor: protect(editor.connection, table),
            lambda _apps, editor: unprotect(editor.connection, table),
        )

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (self.__class__.__qualname__, [self.table], {})

    def describe(self) -> str:
        return f"Make {self.table} append-only"

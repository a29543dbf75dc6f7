"""Prepare a copy of a module so that mutmut changes all of it.

mutmut leaves a decorated function alone, and with it every property and every service in
``transaction.atomic``. A decorator is a call: the copy makes it one, after the function. It also
keeps prose (a string with a space in it, a log line) out of the count: no test should pin it. So
it does with what only PostgreSQL executes, because the services are run on SQLite here.
"""

import re

import libcst

_UNFOLDED = {"property", "taped", "transaction.atomic", "contextlib.contextmanager"}


# What SQLite never executes: its branches, and functions that these alone call.
_NOT_ON_SQLITE = re.compile(
    r"^ *if .*connection\.(vendor == \"postgresql\"|features\.has_select_for_update).*:$"
    r"|^def (_unlock|_wait_postgresql)\(.*:$",
    re.MULTILINE,
)


class _Unfolding(libcst.CSTTransformer):
    """Turn ``@decorator def f`` into ``def f`` and ``f = decorator(f)``; shield prose."""

    def leave_FunctionDef(  # noqa: N802 - the name that libcst calls
        self, original_node: libcst.FunctionDef, updated_node: libcst.FunctionDef
    ) -> libcst.FunctionDef | libcst.FlattenSentinel[libcst.BaseStatement]:
        decorators = [
            libcst.Module([]).code_for_node(each.decorator) for each in updated_node.decorators
        ]
        if not decorators or not _UNFOLDED.issuperset(decorators):
            return updated_node
        name = call = updated_node.name.value
        for decorator in reversed(decorators):
            call = f"{decorator}({call})"
        statement = libcst.parse_statement(f"{name} = {call}")
        return libcst.FlattenSentinel([updated_node.with_changes(decorators=[]), statement])

    def leave_SimpleString(  # noqa: N802 - the same
        self, original_node: libcst.SimpleString, updated_node: libcst.SimpleString
    ) -> libcst.BaseExpression:
        text = updated_node.value
        if " " not in text or text[0] not in "\"'" or text.startswith(('"""', "'''")):
            return updated_node
        return libcst.parse_expression("f" + text.replace("{", "{{").replace("}", "}}"))


def unfold(source: str) -> str:
    """Return `source`, the same in what it does, open to mutmut in every function."""
    marked = _NOT_ON_SQLITE.sub(r"\g<0>  # pragma: no mutate block", source)
    return libcst.parse_module(marked).visit(_Unfolding()).code

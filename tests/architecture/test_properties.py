"""What is true for any input is tested for any input: at least sixty properties."""

import ast

from tests.architecture.tree import ROOT

LEAST = 60
_KINDS = {"given", "invariant", "rule"}


def test_there_are_sixty_properties():
    found = [
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and any(_is_property(one) for one in node.decorator_list)
    ]

    assert len(found) >= LEAST


def _is_property(decorator: ast.expr) -> bool:
    return (
        isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Name)
        and decorator.func.id in _KINDS
    )
